"""Drills, one for each kind of site: the faults that it must survive, in order, and the limits of their effects."""
