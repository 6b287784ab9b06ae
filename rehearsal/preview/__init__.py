"""Preview of a change without credentials or machines: the real engine compares the programs of two commits."""
