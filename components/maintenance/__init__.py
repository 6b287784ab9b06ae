"""Upgrades and reboots of the nodes by a timer, one node of the site at a time."""
