"""The site under test, and what can be asked of it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from components.config.settings import Settings
from components.haproxy.haproxy import OWN_PORT
from components.machine.etc_hosts import host_name
from rehearsal.deploy.deployment import Deployment
from rehearsal.region.control import RegionControl
from rehearsal.system.shell import ToolError, run

ASK = ("curl", "--silent", "--fail", "--max-time", "5", "--output", "/dev/null")
AWAY = (ToolError, LookupError, ProcessLookupError)
"""What a command on a machine without power, or on its way up, ends with."""


class Site:
    """A site that was deployed: how to reach its nodes, its volume and its pages."""

    def __init__(self, deployment: Deployment, control: RegionControl) -> None:
        self.outputs = deployment.outputs()
        self.settings: Settings = deployment.settings()
        self.control, self.roles = control, self.settings.node_roles
        self.url: str = self.outputs["url"]
        self.nodes = sorted(self.outputs["nodes"])
        self.addresses = {name: node["public"] for name, node in self.outputs["nodes"].items()}
        mounted = self.on(
            self.roles.web[0], "findmnt", "--noheadings", "--types=fuse.glusterfs", "--output=TARGET,SOURCE"
        ).split()
        self.mount, self.volume = mounted[0], mounted[1].split(":")[1].strip("/")

    def on(self, node: str, *command: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Run a command on a node, as root, past its network."""
        return run(*self.control.exec_prefix(node), *command, stdin=stdin, timeout=timeout)

    def healthy(self, node: str) -> bool:
        """Whether a node does its part: serves pages, sends visitors on, or holds a brick that answers."""
        if node in self.roles.web:
            return self.answers(node, "http://127.0.0.1/healthz")
        if node in self.roles.balancers and not self.answers(node, f"http://127.0.0.1:{OWN_PORT}/health"):
            return False
        return node not in self.roles.bricks or self.holds_brick(node)

    def answers(self, node: str, url: str) -> bool:
        """Whether a page is there, for someone on the node."""
        try:
            self.on(node, *ASK, url, timeout=10)
        except AWAY:
            return False
        return True

    def holds_brick(self, node: str) -> bool:
        """Whether a node's brick runs; its own glusterd says so, which costs the other bricks nothing."""
        brick = f"{host_name(node)}:{self.brick(node)}"
        text = self._gluster(node, "--xml", "volume", "status", self.volume, brick, timeout=10)
        return text is not None and ElementTree.fromstring(text).findtext(".//node/status") == "1"

    def entries_named(self) -> int | None:
        """Entries that the bricks' indices name, healed or not, which costs nothing; None when a brick does not answer.

        The next look of a node's self-heal daemon takes those out that are healed.
        """
        text = self._gluster(self.roles.bricks[-1], "volume", "heal", self.volume, "statistics", "heal-count")
        if text is None:
            return None
        counts = re.findall(r"^Number of entries: (.*)$", text, re.MULTILINE)
        return sum(int(count) for count in counts) if all(map(str.isdigit, counts)) else None

    def pending_heals(self) -> int | None:
        """Entries that some brick still owes another; None when a brick does not answer, which is not 0.

        All bricks look at every entry that an index names.
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

    def brick(self, node: str) -> str:
        """The directory of a node's brick."""
        return self.settings.nodes[node].brick or self.settings.gluster.brick

    def _gluster(self, node: str, *words: str, timeout: float = 60) -> str | None:
        """What gluster(8) says on a node; None when it has no answer."""
        try:
            return self.on(node, "gluster", "--mode=script", *words, timeout=timeout)
        except AWAY:
            return None
