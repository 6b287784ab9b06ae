"""The region: machines, disks, networks and services in the place of a cloud."""
