"""Migration of a directory onto a volume."""
