"""Each step on a real machine."""
