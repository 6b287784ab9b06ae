"""The settings of a stack: models, checks, and node roles."""
