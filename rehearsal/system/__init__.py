"""Thin wrappers of the host's commands, control groups, mounts and processes."""
