"""Drills: the faults that a running site must survive, in order, and the limits it must hold; one per kind of site."""
