"""Probes: clients that read, write and fetch pages while a drill breaks things."""
