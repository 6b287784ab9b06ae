"""Apache on existing servers, with its files migrated to a volume."""
