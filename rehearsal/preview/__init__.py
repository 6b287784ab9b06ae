"""Preview of a change without credentials: the real engine, the programs of two commits, stand-ins without machines."""
