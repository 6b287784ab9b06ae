"""What a cloud gives, in words that hold for every cloud; each cloud has a package of its own beside this file.

A cloud makes machines, disks, a database and a load balancer, and knows nothing of what runs on them: which ports,
which packages and which health check are told to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.config.settings import PortRange
from components.machine.remote import RemoteHost


@dataclass(frozen=True)
class Ports:
    """TCP ports that something listens on; `purpose` names the rule that opens them."""

    purpose: str
    range: PortRange


@dataclass(frozen=True)
class MachineSpec:
    """What one machine does, as far as a cloud has to know it."""

    user_data: Sequence[str]
    """Parts of cloud-init/ that it is made of."""
    disk_gb: int | None
    """Size of its data disk in GB; None where it has none."""
    balanced: bool
    """The cloud's load balancer sends visitors to it."""
    virtual_ip: bool
    """Visitors connect to it, and it sends them on."""


@dataclass(frozen=True)
class SiteSpec:
    """What the machines run."""

    machines: Mapping[str, MachineSpec]
    """By the node's name."""
    peers: Sequence[Ports]
    """Open from node to node only."""
    neighbours: Sequence[Ports]
    """Open only between the nodes that a cloud's load balancer sends visitors to, where a cloud tells them apart."""
    web_port: int
    """Open from the cloud's load balancer, where it has one."""
    health_path: str
    """What the load balancer asks every node for; 200 means that it may have visitors."""
    database: bool
    """The site needs a database server."""

    @property
    def balanced(self) -> list[str]:
        """The nodes that the cloud's load balancer sends visitors to."""
        return [name for name, machine in self.machines.items() if machine.balanced]

    @property
    def virtual_ip_nodes(self) -> list[str]:
        """The nodes that visitors connect to."""
        return [name for name, machine in self.machines.items() if machine.virtual_ip]


@dataclass(frozen=True)
class Disk:
    """A node's data disk. `path`: a name on the machine that stays; `attached`: it is there once these are made."""

    path: pulumi.Input[str]
    size_gb: int
    attached: Sequence[pulumi.Resource]


@dataclass(frozen=True)
class Node:
    """A machine of ours, in a zone."""

    name: str
    zone: str
    host: RemoteHost
    private_address: pulumi.Output[str]
    public_address: pulumi.Output[str]
    disk: Disk | None


@dataclass(frozen=True)
class Database:
    """A database server with one database, reachable from the nodes over TLS only."""

    address: pulumi.Output[str]
    port: pulumi.Output[int]
    name: str
    user: str
    password: pulumi.Output[str]
    """Secret."""
    ca: pulumi.Output[str]
    """Certificates, as PEM text, that the server's own is signed by."""
    reachable: Sequence[pulumi.Resource]
    """The nodes can connect once these are made."""


@dataclass(frozen=True)
class Balancer:
    """The cloud's load balancer."""

    address: pulumi.Output[str]
    """What visitors connect to: its name in DNS, or its address."""
    https: bool


@dataclass(frozen=True)
class FailoverScript:
    """How an address comes to the node that takes it over.

    `script`: of bash, idempotent, run on the node as root, with its environment from `params` (by the node's name) and
    `secrets` beside them.
    """

    script: str
    params: Mapping[str, Mapping[str, pulumi.Input[str]]]
    secrets: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True)
class VirtualIp:
    """One address that one of several nodes answers at. `failover`: None where a node can take it by itself.

    `peers`: by the node's name, the address that the others watch it at, by VRRP; they can once `depends_on` are made.
    """

    address: pulumi.Output[str]
    peers: Mapping[str, pulumi.Input[str]]
    depends_on: Sequence[pulumi.Resource]
    failover: FailoverScript | None


class Cloud(Protocol):
    """The rented part of a site."""

    cidr: pulumi.Output[str]
    """Address range in CIDR form that the nodes, the database and the load balancer have their private addresses in."""
    ssh_private_key: pulumi.Output[str] | None
    """The private key that logs in to the nodes, in OpenSSH's form, secret; None where the operator has his own."""
    operators: Sequence[str]
    """Address ranges that operators log in from."""
    nodes: Mapping[str, Node]
    database: Database | None
    """None where the service asks for none."""
    balancer: Balancer | None
    """None where the service has no balanced nodes, or the cloud no load balancer."""
    virtual_ip: VirtualIp | None
    """None where the service has no entrances."""
