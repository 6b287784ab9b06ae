"""The web server on a node: nginx in front of PHP-FPM."""
