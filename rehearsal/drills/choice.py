"""Which drill a stack gets."""

from __future__ import annotations

from rehearsal.deployment import Deployment
from rehearsal.drills.drill import Drill
from rehearsal.drills.wordpress import WordPressDrill
from rehearsal.region import Faults


def drill_of(deployment: Deployment, faults: Faults) -> Drill:
    """The drill of a stack that is up, by its settings. Raises `LookupError` where there is none for them."""
    return WordPressDrill(deployment, faults)
