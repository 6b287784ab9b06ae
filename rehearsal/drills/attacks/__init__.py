"""Attacks on a running site: each one is a fault of a drill, in a file of its own."""
