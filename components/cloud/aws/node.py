"""A node on Amazon: an EC2 instance with an elastic IP, and an EBS volume in the same zone."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pulumi
import pulumi_tls as tls
from pulumi_aws import ebs, ec2

from components.cloud import interface
from components.cloud.aws.bucket import Bucket
from components.cloud.aws.network import Network, virtual_ip_address
from components.cloud.aws.settings import BURSTABLE, AwsSettings
from components.cloud.aws.ssh_key import SshKey
from components.cloud.aws.virtual_ip import VirtualIp
from components.machine.remote import RemoteHost
from components.machine.user_data import render
from components.roll.turns import Turn

DEBIAN = "136693071363"
"""Debian's account on Amazon, the owner of its images (wiki.debian.org/Cloud/AmazonEC2Image)."""

USER = "admin"
"""Login user of Debian's images."""


@dataclass(frozen=True)
class NodeArgs:
    """`virtual_ip`, `bucket`: the site's, if it has them. `architecture`: Debian's name of that of the instance
    type. `machine`: user data, disk size and role of this node. `turn`: its turn to be changed.
    """

    settings: AwsSettings
    network: Network
    ssh_key: SshKey
    virtual_ip: VirtualIp | None
    bucket: Bucket | None
    architecture: str
    machine: interface.MachineSpec
    turn: Turn


class Node(pulumi.ComponentResource):
    """An instance with an address and a data disk that survive it (instance, host key, elastic IP, volume, first step).

    The elastic IP replaces the public address that the instance boots with, so that a stop and a start outside Pulumi
    keep the address that the steps connect to. The first address stays in the settings: the machine fetches packages
    before the elastic IP is associated, and without it Amazon would replace the instance.
    """

    def __init__(self, name: str, args: NodeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:aws:Node", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings, network = args.settings, args.network
        zone = settings.nodes[name].zone
        tags = {"Name": name, "Stack": pulumi.get_stack()}

        key = tls.PrivateKey(f"{name}-host-key", algorithm="ED25519", opts=child)
        public_key = key.public_key_openssh.apply(str.strip)
        virtual_ip = args.virtual_ip if args.machine.virtual_ip else None
        # an instance has one role, and no balancer uses the bucket
        role = virtual_ip.role if virtual_ip else args.bucket.role if args.bucket and args.machine.bucket else None
        parts = [*args.machine.user_data, "elastic-ip"] if virtual_ip else args.machine.user_data
        # secret, because it contains the private host key
        user_data = pulumi.Output.all(key.private_key_openssh, public_key).apply(
            lambda keys: base64.b64encode(render(parts, *keys).encode()).decode()
        )
        machine_type = settings.machine_type(name)
        image = settings.machine.image or newest_debian(args.architecture, self)
        instance = ec2.Instance(
            name,
            ami=image,
            instance_type=machine_type,
            credit_specification=(
                ec2.InstanceCreditSpecificationArgs(cpu_credits=settings.machine.cpu_credits)
                if machine_type.startswith(BURSTABLE)
                else None
            ),
            subnet_id=network.subnets[zone],
            vpc_security_group_ids=[network.node_group.id, *([network.virtual_ip_group.id] if virtual_ip else [])],
            secondary_private_ips=[virtual_ip_address(settings.network.cidr, zone)] if virtual_ip else None,
            iam_instance_profile=role.profile if role else None,
            associate_public_ip_address=True,
            key_name=args.ssh_key.key_name,
            user_data_base64=user_data,
            metadata_options=ec2.InstanceMetadataOptionsArgs(http_endpoint="enabled", http_tokens="required"),
            root_block_device=ec2.InstanceRootBlockDeviceArgs(
                encrypted=True, volume_type="gp3", volume_size=settings.machine.root_gb, tags=tags
            ),
            tags=tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*network.egress[zone], *(role.permissions if role else [])],
                # a data disk can be attached to one machine only, so the old machine has to release it first
                delete_before_replace=True,
                # A new image would replace all nodes at once, and new user data would stop all nodes at once. Both
                # matter only at first boot; `pulumi up --replace` applies them to one node at a time.
                ignore_changes=["ami", "user_data_base64"],
                hooks=args.turn.machine(),
            ),
        )
        address = ec2.Eip(name, domain="vpc", tags=tags, opts=child)
        association = ec2.EipAssociation(name, allocation_id=address.allocation_id, instance_id=instance.id, opts=child)
        host = RemoteHost(
            name,
            address=address.public_ip,
            user=USER,
            private_key=args.ssh_key.private_key,
            host_key=public_key,
            machine=instance,
            reachable=[association, *network.node_rules],
            change=args.turn.change,
            lifetime=args.turn.lifetime,
            opts=child,
        )
        self.instance = instance
        self.node = interface.Node(
            name=name,
            zone=zone,
            host=host,
            private_address=instance.private_ip,
            public_address=address.public_ip,
            disk=self._disk(name, settings, args.machine.disk_gb, tags) if args.machine.disk_gb else None,
        )
        self.register_outputs({"private_address": instance.private_ip, "public_address": address.public_ip})

    def _disk(self, name: str, settings: AwsSettings, size_gb: int, tags: dict[str, str]) -> interface.Disk:
        volume = ebs.Volume(
            f"{name}-data",
            availability_zone=settings.nodes[name].zone,
            size=size_gb,
            type="gp3",
            encrypted=True,
            final_snapshot=True,
            tags={**tags, "Name": f"{name}-data"},
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=settings.protect_data,
                retain_on_delete=settings.protect_data,
                # the default of ten minutes includes the snapshot (terraform-provider-aws, ebs_volume.go)
                custom_timeouts=pulumi.CustomTimeouts(delete="2h"),
            ),
        )
        attachment = ec2.VolumeAttachment(
            f"{name}-data",
            device_name="/dev/xvdf",
            instance_id=self.instance.id,
            volume_id=volume.id,
            # A terminated instance shuts down, which writes its data, before EC2 detaches its disk. The engine would
            # detach the disk while the instance runs.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True, retain_on_delete=True),
        )
        # Nitro's device names end in the volume's id without its hyphen
        path = volume.id.apply(lambda id_: f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{id_.replace('-', '')}")
        return interface.Disk(path, size_gb, [attachment])


def newest_debian(architecture: str, parent: pulumi.Resource) -> pulumi.Output[str]:
    """The id of the newest Debian 13 image for an architecture."""
    return ec2.get_ami_output(
        owners=[DEBIAN],
        most_recent=True,
        filters=[ec2.GetAmiFilterArgs(name="name", values=[f"debian-13-{architecture}-*"])],
        opts=pulumi.InvokeOutputOptions(parent=parent),
    ).id
