"""A machine before a service runs on it: first boot, names, and steps over SSH."""
