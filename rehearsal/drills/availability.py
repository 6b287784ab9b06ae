"""How many nodes are out of service at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rehearsal.drills.site import Site

EVERY = 1.0
"""Seconds between two looks at all nodes."""


class Availability:
    """The nodes that were out of service: `seen` has every set of nodes that were so in one look."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._stopped = threading.Event()
        self.seen: set[frozenset[str]] = set()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at the nodes during the block."""
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()

    @property
    def most(self) -> frozenset[str]:
        """The largest set of nodes that were out of service at once."""
        return max(self.seen, key=len, default=frozenset())

    def _watch(self) -> None:
        while not self._stopped.wait(EVERY):
            self.seen.add(frozenset(node for node in self._site.nodes if not self._site.healthy(node)))
