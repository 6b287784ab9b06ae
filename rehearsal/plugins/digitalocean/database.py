"""Managed MySQL: a MariaDB pair behind one name in the VPC."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from rehearsal.plugins.digitalocean import firewall
from rehearsal.plugins.digitalocean.network import Vpc
from rehearsal.plugins.digitalocean.resource_type import (
    DatabaseSize,
    DigitalOceanResourceType,
    InputModel,
    Properties,
    Refused,
    RegionSlug,
    Tag,
    matching,
)
from rehearsal.region.database import Account, DatabaseSpec
from rehearsal.region.endpoint import Endpoint
from rehearsal.region.firewall import Group, Rule

CA = "digitalocean:index/getDatabaseCa:getDatabaseCa"
PORT = 25060
SETTINGS = {
    "require_secure_transport": "1",
    # MySQL calls it sql_require_primary_key, which DigitalOcean sets
    "innodb_force_primary_key": "1",
}
NO_STANDBY = "db-s-1vcpu-1gb"
"""The size of which a cluster has one node only."""

Identifier = Annotated[str, matching(r"[a-zA-Z0-9_-]{1,63}", "a name: letters, digits, _ and - only")]


class MaintenanceWindow(InputModel):
    day: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    hour: str


class DatabaseClusterInputs(InputModel):
    name: Annotated[str, matching(r"[a-z][a-z0-9-]{2,62}", "a cluster's name: a-z, 0-9 and - only")]
    engine: Literal["mysql"]
    version: Literal["8"]
    size: DatabaseSize
    region: RegionSlug
    node_count: Annotated[int, Field(ge=1, le=3)]
    private_network_uuid: str
    maintenance_windows: list[MaintenanceWindow] = []
    tags: list[Tag] = []


class DatabaseCluster(DigitalOceanResourceType[DatabaseClusterInputs]):
    """A database cluster: MariaDB, reachable at `private_host` only; nothing listens at `host`."""

    token = "digitalocean:index/databaseCluster:DatabaseCluster"
    replaces = frozenset({"name", "engine", "privateNetworkUuid"})
    in_place = frozenset({"tags", "maintenance_windows"})
    computed = frozenset(
        {"clusterUrn", "database", "host", "password", "port", "privateHost", "privateUri", "uri", "user"}
    )
    may_outlive = frozenset({
        "digitalocean:index/databaseDb:DatabaseDb", "digitalocean:index/databaseUser:DatabaseUser",
        "digitalocean:index/databaseFirewall:DatabaseFirewall",
    })  # fmt: skip

    def on_create(self, resource_id: str, inputs: DatabaseClusterInputs) -> Properties:
        vpc = self.inputs_of(Vpc, inputs.private_network_uuid)
        if vpc.region != inputs.region:
            raise Refused(f"{self.token}: 422 the VPC {vpc.name} is in {vpc.region}, {inputs.name} in {inputs.region}")
        if inputs.node_count > 1 and inputs.size == NO_STANDBY:
            raise Refused(f"{self.token}: 422 {NO_STANDBY} has no standby nodes")
        groups = (firewall.OPEN,)
        endpoints = [
            Endpoint(f"db{letter}-{resource_id[:8]}", (self.region.network.new_port("eth0", vpc.ip_range, groups),))
            for letter in "abc"[: inputs.node_count]
        ]
        host = f"{inputs.name}-do-user-4126873-0.c.db.ondigitalocean.com"
        account = Account("defaultdb", "doadmin", new_password())
        self.region.new_database(
            resource_id,
            DatabaseSpec(name=f"private-{host}", endpoints=endpoints, port=PORT, account=account, variables=SETTINGS),
        )
        uri = f"mysql://{account.user}:{account.password}@{{}}:{PORT}/{account.database}?ssl-mode=REQUIRED"
        return {
            "clusterUrn": f"do:dbaas:{resource_id}", "database": account.database, "host": host,
            "password": account.password, "port": PORT, "privateHost": f"private-{host}",
            "privateUri": uri.format(f"private-{host}"), "uri": uri.format(host), "user": account.user,
        }  # fmt: skip

    def on_delete(self, resource_id: str, inputs: DatabaseClusterInputs) -> None:
        self.region.databases.pop(resource_id).destroy()

    def ca(self, arguments: Properties) -> Properties:
        """The certificates of the authority that signed the cluster's own, as PEM text."""
        cluster = arguments["clusterId"]
        if cluster not in self.region.databases:
            raise Refused(f"{CA}: 404 there is no cluster {cluster}")
        return {"clusterId": cluster, "id": cluster, "certificate": self.region.ca.certificate}


class ClusterPartInputs(InputModel):
    cluster_id: str
    name: Identifier


PartT = TypeVar("PartT", bound=ClusterPartInputs)


class ClusterPart(DigitalOceanResourceType[PartT]):
    """A part of a cluster: the cluster's deletion deletes it too."""

    unique = False
    kept_in: str

    def new_id(self, inputs: PartT) -> str:
        return f"{inputs.cluster_id}/{self.kept_in}/{inputs.name}"

    def execute(self, inputs: PartT, statement: str) -> None:
        if inputs.cluster_id in self.region.databases:
            self.region.databases[inputs.cluster_id].execute(statement)


class DatabaseDb(ClusterPart[ClusterPartInputs]):
    token = "digitalocean:index/databaseDb:DatabaseDb"
    kept_in = "database"
    replaces = frozenset({"clusterId", "name"})

    def on_create(self, resource_id: str, inputs: ClusterPartInputs) -> Properties:
        self.execute(inputs, f"CREATE DATABASE `{inputs.name}`;")
        return {}

    def on_delete(self, resource_id: str, inputs: ClusterPartInputs) -> None:
        self.execute(inputs, f"DROP DATABASE `{inputs.name}`;")


class DatabaseUserInputs(ClusterPartInputs):
    name: Annotated[Identifier, Field(max_length=32)]
    mysql_auth_plugin: Literal["mysql_native_password", "caching_sha2_password"] = "caching_sha2_password"


class DatabaseUser(ClusterPart[DatabaseUserInputs]):
    """A user with the administrator's rights, as new users have there. MariaDB supports one authentication plugin."""

    token = "digitalocean:index/databaseUser:DatabaseUser"
    kept_in = "user"
    replaces = frozenset({"clusterId", "name"})
    in_place = frozenset({"mysql_auth_plugin"})
    computed = frozenset({"accessCert", "accessKey", "password", "role"})

    def on_create(self, resource_id: str, inputs: DatabaseUserInputs) -> Properties:
        password = new_password()
        self.execute(
            inputs,
            f"CREATE USER '{inputs.name}'@'%' IDENTIFIED BY '{password}';"
            f"GRANT ALL ON *.* TO '{inputs.name}'@'%' WITH GRANT OPTION;",
        )
        return {"accessCert": "", "accessKey": "", "password": password, "role": "normal"}

    def on_delete(self, resource_id: str, inputs: DatabaseUserInputs) -> None:
        self.execute(inputs, f"DROP USER '{inputs.name}'@'%';")


class TrustedSource(InputModel):
    type: Literal["ip_addr", "droplet", "tag"]
    value: str

    @property
    def side(self) -> firewall.Side:
        return firewall.Side(
            [self.value] if self.type == "ip_addr" else [],
            [self.value] if self.type == "tag" else [],
            [int(self.value)] if self.type == "droplet" else [],
            [],
        )


class DatabaseFirewallInputs(InputModel):
    cluster_id: str
    rules: list[TrustedSource]


class DatabaseFirewall(DigitalOceanResourceType[DatabaseFirewallInputs]):
    """The trusted sources of a cluster; a cluster without this resource accepts every source."""

    token = "digitalocean:index/databaseFirewall:DatabaseFirewall"
    auto_name = None
    unique = False
    replaces = frozenset({"clusterId"})
    in_place = frozenset({"rules"})

    def check(self, inputs: Properties) -> Iterator[tuple[str, str]]:
        for rule in inputs["rules"] if isinstance(inputs.get("rules"), list) else []:
            if isinstance(rule, dict) and rule.get("type") == "droplet" and not str(rule.get("value")).isdigit():
                yield "rules", f"{self.token}: {rule.get('value')} is not the id of a droplet"

    def new_id(self, inputs: DatabaseFirewallInputs) -> str:
        return f"{inputs.cluster_id}-{secrets.token_hex(13)}"

    def on_create(self, resource_id: str, inputs: DatabaseFirewallInputs) -> Properties:
        self.trust(inputs)
        return {}

    def on_update(self, resource_id: str, old: DatabaseFirewallInputs, new: DatabaseFirewallInputs) -> Properties:
        self.trust(new)
        return {}

    def on_delete(self, resource_id: str, inputs: DatabaseFirewallInputs) -> None:
        self.put(inputs.cluster_id, firewall.OPEN)

    def trust(self, inputs: DatabaseFirewallInputs) -> None:
        firewall.require_tags(self.region, self.token, [tag for rule in inputs.rules for tag in rule.side.tags])
        peers = [peer for rule in inputs.rules for peer in rule.side.peers()]
        group = Group({str(peer): Rule("tcp", PORT, PORT, peer) for peer in peers})
        firewall.name_peers(self.region.network.groups, group)
        self.region.network.groups[f"database:{inputs.cluster_id}"] = group
        self.put(inputs.cluster_id, f"database:{inputs.cluster_id}")

    def put(self, cluster: str, group: str) -> None:
        database = self.region.databases.get(cluster)
        for endpoint in database.endpoints if database else []:
            self.region.network.put_in_groups(endpoint, (group,))


def new_password() -> str:
    return "AVNS_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(19))


RESOURCE_TYPES = [DatabaseCluster, DatabaseDb, DatabaseUser, DatabaseFirewall]
