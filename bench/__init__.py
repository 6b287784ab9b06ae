"""Comparisons of our parts with published ones, on the same input."""
