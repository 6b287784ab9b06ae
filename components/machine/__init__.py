"""Machines: first boot, host names, and steps over SSH."""
