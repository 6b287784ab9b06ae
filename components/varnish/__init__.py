"""The cache in front of a node's web server: Varnish."""
