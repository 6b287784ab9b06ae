"""The drill of each kind of site."""

from __future__ import annotations

from components.config.settings import Settings
from rehearsal.drills.apache import ApacheDrill
from rehearsal.drills.base import Drill
from rehearsal.drills.sessions import SessionsDrill
from rehearsal.drills.storage import StorageDrill
from rehearsal.drills.wordpress import WordPressDrill

DRILLS: dict[tuple[str, str], type[Drill]] = {
    ("wordpress", "converged"): WordPressDrill,
    ("wordpress", "separate"): StorageDrill,
    ("sessions", "balancers"): SessionsDrill,
    ("apache", "converged"): ApacheDrill,
}


def drill_of(settings: Settings) -> type[Drill] | None:
    """The drill for a site with these settings; None when no drill covers them."""
    return DRILLS.get((settings.web, settings.topology))
