"""Client addresses of a flood's attackers and legitimate clients."""

from __future__ import annotations

from rehearsal.drills.outside_addresses import addresses

ADDRESSES = addresses(0, 50 + 1 + 20)
ATTACKERS, LATE_ATTACKER, LEGITIMATE = ADDRESSES[:50], ADDRESSES[50], ADDRESSES[51:]
"""Addresses of the first attackers, of the attacker that starts when these are banned, and of legitimate clients."""
THIRD_PARTY = "192.0.2.1"
"""An address that no client has; attackers forge it in headers."""
