"""The packet filter of a machine."""
