"""Programs that a probe starts on a machine or beside it."""
