"""A client that checks whether an address answers."""

from __future__ import annotations

import socket
import threading
import time

from rehearsal.probes.base import Attempt, Probe

ADDRESS_PERIOD = 0.1
"""Seconds between two connections."""
ADDRESS_TIMEOUT = 0.5
"""Seconds after which a connection attempt fails; an outage is accurate to the period plus this."""


class AddressProbe(Probe):
    """Connects to an address by TCP again and again; an attempt succeeds when any host accepts the connection."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__("address", address)
        self._target = (address, port)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._connect, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _connect(self) -> None:
        while not self._stopped.wait(ADDRESS_PERIOD):
            start, error = time.time(), None
            try:
                socket.create_connection(self._target, timeout=ADDRESS_TIMEOUT).close()
            except OSError as failure:
                error = type(failure).__name__
            self.attempts.append(Attempt(start, time.time() - start, error))
