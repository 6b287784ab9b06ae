"""The protocol between clouds and the software of a site; each cloud has a package beside this file.

A cloud creates machines, disks, a database and a load balancer. It knows nothing of the software on them: a SiteSpec
lists the ports, the packages and the health check that the software needs.
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
    """TCP ports of one service.

    `purpose`: its name, which the firewall rule gets too. `root_only`: whether all of its clients are root's processes.
    `refused_user`: numeric id of a user whose processes are none of its clients.
    """

    purpose: str
    range: PortRange
    root_only: bool = False
    refused_user: int | None = None


@dataclass(frozen=True)
class MachineSpec:
    """Requirements of one machine: user data, disk, and a place behind a load balancer or virtual IP."""

    user_data: Sequence[str]
    """Parts of cloud-init/ for its first boot."""
    disk_gb: int | None
    """Size of its data disk in GB; None for a machine without one."""
    balanced: bool
    """Whether the cloud's load balancer sends visitors to it."""
    virtual_ip: bool
    """Whether it can hold the virtual IP that visitors connect to."""
    bucket: bool
    """Whether it reads and writes the site's bucket."""


@dataclass(frozen=True)
class SiteSpec:
    """Requirements of the whole site: machines, open ports, health check, database."""

    machines: Mapping[str, MachineSpec]
    """The machines, by the node's name."""
    peers: Sequence[Ports]
    """Ports open from node to node only."""
    balanced_peers: Sequence[Ports]
    """Ports open between the balanced nodes only. A cloud whose firewall cannot select these nodes opens the ports
    between all nodes.
    """
    web_port: int
    """Port open from the cloud's load balancer, if there is one."""
    health_path: str
    """Path of the health check: a node that answers 200 gets visitors."""
    database: bool
    """Whether the site needs a database server."""
    domain: str | None
    """Domain name that visitors use; None: they use the load balancer's or the virtual IP's address."""

    @property
    def balanced(self) -> list[str]:
        """Names of the nodes that the cloud's load balancer sends visitors to."""
        return [name for name, machine in self.machines.items() if machine.balanced]

    def internal_ports(self, name: str) -> list[Ports]:
        """A node's ports that only the site's machines may connect to: without the one that its visitors use."""
        machine = self.machines[name]
        visited = machine.balanced or machine.virtual_ip
        return [
            ports
            for ports in (*self.peers, *self.balanced_peers)
            if not (visited and ports.range.first <= self.web_port <= ports.range.last)
        ]

    @property
    def needs_bucket(self) -> bool:
        """Whether the site needs a bucket."""
        return any(machine.bucket for machine in self.machines.values())

    @property
    def virtual_ip_nodes(self) -> list[str]:
        """Names of the nodes that can hold the virtual IP."""
        return [name for name, machine in self.machines.items() if machine.virtual_ip]


@dataclass(frozen=True)
class Disk:
    """A node's data disk.

    `path`: a device name that stays the same after a reboot. `attached`: resources to wait for before using the disk.
    """

    path: pulumi.Input[str]
    size_gb: int
    attached: Sequence[pulumi.Resource]


@dataclass(frozen=True)
class Node:
    """A machine of the site."""

    name: str
    zone: str
    """Availability zone; the region on a cloud without zones; empty for an existing machine."""
    host: RemoteHost
    private_address: pulumi.Output[str]
    public_address: pulumi.Output[str]
    disk: Disk | None


@dataclass(frozen=True)
class Database:
    """A database server with one database. The nodes reach it over TLS only."""

    address: pulumi.Output[str]
    port: pulumi.Output[int]
    name: str
    user: str
    password: pulumi.Output[str]
    """Password of `user`, secret."""
    administrator: bool
    """Whether `user` has every right on the server. The site then gets a user with rights on its database only."""
    ca: pulumi.Output[str]
    """Certificates that sign the server's certificate, as PEM text."""
    reachable: Sequence[pulumi.Resource]
    """Resources to wait for before connecting."""


@dataclass(frozen=True)
class AccessKey:
    """An access key of object storage. `secret`: a secret."""

    id: pulumi.Input[str]
    secret: pulumi.Input[str]


@dataclass(frozen=True)
class Bucket:
    """A bucket in object storage, which the nodes reach by the protocol of S3."""

    url: pulumi.Output[str]
    """Address of the service, a slash and the bucket's name, such as https://nyc3.digitaloceanspaces.com/backups."""
    access_key: AccessKey | None
    """Key with rights on the bucket; None if a node gets one from its cloud's metadata service."""
    usable: Sequence[pulumi.Resource]
    """Resources to wait for before using it."""
    access_delay: int = 0
    """Seconds until the service knows a right that it has just been given."""


@dataclass(frozen=True)
class Balancer:
    """The cloud's load balancer."""

    address: pulumi.Output[str]
    """DNS name or IP address that visitors connect to."""
    https: bool
    """Whether it has a certificate, so that visitors use HTTPS."""
    record: str | None
    """Type of the DNS record that leads from the site's domain to `address`; None if the stack makes that record."""


@dataclass(frozen=True)
class FailoverScript:
    """A script that moves the virtual IP to the node that runs it.

    `script`: text of an idempotent bash script, run as root. `params`: its environment, by the node's name. `secrets`:
    variables that are the same on every node and must stay secret.
    """

    script: str
    params: Mapping[str, Mapping[str, pulumi.Input[str]]]
    secrets: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True)
class VirtualIp:
    """An address that one of several nodes holds at a time.

    `peers`: address of each node for VRRP, by the node's name. `depends_on`: resources to wait for before VRRP can
    reach these addresses. `failover`: moves the address to a node; None if a node can take it without the cloud.
    `record`: as of `Balancer`. `tunnel_port`: UDP port of the tunnel that carries VRRP between the nodes' private
    addresses; None without a tunnel.
    """

    address: pulumi.Output[str]
    peers: Mapping[str, pulumi.Input[str]]
    depends_on: Sequence[pulumi.Resource]
    failover: FailoverScript | None
    record: str | None = "A"
    tunnel_port: int | None = None


class Cloud(Protocol):
    """The machines and services of a site, created in one cloud."""

    cidr: pulumi.Output[str]
    """Range of the private addresses of the nodes, the database and the load balancer, in CIDR notation."""
    ssh_private_key: pulumi.Output[str] | None
    """Private key that logs in to the nodes, in OpenSSH's format, secret; None if the operator supplied the key."""
    operators: Sequence[str]
    """Address ranges of the operators, in CIDR notation."""
    nodes: Mapping[str, Node]
    database: Database | None
    """None for a site without a database."""
    bucket: Bucket | None
    """None for a site whose machines use none."""
    balancer: Balancer | None
    """None if the site has no balanced nodes, or the cloud has no load balancer."""
    virtual_ip: VirtualIp | None
    """None if the site has no balancers of its own."""
