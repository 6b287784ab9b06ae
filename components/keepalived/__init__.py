"""keepalived: the virtual IP that fails over between the site's own load balancers."""
