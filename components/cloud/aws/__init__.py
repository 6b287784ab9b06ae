"""Amazon: EC2 instances with EBS volumes, RDS, and an application load balancer or an elastic IP."""
