"""Apache on servers that exist already, its files moved to a volume."""
