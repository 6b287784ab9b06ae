"""The drill of a WordPress site with storage nodes apart from its web nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from rehearsal.drills.base import node_loss_name
from rehearsal.drills.reachability import OPERATOR, STRANGER, PortCheck
from rehearsal.drills.wordpress import WordPressDrill

OTHER_SIZE = "s-2vcpu-4gb"
"""A size of droplet that the stack does not have before."""


class StorageDrill(WordPressDrill):
    """The faults of a WordPress site, with the loss of each storage node and of a web node."""

    def node_losses(self) -> Mapping[str, Callable[[], object]]:
        first, *others = self.site.roles.bricks
        return {
            node_loss_name(first): partial(self.node_loss_with_upload, first),
            **self.losses_of(*others, self.site.roles.web[0]),
        }

    def machine_losses(self) -> Mapping[str, Callable[[], object]]:
        return self.machine_losses_of(*self.site.roles.bricks, self.site.roles.web[0])

    def machine_changes(self) -> Mapping[str, Callable[[], object]]:
        web = self.site.roles.web
        return self.change_of(*web, to={f"nodes.{node}.size": OTHER_SIZE for node in web})

    def check_site_ports(self) -> None:
        storage, other, *_ = self.site.roles.bricks
        web = self.site.roles.web[0]
        database = self.database_port
        at_storage, at_web = self.site.addresses[storage], self.site.addresses[web]
        self.check_ports(
            inner=[
                PortCheck("balancer", web, 80, True), PortCheck("balancer", web, 22, False),
                PortCheck("balancer", storage, 80, False), PortCheck(web, storage, 24007, True),
                PortCheck(web, storage, 22, False), PortCheck(web, "database", database, True),
                PortCheck(other, storage, 24007, True), PortCheck(storage, web, 80, False),
            ],
            outer=[
                PortCheck(OPERATOR, at_storage, 22, True), PortCheck(OPERATOR, at_storage, 24007, False),
                PortCheck(OPERATOR, at_web, 22, True), PortCheck(OPERATOR, at_web, 80, False),
                PortCheck(STRANGER, at_storage, 22, False), PortCheck(STRANGER, at_storage, 24007, False),
                PortCheck(STRANGER, at_web, 22, False), PortCheck(STRANGER, at_web, 80, False),
            ],
        )  # fmt: skip

    def node_loss_with_upload(self, node: str) -> None:
        """Upload a file while a storage node is off; after the heal, its brick must hold the same bytes."""
        uploads: list[tuple[str, str]] = []
        result = self.node_loss(node, while_off=lambda: uploads.append(self.upload(self.site.roles.web[0])))
        ((path, digest),) = uploads
        in_brick = self.site.on(node, "sha256sum", f"{self.site.brick(node)}{path}").split()[0]
        self.check(
            "brick's copy of a file uploaded while it was off",
            in_brick == digest,
            "equal bytes" if in_brick == digest else "differs",
            "equal bytes",
            fault=result.name,
        )
