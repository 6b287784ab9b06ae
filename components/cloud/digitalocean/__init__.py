"""DigitalOcean: droplets with block-storage volumes, managed MySQL, and a load balancer or a reserved IP."""
