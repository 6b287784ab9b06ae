"""The settings that a stack of existing machines adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr, WithJsonSchema

from components.config import settings
from components.config.errors import RawSettings
from components.config.settings import Matches, Name, Range, Settings, json_form


def _address(raw: object) -> IPv4Address:
    try:
        return IPv4Address(str(raw))
    except ValueError as error:
        raise ValueError(f"{raw!r} is not an address; write one such as 192.0.2.10") from error


def _private_key(raw: SecretStr) -> SecretStr:
    if not raw.get_secret_value().startswith("-----BEGIN OPENSSH PRIVATE KEY-----"):
        raise ValueError(
            "is not a private key in OpenSSH's form; set it with: pulumi config set --secret ssh_private_key"
        )
    return raw


Address = Annotated[
    IPv4Address,
    BeforeValidator(_address),
    WithJsonSchema(json_form(r"\d+(\.\d+){3}", "an address; write one such as 192.0.2.10")),
]
LoginUser = Annotated[str, Matches(r"[a-z_][a-z0-9_-]{0,31}", "a login name; write one such as root")]
HostKey = Annotated[
    str,
    Matches(
        r"(ssh-ed25519|ecdsa-sha2-nistp\d+|ssh-rsa) [A-Za-z0-9+/]+=*",
        "a host key; write the type and the key that `ssh-keyscan` prints, without the address",
    ),
]
DiskPath = Annotated[str, Matches(r"/dev/[\w./:-]+", "a disk; write one such as /dev/vdb")]
PrivateKey = Annotated[SecretStr, AfterValidator(_private_key)]


class Node(settings.Node):
    """One existing machine of the site."""

    public: Address
    """Address for SSH and for visitors."""
    private: Address
    """Address on the private network, which carries the storage traffic."""
    user: LoginUser = "root"
    """Login name. The user must be able to become root with sudo, without a password."""
    host_key: HostKey
    """The machine's public SSH host key. A connection to a machine with another key is refused."""
    disk: DiskPath | None = None
    """Spare disk; required on a node that holds a brick. The disk is formatted only if it has no signature."""


class Network(settings.Network):
    """The networks that connect the machines."""

    private: Range
    """Address range of the nodes' private addresses."""
    virtual_ip: Address | None = None
    """Address that the balancers share: an unused address in the network of their public addresses. Required with
    `role: balancer`.
    """


class ExistingSettings(Settings):
    """All settings of a stack of existing machines."""

    nodes: Mapping[Name, Node]
    """The machines by name; required. A node's place in the volume belongs to its name."""
    network: Network
    """The networks that connect the machines."""
    ssh_private_key: PrivateKey
    """Private key that logs in to every node, in OpenSSH's format. Set it with
    `pulumi config set --secret ssh_private_key`.
    """

    @classmethod
    def default_nodes(cls, raw: RawSettings) -> dict[str, dict[str, object]]:
        """No nodes: existing machines have no defaults."""
        return {}

    @classmethod
    def cross_checks(cls, raw: RawSettings) -> Iterator[str]:
        yield from super().cross_checks(raw)
        if raw.value(str, "web") == "wordpress":
            yield "web: wordpress needs a managed database, which existing machines lack; set another web or cloud"
        node_roles, nodes = cls.valid_roles(raw), raw.sections("nodes")
        for name in node_roles.bricks if node_roles else []:
            if not nodes[name].get("disk"):
                yield f"nodes.{name}.disk: is missing, but the node holds a brick; name its spare disk"
        if node_roles and node_roles.balancers and not raw.has("network", "virtual_ip"):
            yield "network.virtual_ip: is missing, but the balancers need a shared address; add it"
        if node_roles and not node_roles.balancers and raw.value(str, "network", "virtual_ip"):
            yield "network.virtual_ip: needs balancers; give two nodes role: balancer, or omit virtual_ip"
