"""HAProxy on the site's own load balancers."""
