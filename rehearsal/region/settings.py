"""Settings of a region: the file `region.json`, written by the process that starts the region's server."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from rehearsal.region.outside_addresses import OutsideAddresses
from rehearsal.setup.image import Image

FILE = "region.json"


class RegionSettings(BaseModel, frozen=True):
    """Settings that a region is started with."""

    directory: Path
    """Scratch directory: file systems of the machines, disks, snapshots, logs."""
    image: Image
    cgroup: str
    """Parent of the machines' control groups: a path below the root of the hierarchy."""
    name: str
    """Name of the region at its cloud, such as `us-east-1`; empty for machines that exist already."""
    outside: OutsideAddresses

    def write(self) -> None:
        """Write the settings into their own directory, for `read` in another process."""
        (self.directory / FILE).write_text(self.model_dump_json())

    @classmethod
    def read(cls, directory: Path) -> RegionSettings:
        """Read the settings that `write` left in a directory."""
        return cls.model_validate_json((directory / FILE).read_text())
