"""What a cloud gives, in words that hold for every cloud; each cloud has a package of its own beside this file.

A cloud makes machines, disks, a database and a load balancer, and knows nothing of what runs on them: which ports,
which packages and which health check are told to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.remote import RemoteHost
from components.settings import PortRange


@dataclass(frozen=True)
class Ports:
    """TCP ports that something listens on; `purpose` names the rule that opens them."""

    purpose: str
    range: PortRange


@dataclass(frozen=True)
class Service:
    """What the machines run, as far as a cloud has to know it."""

    peers: Sequence[Ports]
    """Open from node to node only."""
    web_port: int
    """Open from the load balancer only."""
    health_path: str
    """What the load balancer asks every node for; 200 means that it may have visitors."""
    disk_gb: int
    """Size of each node's data disk in GB."""
    user_data: Sequence[str]
    """Parts of cloud-init/ that a node is made of."""


@dataclass(frozen=True)
class Node:
    """A machine of ours with a data disk, in a zone."""

    name: str
    zone: str
    host: RemoteHost
    private_address: pulumi.Output[str]
    public_address: pulumi.Output[str]
    disk: pulumi.Output[str]
    """Path of the data disk on the machine, under a name that stays."""
    disk_attached: pulumi.Resource
    """The disk is there once this is made."""


@dataclass(frozen=True)
class Database:
    """A database server with one database, reachable from the nodes over TLS only."""

    address: pulumi.Output[str]
    port: pulumi.Output[int]
    name: str
    user: str
    password: pulumi.Output[str]
    """Secret."""
    reachable: Sequence[pulumi.Resource]
    """The nodes can connect once these are made."""


@dataclass(frozen=True)
class Balancer:
    """What visitors connect to."""

    address: pulumi.Output[str]
    """Its name in DNS."""
    https: bool


class Cloud(Protocol):
    """The rented part of a site."""

    network: pulumi.Output[str]
    """Address range in CIDR form that the nodes, the database and the load balancer have their private addresses in."""
    database_ca: str
    """Certificates, as PEM text, that the database's own is signed by."""
    login_key: pulumi.Output[str]
    """The private key that logs in to the nodes, in OpenSSH's form; secret."""
    nodes: Mapping[str, Node]
    database: Database
    balancer: Balancer
