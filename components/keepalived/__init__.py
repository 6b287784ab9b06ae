"""keepalived: the address that fails over between the site's own load balancers."""
