"""Clients that read, write and load pages while a drill causes faults."""
