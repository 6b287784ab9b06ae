"""The drill of Apache servers that had a site before the stack."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

from components.cloud.existing.settings import ExistingSettings
from components.config.settings import GLUSTERD_PORT, Settings
from rehearsal.drills.existing import ExistingDrill
from rehearsal.probes.base import PAGE_TIMEOUT, PageProbe, Probe
from rehearsal.region.capture import Flow

PAGE = "It was here before"
"""In the first page of the site that the machines are handed over with."""
PUBLIC, PRIVATE = "eth0", "eth1"


class ApacheDrill(ExistingDrill):
    """A page written on one server is served by all; one server is lost; all of them reboot.

    Meanwhile every packet is looked at: storage traffic stays on the private network.
    """

    @classmethod
    def before(cls, settings: Settings) -> Sequence[Probe]:
        assert isinstance(settings, ExistingSettings)
        return [PageProbe(name, f"http://{node.public}/", PAGE) for name, node in sorted(settings.nodes.items())]

    def run(self) -> None:
        first, *others = self.site.nodes
        with self.captured(others):
            self.write_a_page(first)
            self.node_loss(first)
        self.reboot_all()

    def visitors(self) -> Sequence[Probe]:
        return self.before(self.site.settings)

    def write_a_page(self, node: str) -> None:
        """What is written into one server's document root is there for the visitors of each."""
        name, content = f"rehearsal-{secrets.token_hex(4)}.html", f"<p>{secrets.token_hex(2000)}\n"
        self.site.on(node, "sh", "-c", f'cat >"$1/{name}"', "sh", f"{self.site.mount}/html", stdin=content)
        wrong = [other for other in self.site.nodes if self.download(other, name) != content]
        self.check(
            "a page written on one server is served by all",
            not wrong,
            f"differs on {', '.join(wrong)}" if wrong else "equal in bytes",
            "equal in bytes",
        )

    def download(self, node: str, name: str) -> str:
        """What a visitor gets from one of the servers."""
        return httpx.get(f"http://{self.site.addresses[node]}/{name}", timeout=PAGE_TIMEOUT).text

    @contextmanager
    def captured(self, nodes: Sequence[str]) -> Iterator[None]:
        """Note the packets on both interfaces of these nodes, which have to keep their power meanwhile."""
        for node in nodes:
            for interface in (PUBLIC, PRIVATE):
                self.control.start_capture(node, interface)
        yield
        public, private = (
            [flow for node in nodes for flow in self.control.stop_capture(node, interface)]
            for interface in (PUBLIC, PRIVATE)
        )
        wrong, right = self.storage_packets(public), self.storage_packets(private)
        seen = sum(flow.packets for flow in public)
        self.check(
            "no storage traffic on the public side",
            not wrong and bool(right) and bool(seen),
            f"{wrong} of {seen:,} packets, {right:,} on the private side",
            "0",
        )

    def storage_packets(self, flows: Sequence[Flow]) -> int:
        """Those between nodes, to or from a port of GlusterFS; a visitor may come from any port."""
        addresses = {node[side] for node in self.site.outputs["nodes"].values() for side in ("public", "private")}
        bricks = self.site.settings.gluster.ports
        ports = {GLUSTERD_PORT, *range(bricks.first, bricks.last + 1)}
        return sum(
            flow.packets
            for flow in flows
            if {flow.source, flow.target} <= addresses and {flow.source_port, flow.target_port} & ports
        )
