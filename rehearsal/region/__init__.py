"""The region: machines, disks, networks and services that stand in for a cloud."""
