"""Amazon: EC2 instances with EBS volumes, RDS, and an application load balancer."""

from __future__ import annotations

from collections.abc import Mapping

from components import cloud
from components.cloud.aws.balancer import Balancer, BalancerArgs
from components.cloud.aws.certificates import database_ca
from components.cloud.aws.database import Database, DatabaseArgs
from components.cloud.aws.login import Login
from components.cloud.aws.network import Network, NetworkArgs
from components.cloud.aws.node import Node, NodeArgs
from components.settings import Settings


class Aws:
    """A site's machines, database and load balancer on Amazon, as `components.cloud.Cloud` describes them."""

    def __init__(self, settings: Settings, service: cloud.Service) -> None:
        self.database_ca = database_ca(settings.region)
        zones = {node.zone for node in settings.nodes.values()}
        network = Network("network", NetworkArgs(settings.network, zones, service))
        login = Login("login")
        nodes = {name: Node(name, NodeArgs(settings, network, login, service)) for name in sorted(settings.nodes)}
        database = Database("database", DatabaseArgs(settings.database, network, settings.protect_data))
        balancer = Balancer("balancer", BalancerArgs(settings.balancer, network, service, nodes))

        self.network = network.cidr
        self.login_key = login.private_key
        self.nodes: Mapping[str, cloud.Node] = {name: node.node for name, node in nodes.items()}
        self.database = database.database
        self.balancer = balancer.balancer
