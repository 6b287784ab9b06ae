"""The drill of a WordPress site whose web nodes also hold the bricks."""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial

from rehearsal import progress
from rehearsal.deploy.deployment import Deployment
from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.attacks.compromised_php import CompromisedPhp
from rehearsal.drills.attacks.deletion import Deletion
from rehearsal.drills.attacks.flood_past_cache import FloodPastCache
from rehearsal.drills.attacks.killed_services import KilledServices
from rehearsal.drills.attacks.new_stack import NewStack
from rehearsal.drills.attacks.temporary_names import TemporaryNames
from rehearsal.drills.attacks.third_party_page import ThirdPartyPage
from rehearsal.drills.availability import Availability
from rehearsal.drills.base import PAGE_OUTAGE, POWER_LOSS_OF_ALL, REBOOT_OF_ALL, Drill
from rehearsal.drills.fault_window import FaultWindow
from rehearsal.drills.flood.clients import UNCACHED_COOKIE
from rehearsal.drills.flood.scenario import Flood
from rehearsal.drills.https import https_checks
from rehearsal.drills.reachability import OPERATOR, STRANGER, PortCheck
from rehearsal.drills.upgrade import UpgradeResult, WaitingUpgrade
from rehearsal.drills.xml_rpc import call
from rehearsal.probes.agents.browser import BrowserTask
from rehearsal.probes.base import Probe
from rehearsal.probes.visitors import PageProbe
from rehearsal.project import PROJECT
from rehearsal.region.control import RegionControl
from rehearsal.system.shell import ToolError, run

DATABASE_OUTAGE = 120.0
"""Seconds that a failover may take (Amazon RDS user guide, "Multi-AZ DB instance failover")."""
DATABASE_PORT = {"aws": 3306, "digitalocean": 25060}
PAGE = 'content="WordPress'
"""A text in every page of a working site, and in no error page."""
ATTACKS: tuple[type[Attack], ...] = (FloodPastCache, CompromisedPhp, ThirdPartyPage, TemporaryNames)
"""The attacks beside the flood and the kills, in order."""
MACHINE_CHANGE = "machines change one after another"
TIMEOUT = "ReadTimeout"
"""The error of a page that takes too long, as it may while a node boots on a host with few processors."""
UPGRADE = "upgrade"
UPGRADE_AFTER = 180.0
"""Seconds from the change of the settings until the timers fire, within which `up` and the preparation must end."""
UPGRADE_LIMIT = 900.0
"""Seconds that the upgrades and reboots of all nodes may take."""
OTHER_TYPE = "t3.medium"
"""A type of machine that the stack does not have before."""
SERVICES = ("php*-fpm.service", "nginx.service", "varnish.service", "rsyslog.service", "fail2ban.service")
"""Units of a web node. The name of PHP's has its version."""


class WordPressDrill(Drill):
    """Faults: attacks, loss of a node and of a machine, a database failover, a reboot and a power loss of all nodes."""

    def __init__(self, deployment: Deployment, control: RegionControl) -> None:
        super().__init__(deployment, control)
        self.database_port = DATABASE_PORT[self.site.settings.cloud]
        self.bucket = ""
        """The bucket of the backups, which outlives the stack; empty before there are any."""

    @property
    def directory(self) -> str:
        return f"{self.site.mount}/wp-content/uploads/rehearsal"

    def parts(self) -> Mapping[str, Callable[[], object]]:
        return {
            POWER_LOSS_OF_ALL: self.power_loss_after_up,
            "ports": self.check_site_ports,
            "HTTPS": self.check_https,
            "upload": self.upload_everywhere,
            "post": self.post_everywhere,
            "flood": self.flood,
            **self.attacks(),
            **self.node_losses(),
            **self.machine_losses(),
            **self.machine_changes(),
            UPGRADE: self.upgrade,
            "the database fails over": self.database_failover,
            Deletion.name: self.delete_and_restore,
            REBOOT_OF_ALL: self.reboot_all,
            NewStack.name: self.new_stack,
            "refused destroy": self.refused_destroy,
        }

    def attacks(self) -> Mapping[str, Callable[[], object]]:
        """The attacks on the site by name; each is a fault of the report."""
        attacks = {attack.name: partial(self.attack, attack(self.site)) for attack in ATTACKS}
        return {**attacks, KilledServices.name: self.kill_services}

    def kill_services(self) -> None:
        """Kill each service of a web node; it must return by itself."""
        node = self.site.roles.web[0]
        services = [(node, service) for service in SERVICES]
        self.attack(KilledServices(self.site, services, self.visitors))

    def node_losses(self) -> Mapping[str, Callable[[], object]]:
        """The losses of single nodes by name."""
        return self.losses_of(self.site.nodes[0])

    def machine_losses(self) -> Mapping[str, Callable[[], object]]:
        """The losses of single nodes for good by name."""
        return self.machine_losses_of(*self.site.nodes)

    def machine_changes(self) -> Mapping[str, Callable[[], object]]:
        """The changes of several machines by name."""
        if self.site.settings.cloud != "aws":
            return {}
        return self.change_of(*self.site.nodes, to={"machine.type": OTHER_TYPE})

    def change_of(self, *nodes: str, to: Mapping[str, str]) -> Mapping[str, Callable[[], object]]:
        """The change of these nodes' machines by these settings, as part of a drill."""
        return {MACHINE_CHANGE: partial(self.change_machines, nodes, to)}

    def change_machines(self, nodes: Sequence[str], settings: Mapping[str, str]) -> None:
        """Change nodes' machines in one `up`; one after another leaves the balancer, changes and returns."""
        with self.fault_window(MACHINE_CHANGE) as window:
            availability = Availability(self.site)
            window.begin(time.time(), "pulumi up begins")
            for key, value in settings.items():
                self.deployment.set(f"{PROJECT}:{key}", value)
            with availability.watched():
                window.up_seconds = self.deployment.up(window.step).seconds
            window.mark("pulumi up has ended")
            window.end([probe for probe in window.probes if probe.kind == "page"])
            window.stop()
            window.measure_heal()
            changes = self.deployment.up(window.step).changes
            result = self.conclude(window)
        self.check_turns(window, availability, nodes)
        self.check(
            "resources changed by a second up", not changes, ", ".join(changes) or "0", "0", fault=MACHINE_CHANGE
        )
        self.check_outage(result, "page outage", result.page_outage_seconds, PAGE_OUTAGE)

    def upgrade(self) -> None:
        """Let the timers of all nodes fire at once, while an upgrade and a reboot wait on each."""
        at = datetime.fromtimestamp(round(time.time() + UPGRADE_AFTER), UTC)
        with progress.step("pulumi up, with maintenance") as step:
            self.deployment.set(f"{PROJECT}:maintenance.at", f"{at:%F %T} UTC")
            self.deployment.up(step)
            upgrades = [WaitingUpgrade(self.site, node) for node in self.site.nodes]
        with self.fault_window(UPGRADE) as window:
            availability = Availability(self.site)
            window.wait("the timers fire", lambda: time.time() >= at.timestamp(), UPGRADE_AFTER)
            window.begin(at.timestamp(), "the timers fire")
            with availability.watched():
                window.wait(
                    "all nodes have rebooted",
                    lambda: all(upgrade.rebooted() for upgrade in upgrades),
                    UPGRADE_LIMIT,
                    every=1.0,
                )
            site_seconds = time.time() - window.since
            window.mark("all nodes have rebooted")
            window.end([probe for probe in window.probes if probe.kind == "page"])
            window.stop()
            window.measure_heal()
            changes = self.deployment.up(window.step).changes
            result = UpgradeResult(**dict(window.result()), site_seconds=site_seconds)
        self.faults.append(result)
        self.check_writes(window, result)
        self.check_turns(window, availability, self.site.nodes)
        done = sum(upgrade.rebooted() and upgrade.installed() for upgrade in upgrades)
        self.check(
            "nodes that rebooted with the newer package",
            done == len(upgrades),
            f"{done} of {len(upgrades)}",
            f"{len(upgrades)} of {len(upgrades)}",
            fault=UPGRADE,
        )
        self.check("resources changed by a second up", not changes, ", ".join(changes) or "0", "0", fault=UPGRADE)
        self.check_outage(result, "page outage", result.page_outage_seconds, PAGE_OUTAGE)

    def check_turns(self, window: FaultWindow, availability: Availability, nodes: Sequence[str]) -> None:
        """Check that these nodes were out of service one after another, and that no page was refused meanwhile."""
        pages = [probe for probe in window.probes if probe.kind == "page"]
        attempts = [attempt for probe in pages for attempt in probe.attempts if attempt.start >= window.since]
        refused = sum(attempt.error not in (None, TIMEOUT) for attempt in attempts)
        self.check("pages refused", refused == 0, f"{refused:,} of {len(attempts):,}", "0", fault=window.name)
        out = {node for nodes_out in availability.seen for node in nodes_out}
        self.check(
            "nodes out of service at once",
            len(availability.most) == 1 and out == {*nodes},
            " and ".join(sorted(availability.most)) if len(availability.most) > 1 else f"1, {len(out)} in turn",
            f"1, {len(nodes)} in turn",
            fault=window.name,
        )

    def visitors(self) -> Sequence[Probe]:
        return [
            PageProbe("visitor", self.site.url, PAGE),
            PageProbe("visitor past the cache", self.site.url, PAGE, cookie=UNCACHED_COOKIE),
        ]

    def check_site_ports(self) -> None:
        first, second, *_ = self.site.nodes
        public, database = self.site.addresses[first], self.database_port
        self.check_ports(
            inner=[
                PortCheck("balancer", first, 80, True), PortCheck("balancer", first, 22, False),
                PortCheck("balancer", first, 24007, False), PortCheck("balancer", "database", database, False),
                PortCheck(second, first, 24007, True), PortCheck(second, first, 22, False),
                PortCheck(second, "database", database, True),
            ],
            outer=[
                PortCheck(OPERATOR, public, 22, True), PortCheck(OPERATOR, public, 80, False),
                PortCheck(OPERATOR, public, 24007, False), PortCheck(STRANGER, public, 22, False),
                PortCheck(STRANGER, public, 80, False), PortCheck(STRANGER, public, 24007, False),
            ],
        )  # fmt: skip

    def check_https(self) -> None:
        """Check the certificate, the redirect and the headers of a site that speaks HTTPS."""
        if self.site.url.startswith("https:"):
            with progress.step("Checking the certificate"):
                self.checks += https_checks(self.site)

    def upload_everywhere(self) -> None:
        """Upload a file through the first web node; every other node must serve the same bytes."""
        first, *others = self.site.roles.web
        with progress.step(f"Uploading through {first}, reading back from {' and '.join(others)}"):
            path, digest = self.upload(first)
            different = [node for node in others if self.download_digest(node, path) != digest]
        self.check(
            "upload on every node",
            not different,
            f"differs on {', '.join(different)}" if different else "equal bytes",
            "equal bytes",
        )

    def post_everywhere(self) -> None:
        """Write a post in a browser from outside; the first page of every node must link to it."""
        title = f"Written in a browser {secrets.token_hex(4)}"
        task = BrowserTask(
            chromium=[*self.control.chroot_prefix(), "chromium"],
            url=self.site.url,
            nodes=[self.control.address(node) for node in self.site.roles.web],
            user=self.site.outputs["admin_user"],
            password=self.site.outputs["admin_password"],
            title=title,
            text=f"The text of {title}.",
        )
        with progress.step("Writing a post in a browser, reading it on every node"):
            try:
                browse([], "write", task)
                browse(self.control.netns_prefix("balancer"), "read", task)
                # purges the caches for this post now, so that no later purge falls into the flood
                self.site.on(self.site.roles.web[0], "systemctl", "start", "wordpress-cron.service")
                failure = ""
            except ToolError as error:
                failure = str(error).splitlines()[-1]
        self.check("browser's post on every node", not failure, failure or "yes", "yes")

    def flood(self) -> None:
        """Let many addresses guess passwords; all other visitors must be served."""
        self.attack(Flood(self.site, PAGE))

    def delete_and_restore(self) -> None:
        """Let an attacker delete the site's files and tables, and restore them."""
        self.ensure_backups()
        self.attack(Deletion(self.site, self.directory, PAGE))

    def new_stack(self) -> None:
        """Destroy the stack, and begin a new one with its last backup."""
        self.ensure_backups()
        self.attack(NewStack(self.site, self.directory, PAGE, self.left_in_cloud))

    def ensure_backups(self) -> None:
        """Give the site backups, unless an earlier part has."""
        if self.bucket:
            return
        with progress.step("pulumi up, with backup") as step:
            self.deployment.set(f"{PROJECT}:backup.at", "daily")
            self.deployment.set(f"{PROJECT}:backup_password", secrets.token_hex(20), secret=True)
            url = self.deployment.up(step).outputs["backups"]
        self.bucket = url.rsplit("/", 1)[-1]
        self.stand_ins.append(f"object storage at {url}: versitygw, an S3 server")

    def outlives(self, resource_id: str) -> bool:
        return bool(self.bucket) and resource_id.split(",", maxsplit=1)[0] == self.bucket

    def destroy(self) -> None:
        super().destroy()
        if self.bucket:
            kept = self.bucket in self.control.resource_ids()
            self.check("backups after destroy", kept, "kept" if kept else "deleted", "kept")

    def database_failover(self) -> None:
        """Cut the power of the database's active host; its standby must take over."""
        with self.fault_window("the database fails over") as window:
            window.begin(self.control.fail_over_database(), "the active host loses power")
            back = time.time()
            window.wait(
                "every client is served again", lambda: all(probe.succeeded_since(back) for probe in window.probes)
            )
            window.end(window.probes)
            result = self.conclude(window)
        self.check_outage(result, "page outage", result.page_outage_seconds, DATABASE_OUTAGE)

    def upload(self, node: str) -> tuple[str, str]:
        """Upload a file through one node's WordPress by XML-RPC; returns the path of its URL and its SHA-256."""
        content = secrets.token_bytes(500_000)
        file = {
            "name": f"rehearsal-{secrets.token_hex(4)}.zip",
            "type": "application/zip",
            "bits": xmlrpc.client.Binary(content),
        }
        url: str = call(self.site, node, "wp.uploadFile", file, before=(0,))["url"]
        return "/" + url.split("/", 3)[3], hashlib.sha256(content).hexdigest()

    def download_digest(self, node: str, path: str) -> str:
        """The SHA-256 of the body that a node serves for a path."""
        return self.site.on(
            node, "sh", "-c", 'curl --silent --fail --max-time 30 "http://127.0.0.1$1" | sha256sum', "sh", path
        ).split()[0]


def browse(netns_prefix: Sequence[str], action: str, task: BrowserTask) -> None:
    """Run the browser agent; `action`: `write` or `read`. Raises `ToolError` when the browser does not succeed.

    `netns_prefix`: the command prefix that selects the browser's network; empty: this namespace, outside the region.
    """
    run(
        *netns_prefix,
        sys.executable,
        "-m",
        "rehearsal.probes.agents.browser",
        action,
        stdin=json.dumps(asdict(task)),
        timeout=180,
    )
