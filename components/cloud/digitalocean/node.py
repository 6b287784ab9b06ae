"""A node on DigitalOcean: a droplet, and a block-storage volume where it has work for one."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_digitalocean as digitalocean
import pulumi_tls as tls

from components.cloud import interface
from components.cloud.digitalocean.network import Network
from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.cloud.digitalocean.ssh_key import SshKey
from components.machine.remote import RemoteHost
from components.machine.user_data import render

USER = "root"
"""That DigitalOcean's images let in."""


@dataclass(frozen=True)
class NodeArgs:
    """`machine`: what the droplet is made of, whether it needs a data disk, and who may reach it."""

    settings: DigitalOceanSettings
    network: Network
    ssh_key: SshKey
    machine: interface.MachineSpec


class Node(pulumi.ComponentResource):
    """A droplet (with its host key and first step `ready`), and a data disk that outlives it (volume, attachment)."""

    def __init__(self, name: str, args: NodeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:digitalocean:Node", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        settings, network = args.settings, args.network

        key = tls.PrivateKey(f"{name}-host-key", algorithm="ED25519", opts=self._child)
        public_key = key.public_key_openssh.apply(str.strip)
        # a secret, as the key in it is one
        user_data = pulumi.Output.all(key.private_key_openssh, public_key).apply(
            lambda keys: render(args.machine.user_data, *keys)
        )
        self.droplet = digitalocean.Droplet(
            name,
            name=name,
            image=settings.machine.image,
            size=settings.nodes[name].size or settings.machine.size,
            region=settings.region,
            vpc_uuid=network.vpc,
            ssh_keys=[args.ssh_key.fingerprint],
            user_data=user_data,
            # what clients have written and not yet sent gets its time
            graceful_shutdown=True,
            tags=network.tags_for(args.machine),
            opts=pulumi.ResourceOptions(
                parent=self,
                # it is behind its firewalls from its first moment
                depends_on=network.firewalls,
                # The data disk can be on one machine only, so the old one goes first.
                delete_before_replace=True,
                # A new image would replace every node at once, and so would new user data; both are for the first
                # boot only. `pulumi up --target-replace` takes them to one node at a time.
                ignore_changes=["image", "user_data"],
            ),
        )
        disk = self._disk(f"{name}-data", args, args.machine.disk_gb) if args.machine.disk_gb else None
        host = RemoteHost(
            name,
            address=self.droplet.ipv4_address,
            user=USER,
            private_key=args.ssh_key.private_key,
            host_key=public_key,
            machine=self.droplet,
            reachable=network.firewalls,
            opts=self._child,
        )
        self.node = interface.Node(
            name=name,
            # droplets have none below the region
            zone=settings.region,
            host=host,
            private_address=self.droplet.ipv4_address_private,
            public_address=self.droplet.ipv4_address,
            disk=disk,
        )
        self.register_outputs(
            {"private_address": self.droplet.ipv4_address_private, "public_address": self.droplet.ipv4_address}
        )

    def _disk(self, name: str, args: NodeArgs, size_gb: int) -> interface.Disk:
        protect = args.settings.protect_data
        volume = digitalocean.Volume(
            # Without a name of ours: names are unique in a region, and a disk that an earlier life of the stack has
            # left keeps its own. The tag says whose it is.
            name,
            region=args.settings.region,
            size=size_gb,
            tags=[args.network.tags["site"]],
            opts=pulumi.ResourceOptions(parent=self, protect=protect, retain_on_delete=protect),
        )
        attachment = digitalocean.VolumeAttachment(
            name,
            droplet_id=self.droplet.id.apply(int),
            volume_id=volume.id,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        path = volume.name.apply(lambda given: f"/dev/disk/by-id/scsi-0DO_Volume_{given}")
        return interface.Disk(path=path, size_gb=size_gb, attached=[attachment])
