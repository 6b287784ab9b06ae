"""The drill of Apache servers that served a site before the stack."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import httpx

from components.cloud.existing.settings import ExistingSettings
from components.config.settings import GLUSTERD_PORT, Settings
from rehearsal.drills.base import POWER_LOSS_OF_ALL, REBOOT_OF_ALL, node_loss_name
from rehearsal.drills.existing import ExistingDrill
from rehearsal.probes.base import Probe
from rehearsal.probes.visitors import PAGE_TIMEOUT, PageProbe
from rehearsal.region.capture import Flow

PAGE = "It was here before"
"""A text in the first page of the existing site."""
PUBLIC, PRIVATE = "eth0", "eth1"


class ApacheDrill(ExistingDrill):
    """Faults: loss of a server, of each machine for good, of all servers' power, a reboot of all servers.

    A page written on one server must be served by all. While a server's power is off, a packet capture checks that
    storage traffic stays on the private network.
    """

    @classmethod
    def migration_visitors(cls, settings: Settings) -> Sequence[Probe]:
        assert isinstance(settings, ExistingSettings)
        return [PageProbe(name, f"http://{node.public}/", PAGE) for name, node in sorted(settings.nodes.items())]

    def parts(self) -> Mapping[str, Callable[[], object]]:
        return {
            POWER_LOSS_OF_ALL: self.power_loss_after_up,
            "ports": self.check_site_ports,
            node_loss_name(self.site.nodes[0]): self.captured_node_loss,
            **self.machine_losses_of(*self.site.nodes),
            REBOOT_OF_ALL: self.reboot_all,
        }

    def captured_node_loss(self) -> None:
        """Write a page and lose the first server, while the packets of the others are captured."""
        first, *others = self.site.nodes
        with self.captured(others):
            self.write_page(first)
            self.node_loss(first)

    def visitors(self) -> Sequence[Probe]:
        return self.migration_visitors(self.site.settings)

    def write_page(self, node: str) -> None:
        """Write a page into one server's document root; every server must serve it."""
        name, content = f"rehearsal-{secrets.token_hex(4)}.html", f"<p>{secrets.token_hex(2000)}\n"
        self.site.on(node, "sh", "-c", f'cat >"$1/{name}"', "sh", f"{self.site.mount}/html", stdin=content)
        different = [other for other in self.site.nodes if self.download(other, name) != content]
        self.check(
            "page written on one server, served by all",
            not different,
            f"differs on {', '.join(different)}" if different else "equal bytes",
            "equal bytes",
        )

    def download(self, node: str, name: str) -> str:
        """The body that a server answers with for a file of its document root."""
        return httpx.get(f"http://{self.site.addresses[node]}/{name}", timeout=PAGE_TIMEOUT).text

    @contextmanager
    def captured(self, nodes: Sequence[str]) -> Iterator[None]:
        """Capture packets on both interfaces of these nodes during the block; none of them may lose power."""
        for node in nodes:
            for interface in (PUBLIC, PRIVATE):
                self.control.start_capture(node, interface)
        yield
        public, private = (
            [flow for node in nodes for flow in self.control.stop_capture(node, interface)]
            for interface in (PUBLIC, PRIVATE)
        )
        on_public, on_private = self.storage_packets(public), self.storage_packets(private)
        seen = sum(flow.packets for flow in public)
        self.check(
            "storage packets on the public network",
            not on_public and bool(on_private) and bool(seen),
            f"{on_public:,} of {seen:,} ({on_private:,} private)",
            "0",
        )

    def storage_packets(self, flows: Sequence[Flow]) -> int:
        """The number of packets between two nodes to or from a GlusterFS port.

        Packets of visitors do not count, because a visitor's source port may equal a GlusterFS port.
        """
        addresses = {node[side] for node in self.site.outputs["nodes"].values() for side in ("public", "private")}
        bricks = self.site.settings.gluster.ports
        ports = {GLUSTERD_PORT, *range(bricks.first, bricks.last + 1)}
        return sum(
            flow.packets
            for flow in flows
            if {flow.source, flow.target} <= addresses and {flow.source_port, flow.target_port} & ports
        )
