"""The process that holds a region: it starts the stand-ins and answers those who control the region.

It is the first process of the rehearsal's namespaces: when it ends, however it ends, the kernel ends every machine,
mount, interface and rule with it. Its standard input is a pipe from the process that started it; the end of that pipe
ends it.
"""

from __future__ import annotations

import ipaddress
import json
import os
import sys
import threading
from pathlib import Path

from rehearsal.plugins import aws, command, digitalocean, random, tls
from rehearsal.region.control import KEEP, serve
from rehearsal.region.faults import RegionControl
from rehearsal.region.network import RESOLVER
from rehearsal.region.region import Region, Settings
from rehearsal.setup.image import Image
from rehearsal.system.shell import run


def own_namespaces() -> None:
    """Cover what of the host's still shows in new namespaces: /run, where network namespaces get their names."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/netns").mkdir()


def main() -> None:
    """Start a region from the settings in the file named by the first argument; end with standard input."""
    directory = Path(sys.argv[1])
    given = json.loads((directory / "region.json").read_text())
    own_namespaces()
    region = Region(
        Settings(
            directory, Image(Path(given["nodes"]), Path(given["services"])), given["cgroup"], given["name"],
            ipaddress.IPv4Interface(given["operator"]), ipaddress.IPv4Interface(given["outsider"]),
        )
    )  # fmt: skip
    resolver = directory / "resolv.conf"
    resolver.write_text(f"nameserver {RESOLVER}\n")
    hosts_own = Path("/etc/resolv.conf").resolve()
    if not hosts_own.exists():
        hosts_own.parent.mkdir(parents=True, exist_ok=True)
        hosts_own.touch()
    run("mount", "--bind", resolver, hosts_own)
    providers = [
        aws.provider(region), digitalocean.provider(region), command.provider(), random.provider(), tls.provider()
    ]  # fmt: skip
    ports = {provider.name: provider.serve() for provider in providers}
    ready = {"providers": ports, "key": serve(RegionControl(region), directory)}
    part = directory / "ready.part"
    part.touch(mode=0o600)
    part.write_text(json.dumps(ready))
    part.rename(directory / "ready.json")
    while os.read(0, 1) == KEEP:
        threading.Event().wait()
    os._exit(0)


if __name__ == "__main__":
    main()
