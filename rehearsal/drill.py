"""The drill of a WordPress site on Gluster: what is taken away, in which order, and what was promised of it."""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
import time
import xml.etree.ElementTree as ElementTree
import xmlrpc.client
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from rehearsal import progress
from rehearsal.deployment import Deployment, DeploymentFailed
from rehearsal.lab import OutsideAddresses
from rehearsal.probes import FileProbe, PageProbe, Probe, worst
from rehearsal.project import PROJECT
from rehearsal.region import Faults
from rehearsal.report import Fault, Mark, Promise
from rehearsal.shell import ToolError, run

WRITE_OUTAGE = 8.0
PAGE_OUTAGE = 12.0
"""Seconds: what a node's loss may cost writes, and pages through the balancer."""
DATABASE_OUTAGE = 120.0
"""Seconds: what Amazon says a failover may take (RDS user guide, "Multi-AZ DB instance failover")."""
RETURN_LIMIT = 120.0
HEAL_LIMIT = 180.0
ASK = ("curl", "--silent", "--fail", "--max-time", "5", "--output", "/dev/null")
PAGE = 'content="WordPress'
"""In every page of a site that works, and in none of those that say why it does not."""
VERIFY_SCRIPT = (Path(__file__).parent / "probe_verify.py").read_text()


OPERATOR, STRANGER = "", OutsideAddresses.stranger.split("/")[0]
"""Addresses to knock from: the operator's own, and one that no security group lets in."""


def reaches(source: str, address: str, port: int) -> bool:
    """Whether a TCP connection comes about from one of this side's addresses."""
    try:
        socket.create_connection((address, port), timeout=2, source_address=(source, 0)).close()
    except OSError:
        return False
    return True


class Site:
    """The deployed site under test: how to reach its nodes, its files and its pages."""

    def __init__(self, deployment: Deployment, faults: Faults) -> None:
        outputs = deployment.outputs()
        self.faults = faults
        self.url: str = outputs["url"]
        self.nodes = sorted(outputs["nodes"])
        self.addresses = {name: node["public"] for name, node in outputs["nodes"].items()}
        self.admin = (outputs["admin_user"], outputs["admin_password"])
        mount = self.on(
            self.nodes[0], "findmnt", "--noheadings", "--types=fuse.glusterfs", "--output=TARGET,SOURCE"
        ).split()
        self.docroot, self.volume = mount[0], mount[1].split(":")[1].strip("/")

    def on(self, node: str, *command: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Run a command on a node, as root, past its network."""
        return run(*self.faults.entering(node), *command, stdin=stdin, timeout=timeout)

    def healthy(self, node: str) -> bool:
        """Whether the node itself answers the balancer's question."""
        try:
            self.on(node, *ASK, "http://127.0.0.1/healthz", timeout=10)
        except (ToolError, LookupError, ProcessLookupError):
            return False
        return True

    def pending_heals(self) -> int | None:
        """Entries that some brick still owes another; None when a brick does not answer, which is not 0."""
        try:
            text = self.on(
                self.nodes[-1], "gluster", "--mode=script", "--xml", "volume", "heal", self.volume, "info", "summary"
            )
        except (ToolError, LookupError, ProcessLookupError):
            return None
        bricks = ElementTree.fromstring(text).findall(".//brick")
        counts = [brick.findtext("totalNumberOfEntries", "-") for brick in bricks]
        if any(brick.findtext("status") != "Connected" for brick in bricks) or not all(
            count.isdigit() for count in counts
        ):
            return None
        return sum(int(count) for count in counts)

    def upload(self, node: str, name: str, content: bytes) -> str:
        """Upload a file through one node's WordPress, by its own interface; returns the path of its URL."""
        user, password = self.admin
        call = xmlrpc.client.dumps(
            (0, user, password, {"name": name, "type": "application/zip", "bits": xmlrpc.client.Binary(content)}),
            "wp.uploadFile",
        )
        answer = self.on(
            node, "curl", "--silent", "--show-error", "--fail", "--max-time", "60",
            "--header", "Content-Type: text/xml", "--data-binary", "@-", "http://127.0.0.1/xmlrpc.php", stdin=call,
        )  # fmt: skip
        ((stored,), _) = xmlrpc.client.loads(answer)
        url: str = stored["url"]  # type: ignore[index,call-overload]
        return "/" + url.split("/", 3)[3]

    def download_digest(self, node: str, path: str) -> str:
        """The SHA-256 of what a node serves under a path."""
        return self.on(
            node, "sh", "-c", 'curl --silent --fail --max-time 30 "http://127.0.0.1$1" | sha256sum', "sh", path
        ).split()[0]


class Drill:
    """Breaks a site step by step and keeps what it saw."""

    def __init__(self, deployment: Deployment, faults: Faults) -> None:
        self.site = Site(deployment, faults)
        self.deployment, self.faults = deployment, faults
        self.found: list[Fault] = []
        self.promises: list[Promise] = []

    def run(self) -> None:
        """All that leaves the site standing."""
        self.doors()
        self.upload()
        self.node_loss(self.site.nodes[0])
        self.database_failover()
        self.reboot_all()

    def promise(self, name: str, held: bool, measured: str, bar: str) -> None:
        self.promises.append(Promise(name=name, held=held, measured=measured, bar=bar))

    def doors(self) -> None:
        """Every port with something behind it is open to those who need it, and closed to all others."""
        first, second, *_ = self.site.nodes
        public = self.site.addresses[first]
        inner = [
            ("balancer", first, 80, True), ("balancer", first, 22, False), ("balancer", first, 24007, False),
            ("balancer", "database", 3306, False),
            (second, first, 24007, True), (second, first, 22, False), (second, "database", 3306, True),
        ]  # fmt: skip
        outer = [
            (OPERATOR, public, 22, True), (OPERATOR, public, 80, False), (OPERATOR, public, 24007, False),
            (STRANGER, public, 22, False), (STRANGER, public, 80, False), (STRANGER, public, 24007, False),
        ]  # fmt: skip
        with progress.step("Knocking on every door"), ThreadPoolExecutor() as pool:
            found = [
                *pool.map(lambda door: self.faults.reaches(*door[:3]), inner),
                *pool.map(lambda door: reaches(*door[:3]), outer),
            ]
        wrong = [
            f"{source or 'operator'} to {target}:{port} is {'open' if is_open else 'closed'}"
            for (source, target, port, wanted), is_open in zip([*inner, *outer], found, strict=True)
            if is_open != wanted
        ]
        self.promise(
            "ports are open to those who need them and closed to others",
            not wrong,
            "; ".join(wrong) or "as they should be",
            "all",
        )

    def upload(self) -> None:
        """A file uploaded through the first node is the same on every other."""
        first, *others = self.site.nodes
        with progress.step(f"Uploading through {first}, reading back from {' and '.join(others)}"):
            content = secrets.token_bytes(500_000)
            path = self.site.upload(first, f"rehearsal-{secrets.token_hex(4)}.zip", content)
            wrong = [
                node for node in others if self.site.download_digest(node, path) != hashlib.sha256(content).hexdigest()
            ]
        self.promise(
            "an upload is the same on every node",
            not wrong,
            f"differs on {', '.join(wrong)}" if wrong else "equal in bytes",
            "equal in bytes",
        )

    def node_loss(self, node: str) -> None:
        """One node loses power, stays away until the others serve again, and returns."""
        with self.watching(f"{node} loses power") as watch:
            watch.begin(self.faults.power_off(node), f"{node} loses power")
            survivors = [probe for probe in watch.probes if probe.name != node]
            watch.wait(
                "everyone is served again",
                lambda: all(probe.succeeded_since(watch.since + PAGE_OUTAGE) for probe in survivors),
            )
            watch.end(survivors)
            self.faults.power_on(node)
            watch.mark(f"{node} has power again")
            watch.wait(f"{node} serves again", lambda: self.site.healthy(node))
            serves = self.site.healthy(node)
            watch.mark(f"{node} serves again" if serves else f"{node} does not serve")
            watch.stop()
            watch.heal()
        fault = self.found[-1]
        self.promise(
            f"{node} serves again when it has power", serves, "it does" if serves else "it does not", "it does"
        )
        self.expect("writes", fault.write_outage_seconds, WRITE_OUTAGE)
        self.expect("reads", fault.read_outage_seconds, WRITE_OUTAGE)
        self.expect("pages", fault.page_outage_seconds, PAGE_OUTAGE)

    def database_failover(self) -> None:
        """The database's active host loses power."""
        with self.watching("the database fails over") as watch:
            watch.begin(self.faults.fail_over_database(), "the active host loses power")
            back = time.time()
            watch.wait("everyone is served again", lambda: all(probe.succeeded_since(back) for probe in watch.probes))
            watch.end(watch.probes)
        self.expect("pages", self.found[-1].page_outage_seconds, DATABASE_OUTAGE)

    def reboot_all(self) -> None:
        """All nodes reboot together; nobody logs in, and the site comes back."""
        with self.watching("all nodes reboot at once") as watch:
            watch.begin(time.time(), "all nodes reboot")
            for node in self.site.nodes:
                self.faults.reboot(node)
            watch.wait("the site is down", lambda: not any(map(self.site.healthy, self.site.nodes)))
            watch.wait("the site is back", lambda: all(map(self.site.healthy, self.site.nodes)))
            watch.mark("every node serves again")
            back = time.time()
            visitors = [probe for probe in watch.probes if probe.kind == "page"]
            watch.wait("visitors are served again", lambda: all(probe.succeeded_since(back) for probe in visitors))
            watch.end(visitors)
            watch.stop()
            watch.heal()
        self.expect("pages", self.found[-1].page_outage_seconds, RETURN_LIMIT)

    def refused_destroy(self) -> None:
        """While data is protected, `destroy` does not get it."""
        with progress.step("Asking for a destroy, which has to be refused") as shown:
            try:
                self.deployment.destroy(shown)
                refused = False
            except DeploymentFailed as error:
                refused = "protect" in str(error)
        alive = all(map(self.site.healthy, self.site.nodes))
        self.promise(
            "destroy is refused while data is protected",
            refused and alive,
            "refused" if refused else "not refused",
            "refused",
        )

    def way_down(self) -> None:
        """The operator's own way down: unprotect in the settings, `up`, `destroy`."""
        with progress.step("Unprotecting the data, then destroying") as shown:
            self.deployment.set(f"{PROJECT}:protect_data", "false")
            self.deployment.up(shown)
            self.deployment.destroy(shown)
            left = [*self.faults.left_over(), *self.faults.machines()]
        self.promise("destroy leaves nothing in the cloud", not left, ", ".join(left) or "nothing", "nothing")

    def expect(self, what: str, seconds: float | None, bar: float) -> None:
        measured = "not measured" if seconds is None else f"{seconds:.1f} s"
        self.promise(
            f"{self.found[-1].name}: {what}", seconds is not None and seconds <= bar, measured, f"at most {bar:.0f} s"
        )

    @contextmanager
    def watching(self, name: str) -> Iterator[Watch]:
        """Have clients at work before, during and after a fault; afterwards look for every acknowledged write."""
        with progress.step(f"Fault: {name}") as shown:
            watch = Watch(self.site, shown)
            try:
                yield watch
            finally:
                watch.stop()
            fault = watch.result(name)
        self.found.append(fault)
        self.promise(
            f"{name}: acknowledged writes lost",
            fault.lost_acknowledged_writes == 0 and bool(fault.acknowledged_writes),
            f"{fault.lost_acknowledged_writes} of {fault.acknowledged_writes}",
            "0",
        )
        if watch.healed is not None:
            self.promise(
                f"{name}: every brick healed",
                watch.healed,
                f"after {fault.heal_seconds:.1f} s",
                f"within {HEAL_LIMIT:.0f} s",
            )


class Watch:
    """The clients of one fault and what happened to them."""

    def __init__(self, site: Site, shown: progress.Step) -> None:
        self.site, self._shown = site, shown
        self.directory = f"{site.docroot}/wp-content/uploads/rehearsal"
        self.probes: list[Probe] = [PageProbe(f"visitor {number}", site.url, PAGE) for number in (1, 2)]
        for node in site.nodes:
            entering = site.faults.entering(node)
            self.probes.append(FileProbe("read", node, entering, self.directory))
            self.probes.append(FileProbe("write", node, entering, self.directory))
        self.marks: list[tuple[float, str]] = []
        self.since = self.until = time.time()
        self.heal_seconds: float | None = None
        self.healed: bool | None = None
        self._counted: list[Probe] = []
        self.wait("every client is served", lambda: all(probe.succeeded_since(0) for probe in self.probes))

    def begin(self, moment: float, text: str) -> None:
        self.since = moment
        self.marks.append((moment, text))

    def mark(self, text: str) -> None:
        self.marks.append((time.time(), text))

    def end(self, counted: list[Probe]) -> None:
        """The outage is over: what these clients saw until now is the measure."""
        self.until, self._counted = time.time(), counted

    def wait(self, what: str, happened: Callable[[], bool], limit: float = RETURN_LIMIT) -> None:
        """Wait for something to happen; what never does is cut off at `limit` seconds and shows in the figures."""
        self._shown.detail(f"until {what}")
        end = time.monotonic() + limit
        while not happened() and time.monotonic() < end:
            time.sleep(0.1)

    def heal(self) -> None:
        begun = time.time()
        self.wait("nothing is pending on any brick", lambda: self.site.pending_heals() == 0, HEAL_LIMIT)
        self.heal_seconds, self.healed = time.time() - begun, self.site.pending_heals() == 0
        self.mark("healed" if self.healed else "not healed")

    def stop(self) -> None:
        for probe in self.probes:
            probe.stop()

    def lost(self, written: dict[str, list[int]]) -> int:
        """How many acknowledged writes some node no longer has, byte for byte."""
        missing: set[tuple[str, int]] = set()
        for node in self.site.nodes:
            answer = self.site.on(
                node, "python3", "-c", VERIFY_SCRIPT, self.directory, stdin=json.dumps(written), timeout=120
            )
            missing |= {(writer, number) for writer, numbers in json.loads(answer).items() for number in numbers}
        return len(missing)

    def result(self, name: str) -> Fault:
        written = {probe.writer: probe.acknowledged for probe in self.probes if isinstance(probe, FileProbe)}
        outage = {kind: worst(self._counted, kind, self.since, self.until) for kind in ("read", "write", "page")}
        return Fault(
            name=name,
            read_outage_seconds=outage["read"],
            write_outage_seconds=outage["write"],
            page_outage_seconds=outage["page"],
            acknowledged_writes=sum(map(len, written.values())),
            lost_acknowledged_writes=self.lost(written),
            heal_seconds=self.heal_seconds,
            marks=[Mark(at=at - self.since, text=text) for at, text in self.marks],
            timeline=[probe.lane(self.since) for probe in self.probes],
        )
