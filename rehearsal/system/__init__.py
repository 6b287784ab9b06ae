"""Thin wrappers of the host's own commands and files."""
