"""A tree of files moved onto a volume."""
