"""The process that holds a region: it starts the stand-ins and serves the region's control.

It is the first process of the rehearsal's namespaces: when it ends, however it ends, the kernel ends every machine,
mount, interface and rule with it. Its standard input is a pipe from the process that started it. It exits at the end of
that pipe, unless `KEEP` came first.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from rehearsal.plugins import aws, command, digitalocean, random, tls
from rehearsal.region.control import RegionControl
from rehearsal.region.control_socket import KEEP, serve
from rehearsal.region.network import RESOLVER
from rehearsal.region.ready import Ready
from rehearsal.region.region import Region
from rehearsal.region.settings import RegionSettings
from rehearsal.system.shell import run


def main() -> None:
    """Start the region whose settings are in the directory that the first argument names."""
    settings = RegionSettings.read(Path(sys.argv[1]))
    mount_own_run()
    region = Region(settings)
    use_region_resolver(settings.directory)
    start(region, settings.directory)
    while os.read(0, 1) == KEEP:
        threading.Event().wait()
    os._exit(0)


def mount_own_run() -> None:
    """Mount an empty /run over the host's, because ip-netns(8) keeps the names of network namespaces there."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/netns").mkdir()


def use_region_resolver(directory: Path) -> None:
    """Let the engine and the probes resolve names at the region's name server."""
    resolver = directory / "resolv.conf"
    resolver.write_text(f"nameserver {RESOLVER}\n")
    # /etc/resolv.conf is often a link into the /run that is covered now
    target = Path("/etc/resolv.conf").resolve()
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    run("mount", "--bind", resolver, target)


def start(region: Region, directory: Path) -> None:
    """Serve the stand-ins and the control, and publish how to reach them."""
    providers = [
        aws.provider(region), digitalocean.provider(region), command.provider(), random.provider(), tls.provider()
    ]  # fmt: skip
    ports = {provider.name: provider.serve() for provider in providers}
    Ready(providers=ports, key=serve(RegionControl(region), directory)).write(directory)


if __name__ == "__main__":
    main()
