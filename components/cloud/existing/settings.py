"""The settings of machines that exist already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

from components.config import settings
from components.config.errors import RawSettings
from components.config.settings import Name, Range, Section, Settings, matching


def _address(raw: object) -> IPv4Address:
    try:
        return IPv4Address(str(raw))
    except ValueError as error:
        raise ValueError(f"{raw!r} is not an address; write one such as 192.0.2.10") from error


def _private_key(raw: SecretStr) -> SecretStr:
    if not raw.get_secret_value().startswith("-----BEGIN OPENSSH PRIVATE KEY-----"):
        raise ValueError("is not a private key in OpenSSH's form; set it: pulumi config set --secret ssh_private_key")
    return raw


Address = Annotated[IPv4Address, BeforeValidator(_address)]
LoginUser = Annotated[str, matching(r"[a-z_][a-z0-9_-]{0,31}", "a login name; write one such as root")]
HostKey = Annotated[
    str,
    matching(
        r"(ssh-ed25519|ecdsa-sha2-nistp\d+|ssh-rsa) [A-Za-z0-9+/]+=*",
        "a host key; write the type and the key that `ssh-keyscan` prints, without the address",
    ),
]
DiskPath = Annotated[str, matching(r"/dev/[\w./:-]+", "a disk; write one such as /dev/vdb")]
PrivateKey = Annotated[SecretStr, AfterValidator(_private_key)]


class Node(settings.Node):
    """One machine of the site, as it stands."""

    public: Address
    """Where SSH answers, and visitors are let in."""
    private: Address
    """What the other nodes reach it by: storage traffic stays on this network."""
    user: LoginUser = "root"
    """To log in as; may become root by sudo without a password."""
    host_key: HostKey
    """The machine's own public SSH key: whoever answers with another is not talked to."""
    disk: DiskPath | None = None
    """The spare disk of a node that holds a brick. Only one without any signature is formatted."""


class Network(Section):
    """The networks that the machines are on."""

    private: Range
    """Address range of the nodes' private addresses."""
    virtual_ip: Address | None = None
    """The address that the balancers share; a free one of the network of their public addresses."""


class ExistingSettings(Settings):
    """All settings of a stack of machines that exist already."""

    nodes: Mapping[Name, Node]
    network: Network
    ssh_private_key: PrivateKey
    """That logs in to every node, in OpenSSH's form; a secret."""

    @classmethod
    def default_nodes(cls, raw: RawSettings) -> dict[str, dict[str, object]]:
        """None: nobody else can know them."""
        return {}

    @classmethod
    def cross_checks(cls, raw: RawSettings) -> Iterator[str]:
        yield from super().cross_checks(raw)
        if raw.value(str, "web") == "wordpress":
            yield "web: wordpress needs a managed database, and machines that exist have none; set another web or cloud"
        node_roles, nodes = cls.known_roles(raw), raw.sections("nodes")
        for name in node_roles.bricks if node_roles else []:
            if not nodes[name].get("disk"):
                yield f"nodes.{name}.disk: is missing, and the node holds a brick; name its spare disk"
        if node_roles and node_roles.balancers and not raw.has("network", "virtual_ip"):
            yield "network.virtual_ip: is missing, and the balancers need one to share; add it"
        if node_roles and not node_roles.balancers and raw.value(str, "network", "virtual_ip"):
            yield "network.virtual_ip: is given, but no node has role: balancer; name two, or leave it out"
