"""Machines that exist already, on a network of their own."""
