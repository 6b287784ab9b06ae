"""An upgrade that waits on a node: a newer package of GlusterFS, and a reboot."""

from __future__ import annotations

from pathlib import Path

from rehearsal.drills.site import NODE_DOWN_ERRORS, Site
from rehearsal.report.model import FaultResult, Seconds

NEWER_PACKAGE = Path(__file__).with_name("newer-package.sh").read_text()
BOOT = "test ! -e /var/lib/ha-wordpress/maintenance && cat /proc/sys/kernel/random/boot_id"
"""Prints what identifies a node's boot, unless its maintenance is under way."""


class UpgradeResult(FaultResult):
    """The figures of an upgrade of all nodes."""

    site_seconds: Seconds
    """Time from the timers until the last node was whole again."""


class WaitingUpgrade:
    """A newer package that apt finds on a node from now on, and a reboot that the node asks for."""

    def __init__(self, site: Site, node: str) -> None:
        self._site, self._node = site, node
        self._package = "glusterfs-server" if node in site.roles.bricks else "glusterfs-client"
        self._version = site.on(node, "bash", "-c", NEWER_PACKAGE, "bash", self._package).strip()
        self._boot = self._maintained_boot()

    def rebooted(self) -> bool:
        """Whether the node has rebooted, and its maintenance has ended."""
        return self._maintained_boot() not in ("", self._boot)

    def installed(self) -> bool:
        """Whether the node has the newer version."""
        installed = self._site.on(
            self._node, "dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Version}", self._package
        )
        return installed == f"installed {self._version}"

    def _maintained_boot(self) -> str:
        """What identifies the node's boot; empty while the node is down or its maintenance is under way."""
        try:
            return self._site.on(self._node, "sh", "-c", BOOT, timeout=10)
        except NODE_DOWN_ERRORS:
            return ""
