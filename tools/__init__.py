"""Tools for developers and workflows."""
