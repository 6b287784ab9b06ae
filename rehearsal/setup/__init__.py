"""Preparation of the host: tools, kernel features, the engine, the machine image and their cache."""
