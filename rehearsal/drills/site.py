"""The site under test: commands on its nodes, and their health."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from components.config.settings import Settings
from components.haproxy.haproxy import OWN_PORT
from components.machine.etc_hosts import host_name
from rehearsal.deploy.deployment import Deployment
from rehearsal.region.control import RegionControl
from rehearsal.system.shell import ToolError, run

CURL = ("curl", "--silent", "--fail", "--max-time", "5", "--output", "/dev/null")
CHECKSUMS = """\
cd "$1"
find . \\( -path "$2" -o -path "$3" -o -path "$4" \\) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
"""
CHECK = 'cd "$1"; sha256sum --check --quiet 2>/dev/null || [ $? -eq 1 ]'
NODE_DOWN_ERRORS = (ToolError, LookupError, ProcessLookupError)
"""Exceptions that a command on a machine raises while the machine is off or booting."""


class Site:
    """A site: its settings and its nodes' names; once it is deployed also its outputs and its volume."""

    def __init__(self, deployment: Deployment, control: RegionControl) -> None:
        self.deployment, self.control = deployment, control
        self.settings: Settings = deployment.settings()
        self.roles, self.nodes = self.settings.node_roles, sorted(self.settings.nodes)

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, by name."""
        return self.deployment.outputs()

    @cached_property
    def url(self) -> str:
        """The address that visitors type."""
        return str(self.outputs["url"])

    @cached_property
    def addresses(self) -> dict[str, str]:
        """The nodes' public addresses, by name."""
        return {name: node["public"] for name, node in self.outputs["nodes"].items()}

    @cached_property
    def mount(self) -> str:
        """The volume's mount point on the web nodes. Raises `ToolError` when no volume is mounted."""
        return self.on(
            self.roles.web[0], "findmnt", "--noheadings", "--types=fuse.glusterfs", "--output=TARGET"
        ).split()[0]

    @property
    def volume(self) -> str:
        """The volume's name."""
        return self.settings.gluster.volume

    def read_outputs(self) -> None:
        """Read the stack's outputs, its URL and the nodes' addresses, which change with a new machine or stack."""
        self.outputs = self.deployment.outputs()
        self.url = str(self.outputs["url"])
        self.addresses = {name: node["public"] for name, node in self.outputs["nodes"].items()}

    def on(self, node: str, *command: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Run a command on a node as root, without using its network; returns its standard output.

        Raises one of `NODE_DOWN_ERRORS` when the command fails or the node is down.
        """
        return run(*self.control.exec_prefix(node), *command, stdin=stdin, timeout=timeout)

    def healthy(self, node: str) -> bool:
        """Whether a node fulfils all its roles: it serves pages, forwards visitors, or runs its brick."""
        if node in self.roles.web:
            return self.answers(node, "http://127.0.0.1/healthz")
        if node in self.roles.balancers and not self.answers(node, f"http://127.0.0.1:{OWN_PORT}/health"):
            return False
        return node not in self.roles.bricks or self.brick_runs(node)

    def answers(self, node: str, url: str) -> bool:
        """Whether a URL answers with a success status on the node itself."""
        try:
            self.on(node, *CURL, url, timeout=10)
        except NODE_DOWN_ERRORS:
            return False
        return True

    def brick_runs(self, node: str) -> bool:
        """Whether a node's brick runs; only its own glusterd is asked, so the other bricks do no work."""
        return self._brick_status(node, "status") == "1"

    def brick_port(self, node: str) -> int:
        """The TCP port of a node's brick. Raises `ValueError` when its glusterd does not answer."""
        return int(self._brick_status(node, "port"))

    def brick_ports(self) -> list[int]:
        """The TCP ports on which the bricks listen."""
        text = self._gluster(self.roles.bricks[-1], "--xml", "volume", "status", self.volume)
        ports = ElementTree.fromstring(text or "<none/>").findall(".//node/ports/tcp")
        return sorted({int(port.text) for port in ports if port.text and port.text.isdigit()})

    def indexed_entries(self) -> int | None:
        """The number of entries in the bricks' heal indices; None when a brick does not answer.

        The count locks no entry. It includes healed entries until the next crawl of the self-heal daemon removes them.
        """
        text = self._gluster(self.roles.bricks[-1], "volume", "heal", self.volume, "statistics", "heal-count")
        if text is None:
            return None
        counts = re.findall(r"^Number of entries: (.*)$", text, re.MULTILINE)
        return sum(int(count) for count in counts) if all(map(str.isdigit, counts)) else None

    def pending_heals(self) -> int | None:
        """The number of entries that are not healed yet; None, which is not 0, when a brick does not answer.

        All bricks lock and compare every indexed entry.
        """
        text = self._gluster(self.roles.bricks[-1], "--xml", "volume", "heal", self.volume, "info", "summary")
        if text is None:
            return None
        bricks = ElementTree.fromstring(text).findall(".//brick")
        counts = [brick.findtext("totalNumberOfEntries", "-") for brick in bricks]
        if any(brick.findtext("status") != "Connected" for brick in bricks) or not all(
            count.isdigit() for count in counts
        ):
            return None
        return sum(int(count) for count in counts)

    def checksums(self, node: str, without: str) -> str:
        """The SHA-256 of every file in a node's brick, as sha256sum(1) prints them.

        Without the files of the program, which change at any time, and those of a directory of the volume, `without`.
        """
        left_out = ("./.glusterfs", "./.ha-wordpress", f".{without.removeprefix(self.mount)}")
        return self.on(node, "sh", "-c", CHECKSUMS, "sh", self.brick(node), *left_out)

    def differing(self, node: str, checksums: str) -> list[str]:
        """The files of a node's brick that are missing or differ from the `checksums` before."""
        lines = self.on(node, "sh", "-c", CHECK, "sh", self.brick(node), stdin=checksums).splitlines()
        return [line.removesuffix(": FAILED").removesuffix(": FAILED open or read") for line in lines]

    def brick(self, node: str) -> str:
        """The path of a node's brick directory."""
        return self.settings.nodes[node].brick or self.settings.gluster.brick

    @property
    def arbiters(self) -> Sequence[str]:
        """The nodes whose bricks are arbiters."""
        return self.roles.bricks[len(self.roles.bricks) - self.settings.gluster.arbiter :]

    def _brick_status(self, node: str, field: str) -> str:
        """A field of the status of a node's brick; empty when its glusterd does not answer."""
        brick = f"{host_name(node)}:{self.brick(node)}"
        text = self._gluster(node, "--xml", "volume", "status", self.volume, brick, timeout=10)
        return ElementTree.fromstring(text).findtext(f".//node/{field}", "") if text else ""

    def _gluster(self, node: str, *arguments: str, timeout: float = 60) -> str | None:
        """Output of gluster(8) on a node; None when it fails or the node is down."""
        try:
            return self.on(node, "gluster", "--mode=script", *arguments, timeout=timeout)
        except NODE_DOWN_ERRORS:
            return None
