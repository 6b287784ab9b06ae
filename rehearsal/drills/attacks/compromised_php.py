"""An attacker who runs code in PHP on one web node, for example through a hole in a plugin."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from components.config.settings import GLUSTERD_PORT
from components.fail2ban.fail2ban import PORT as HITS_PORT
from rehearsal.deploy.deployment import DeploymentFailed
from rehearsal.drills import access_logs
from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.outside_addresses import VICTIM, outside_addresses
from rehearsal.probes.visitors import PageProbe
from rehearsal.region.metadata import ADDRESS as METADATA
from rehearsal.report.model import FaultResult
from rehearsal.system.shell import ToolError

AGENT = (Path(__file__).parent.parent.parent / "probes" / "agents" / "compromised_php.py").read_text()
AS_PHP = ("setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups")
PLANTING_SECONDS = 6.0
"""Seconds for which the agent swaps the directory of the shared bans: nodes read it every second."""
BAN_SECONDS = 6.0
"""Seconds in which a forged hit would have led to a ban on every node (flood/checks.py, BAN_LIMIT), and one more."""
MALFORMED = "...."
"""A name of a ban fact that no address parses; nft(8) refuses the whole list with it."""

LINKS = {
    "code": "/etc/shadow",
    "copying": "/etc/shadow",
    "new": "/etc/shadow",
    "database": "/root/.profile",
    "loading": "/root",
}
"""Names that steps use in the directory of their state on the volume, and the targets of the links in their places."""
TARGETS = ("/etc/shadow", "/root", "/root/.profile")
STATE = "stat --format='%n %U:%G %a' \"$@\"; sha256sum /etc/shadow /root/.profile"
RESTORE = """
chown root:shadow /etc/shadow
chown root:root /root /root/.profile
chmod 640 /etc/shadow
cd "$1" || exit 0
rm -rf planted
if [ -d bans ] && [ "$(stat --format=%U bans)" = www-data ]; then rm -rf bans; fi
for aside in *.aside; do
    [ -e "$aside" ] || [ -L "$aside" ] || continue
    rm -rf "${aside%.aside}"
    mv "$aside" "${aside%.aside}"
done
find . -maxdepth 1 -type l -delete
rmdir "$1" 2>/dev/null || true
"""
"""Removes what the agent planted, and gives root its files back."""
FORGET = """
find /var/lib/ha-wordpress "$1/bans" -name "*,$2,*" -delete 2>/dev/null
systemctl reset-failed bans-apply.service 2>/dev/null
rm -f /run/ha-wordpress/applied
systemctl start bans-apply.service
! find /var/lib/ha-wordpress "$1/bans" -name "*,$2,*" 2>/dev/null | grep -q .
"""
"""Removes the malformed fact from a node and from the volume, and applies the others."""
PLACES = ("/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr/local", "/var/cache", "/var/lib", "/var/log")
NODE_STEPS = ("web", "vcl", "varnish", "fail2ban", "wordpress-code", "wordpress-site", "wordpress-cron")
"""Ends of the names of the steps that run again: those that work where PHP may write."""


class Orders(BaseModel):
    """What the agent attacks (rehearsal/probes/agents/compromised_php.py)."""

    root: str
    """The document root."""
    state: str
    """The directory of the steps' state on the volume."""
    accused: Sequence[str]
    """Addresses for which it forges hits."""
    hits: int
    """Hits for each of them."""
    hits_port: int
    hosts: Sequence[str]
    """Addresses of this node and of a neighbour, at which it tries `hits_port`."""
    storage: Sequence[tuple[str, int]]
    """Addresses and ports of Gluster."""
    metadata: str
    places: Sequence[str]
    """Directories in which it searches for secrets, beside the site's files and the processes' environments."""
    secrets: Sequence[str]
    """Secrets of the site, beside those in wp-config.php."""
    facts: Sequence[str]
    """Names of the ban facts that it plants."""
    seconds: float
    """Seconds for which it swaps the directory of the bans."""
    links: dict[str, str]
    """Targets by the paths of the links that it plants."""


class Loot(NamedTuple):
    """What the agent reports."""

    logs: list[str]
    connections: list[str]
    metadata: list[str]
    secrets: list[str]
    planted: list[str]


class CompromisedPhp(Attack):
    """PHP forges hits and bans, plants links where root works, and looks for secrets and for root's services."""

    name = "compromised PHP"

    def cause(self) -> FaultResult:
        self.node, self.neighbour, *_ = self.site.roles.web
        self.peer = self.control.address(self.neighbour)
        with outside_addresses(VICTIM):
            before = self._root_files()
            try:
                self.since = self.mark(f"an attacker runs code in PHP on {self.node}")
                self.step.detail("the attacker at work")
                loot = self._attack()
                self.wait("a forged hit or fact leads to a ban", lambda: bool(self._banned()), BAN_SECONDS, every=0.5)
                self._check_bans()
                self.mark("the steps run again")
                self.mark(self._run_steps_again())
                changed = sorted({*self._root_files()} - {*before})
            finally:
                self._clean()
        self.check_none("inputs of the hit log open to PHP", loot.logs)
        self.check_none("storage ports open to PHP", loot.connections)
        self.check_none("metadata that PHP can read", loot.metadata)
        self.check_none("files with a secret that PHP can read", loot.secrets)
        self.check_none("files of root changed by links that PHP planted", changed)
        return FaultResult(name=self.name)

    def _attack(self) -> Loot:
        mount, address = self.site.mount, self.control.address(self.node)
        state = f"{mount}/.ha-wordpress"
        until, now = int(time.time()) + 9999, int(time.time() * 1e6)
        bricks = [self.control.address(brick) for brick in self.site.roles.bricks]
        orders = Orders(
            root=mount,
            state=state,
            accused=[VICTIM, self.peer],
            hits=self.site.settings.bans.hits + 5,
            hits_port=HITS_PORT,
            hosts=[address, self.peer],
            storage=[(host, port) for host in bricks for port in (GLUSTERD_PORT, *self.site.brick_ports())],
            metadata=METADATA,
            places=PLACES,
            secrets=[self.site.outputs["admin_password"]],
            facts=[
                f"banned,{VICTIM},{until},{now}",
                f"banned,{self.peer},{until},{now}",
                f"banned,{MALFORMED},{until},{now}",
            ],
            seconds=PLANTING_SECONDS,
            links={f"{state}/{name}": target for name, target in LINKS.items()},
        )
        output = self.site.on(self.node, *AS_PHP, "python3", "-c", AGENT, stdin=orders.model_dump_json() + "\n")
        return Loot(**json.loads(output))

    def _banned(self) -> list[str]:
        """The nodes that ban the accused addresses, in nginx and Varnish or in the packet filter."""
        found = []
        for node in (*self.site.roles.web, *self.site.roles.balancers):
            refused = access_logs.bans_at(self.site, node).keys() | access_logs.dropped_at(self.site, node).keys()
            found += [f"{address} on {node}" for address in (VICTIM, self.peer) if address in refused]
        return found

    def _check_bans(self) -> None:
        self.check_none("addresses banned by PHP", self._banned())
        broken = [node for node in self.site.roles.web if not self._applies_bans(node)]
        self.check_none("nodes that apply no ban any more", broken)
        visitor = PageProbe("victim", self.site.url, "", source=VICTIM)
        self.wait("the site answers the innocent address", lambda: bool(visitor.attempts), 10)
        visitor.stop()
        errors = [attempt.error for attempt in visitor.attempts if attempt.error]
        self.check(
            "innocent address served", not errors and bool(visitor.attempts), errors[0] if errors else "yes", "yes"
        )
        cut = [node for node in self.site.roles.web if node != self.neighbour and not self._reached_by_peer(node)]
        self.check_none("nodes that drop the peer's packets", cut)

    def _applies_bans(self, node: str) -> bool:
        try:
            self.site.on(node, "sh", "-c", "rm -f /run/ha-wordpress/applied; systemctl start bans-apply.service")
        except ToolError:
            return False
        return True

    def _reached_by_peer(self, node: str) -> bool:
        return self.control.reaches(self.neighbour, node, 80)

    def _run_steps_again(self) -> str:
        """Run the node's steps again by the engine; returns the result, as a mark. A step may refuse PHP's links."""
        try:
            self.site.deployment.replace([f"Command {self.node}-{step}" for step in NODE_STEPS], self.step)
        except DeploymentFailed as error:
            return f"a step fails: {str(error).splitlines()[0]}"
        return "the steps have run"

    def _root_files(self) -> list[str]:
        """Owner, mode and content of the links' targets."""
        return self.site.on(self.node, "sh", "-c", STATE, "sh", *TARGETS).splitlines()

    def _clean(self) -> None:
        """Remove what the attacker left, so that the next fault starts from a clean site."""
        state = f"{self.site.mount}/.ha-wordpress"
        self.site.on(self.node, "sh", "-c", RESTORE, "sh", state)
        nodes = (*self.site.roles.web, *self.site.roles.balancers)

        def forgotten(node: str) -> bool:
            try:
                self.site.on(node, "sh", "-c", FORGET, "sh", state, MALFORMED)
            except ToolError:
                return False
            return True

        # every node, because those that still have the fact give it back to the others
        self.wait("no node has the malformed fact", lambda: False not in [*map(forgotten, nodes)], 30)
        for address in (VICTIM, self.peer):
            self.site.on(self.node, "unban", address)
        self.wait("no node bans an accused address", lambda: not self._banned(), 30)
