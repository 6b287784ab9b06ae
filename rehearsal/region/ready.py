"""The file `ready.json`, which a region's server publishes when it has started."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

FILE = "ready.json"


class Ready(BaseModel, frozen=True):
    """Ports and key with which the other processes of the rehearsal reach the stand-ins and the control."""

    providers: dict[str, int]
    """TCP ports of the stand-ins, by the provider's name."""
    key: str
    """Key of the control's socket, in hexadecimal."""

    def write(self, directory: Path) -> None:
        """Write the file atomically, readable by its owner only."""
        part = directory / f"{FILE}.part"
        part.touch(mode=0o600)
        part.write_text(self.model_dump_json())
        part.rename(directory / FILE)

    @classmethod
    def read(cls, directory: Path) -> Ready:
        """Read the file that `write` left in a directory."""
        return cls.model_validate_json((directory / FILE).read_text())
