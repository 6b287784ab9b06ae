"""Bans: hits counted for the whole site, and banned addresses refused by every node."""
