"""Measurements of our parts beside published ones, on the same input."""
