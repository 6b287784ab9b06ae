"""Preparation of this host: tools, the engine, the machine image, the cache."""
