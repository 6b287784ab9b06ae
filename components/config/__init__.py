"""The settings of a stack: their models, their checks, the nodes' roles."""
