"""The cloud of existing machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.cloud import interface
from components.cloud.existing import packages
from components.cloud.existing.settings import ExistingSettings
from components.machine.remote import RemoteHost, Step
from components.roll.turns import Turn, Turns


class Existing:
    """The site's existing machines; implements `components.cloud.interface.Cloud`."""

    def __init__(self, settings: ExistingSettings, site: interface.SiteSpec, turns: Turns) -> None:
        self.operators: Sequence[str] = []
        self.cidr = pulumi.Output.from_input(str(settings.network.private))
        self.ssh_private_key: pulumi.Output[str] | None = None
        self.nodes: Mapping[str, interface.Node] = {
            name: self._node(name, settings, machine, turns.of(name)) for name, machine in sorted(site.machines.items())
        }
        self.database: interface.Database | None = None
        self.bucket: interface.Bucket | None = None
        self.balancer: interface.Balancer | None = None
        self.virtual_ip: interface.VirtualIp | None = None
        if site.virtual_ip_nodes:
            self.virtual_ip = interface.VirtualIp(
                address=pulumi.Output.from_input(str(settings.network.virtual_ip)),
                peers={name: self.nodes[name].private_address for name in site.virtual_ip_nodes},
                depends_on=[],
                failover=None,
            )

    def _node(
        self, name: str, settings: ExistingSettings, machine: interface.MachineSpec, turn: Turn
    ) -> interface.Node:
        node = settings.nodes[name]
        host = RemoteHost(
            name,
            address=str(node.public),
            user=node.user,
            private_key=pulumi.Output.secret(settings.ssh_private_key.get_secret_value()),
            host_key=pulumi.Output.from_input(node.host_key),
            machine=None,
            reachable=[],
            first=Step("packages", packages.SCRIPT, packages.params(machine.user_data), timeout=900),
            change=turn.change,
            # the machine outlives the stack, whose end needs no program
            lifetime=pulumi.ResourceHookBinding(before_create=turn.lifetime.before_create),
            opts=pulumi.ResourceOptions(),
        )
        return interface.Node(
            name=name,
            zone="",
            host=host,
            private_address=pulumi.Output.from_input(str(node.private)),
            public_address=pulumi.Output.from_input(str(node.public)),
            disk=interface.Disk(node.disk, machine.disk_gb, attached=[]) if node.disk and machine.disk_gb else None,
        )
