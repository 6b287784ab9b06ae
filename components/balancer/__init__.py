"""The site's own load balancers: HAProxy, and one address that fails over between them."""
