"""A node on DigitalOcean: a droplet, and a block-storage volume if the node holds a brick."""

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
from components.roll.turns import Turn

USER = "root"
"""Login user of DigitalOcean's images."""


@dataclass(frozen=True)
class NodeArgs:
    """`machine`: user data, disk size and role of this node. `turn`: its turn to be changed."""

    settings: DigitalOceanSettings
    network: Network
    ssh_key: SshKey
    machine: interface.MachineSpec
    turn: Turn


class Node(pulumi.ComponentResource):
    """A droplet, and a data disk that survives it (droplet, host key, volume, attachment, first step)."""

    def __init__(self, name: str, args: NodeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:digitalocean:Node", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        settings, network = args.settings, args.network
        volume = self._volume(f"{name}-data", args, args.machine.disk_gb) if args.machine.disk_gb else None

        key = tls.PrivateKey(f"{name}-host-key", algorithm="ED25519", opts=self._child)
        public_key = key.public_key_openssh.apply(str.strip)
        # secret, because it contains the private host key
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
            # leaves GlusterFS clients time to send their last writes
            graceful_shutdown=True,
            # a larger disk could not become smaller again
            resize_disk=False,
            tags=network.tags_for(args.machine),
            opts=pulumi.ResourceOptions(
                parent=self,
                # The firewalls exist before the droplet, so that it is never unprotected. The volume is deleted after
                # it, because DigitalOcean refuses to delete one that is attached.
                depends_on=[*network.firewalls, *([volume] if volume else [])],
                # a data disk can be attached to one machine only, so the old machine has to release it first
                delete_before_replace=True,
                # A new image or new user data would replace all nodes at once. Both matter only at first boot;
                # `pulumi up --replace` applies them to one node at a time.
                ignore_changes=["image", "user_data"],
                hooks=args.turn.machine("ipv4Address"),
                # the default of a minute includes the shutdown
                custom_timeouts=pulumi.CustomTimeouts(delete="10m"),
            ),
        )
        host = RemoteHost(
            name,
            address=self.droplet.ipv4_address,
            user=USER,
            private_key=args.ssh_key.private_key,
            host_key=public_key,
            machine=self.droplet,
            reachable=network.firewalls,
            change=args.turn.change,
            lifetime=args.turn.lifetime,
            opts=self._child,
        )
        self.node = interface.Node(
            name=name,
            # DigitalOcean has no zones within a region
            zone=settings.region,
            host=host,
            private_address=self.droplet.ipv4_address_private,
            public_address=self.droplet.ipv4_address,
            disk=self._disk(f"{name}-data", volume, args.machine.disk_gb) if volume and args.machine.disk_gb else None,
        )
        self.register_outputs(
            {"private_address": self.droplet.ipv4_address_private, "public_address": self.droplet.ipv4_address}
        )

    def _volume(self, name: str, args: NodeArgs, size_gb: int) -> digitalocean.Volume:
        protect = args.settings.protect_data
        return digitalocean.Volume(
            # The provider generates the volume's name. A fixed name could clash with a disk that an earlier stack of
            # this name left behind, because names are unique in a region. The tag shows which stack owns the disk.
            name,
            region=args.settings.region,
            size=size_gb,
            tags=[args.network.tags["site"]],
            opts=pulumi.ResourceOptions(parent=self, protect=protect, retain_on_delete=protect),
        )

    def _disk(self, name: str, volume: digitalocean.Volume, size_gb: int) -> interface.Disk:
        attachment = digitalocean.VolumeAttachment(
            name,
            droplet_id=self.droplet.id.apply(int),
            volume_id=volume.id,
            # A deleted droplet shuts down, which writes its data, before the provider detaches its disk. The engine
            # would detach the disk while the droplet runs.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True, retain_on_delete=True),
        )
        path = volume.name.apply(lambda generated: f"/dev/disk/by-id/scsi-0DO_Volume_{generated}")
        return interface.Disk(path=path, size_gb=size_gb, attached=[attachment])
