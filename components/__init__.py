"""What `pulumi up` builds."""
