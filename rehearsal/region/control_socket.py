"""The socket through which the other processes of a rehearsal reach the control of its region."""

from __future__ import annotations

import secrets
import threading
from multiprocessing.managers import BaseManager
from pathlib import Path

from rehearsal.region.control import RegionControl
from rehearsal.region.ready import Ready

KEEP = b"k"
"""Written to the server's standard input to keep the region: from then on the end of that pipe does not end it."""


class ControlManager(BaseManager):
    """Serves a region's `RegionControl` to other processes over a socket."""


ControlManager.register("control")


def serve(control: RegionControl, directory: Path) -> str:
    """Serve `control` on a socket in `directory`, in a thread; returns the key that a client needs, in hexadecimal."""
    key = secrets.token_bytes(32)
    ControlManager.register("control", callable=lambda: control)
    server = ControlManager(str(directory / "control"), key).get_server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return key.hex()


def connect(directory: Path) -> RegionControl:
    """Return a proxy of the control of the region that runs in `directory`."""
    manager = ControlManager(str(directory / "control"), bytes.fromhex(Ready.read(directory).key))
    manager.connect()
    return manager.control()  # type: ignore[attr-defined, no-any-return]
