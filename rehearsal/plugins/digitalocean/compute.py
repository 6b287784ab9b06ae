"""SSH keys, droplets and block-storage volumes: machines and disks of the rehearsal."""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import secrets
from typing import Annotated, Literal

from pydantic import Field

from rehearsal.plugins.digitalocean import balancer, firewall
from rehearsal.plugins.digitalocean.network import Vpc
from rehearsal.plugins.digitalocean.resource_type import (
    DigitalOceanResourceType,
    DropletSize,
    InputModel,
    Name,
    Properties,
    Refused,
    RegionSlug,
    Tag,
    matching,
    now,
)
from rehearsal.region.machine import Attachment

USER_DATA_LIMIT = 64 << 10
"""Bytes of user data (API reference, "Create a New Droplet")."""
VOLUMES = 15
"""Number of volumes of one droplet (API reference, "Initiate A Block Storage Action")."""
GONE = "404 The resource you were accessing could not be found."
ROOT_LOGS_IN = b"#cloud-config\ndisable_root: false\n"
"""DigitalOcean's vendor data for Debian's image: root logs in with the SSH keys."""


class SshKeyInputs(InputModel):
    name: str
    public_key: str


class SshKey(DigitalOceanResourceType[SshKeyInputs]):
    token = "digitalocean:index/sshKey:SshKey"
    unique = False
    replaces = frozenset({"publicKey"})
    in_place = frozenset({"name"})
    computed = frozenset({"fingerprint"})
    may_outlive = frozenset({"digitalocean:index/droplet:Droplet"})
    numbers = itertools.count(43512007)

    def new_id(self, inputs: SshKeyInputs) -> str:
        return str(next(self.numbers))

    def on_create(self, resource_id: str, inputs: SshKeyInputs) -> Properties:
        own = fingerprint(inputs.public_key)
        if any(fingerprint(other.public_key) == own for other in self.existing(SshKey).values()):
            raise Refused(f"{self.token}: 422 SSH Key is already in use on your account")
        return {"fingerprint": own}


def fingerprint(public_key: str) -> str:
    """The MD5 fingerprint of a key, by which the API identifies it. Raises `Refused` for a text that is no key."""
    try:
        _, key, *_ = public_key.split()
        digest = hashlib.md5(base64.b64decode(key, validate=True), usedforsecurity=False).digest()
    except (ValueError, binascii.Error) as error:
        raise Refused(f"422 Key invalid, key should be of the format `type key [comment]`: {public_key}") from error
    return digest.hex(":")


class DropletInputs(InputModel):
    name: Annotated[Name, matching(r".{,254}[a-zA-Z0-9]", "a host name: 1 to 255 characters")]
    image: Literal["debian-13-x64"]
    region: RegionSlug
    size: DropletSize
    vpc_uuid: str
    ssh_keys: list[str] = []
    user_data: str | None = None
    tags: list[Tag] = []
    monitoring: bool = False
    droplet_agent: bool | None = None
    graceful_shutdown: bool = False
    resize_disk: bool = True


class Droplet(DigitalOceanResourceType[DropletInputs]):
    """A droplet. Its VPC is required; a default VPC is not supported."""

    token = "digitalocean:index/droplet:Droplet"
    unique = False
    replaces = frozenset({"image", "region", "sshKeys", "userData", "vpcUuid", "monitoring", "dropletAgent"})
    in_place = frozenset({"name", "size", "tags", "graceful_shutdown", "resize_disk"})
    computed = frozenset(
        {
            "createdAt", "dropletUrn", "ipv4Address", "ipv4AddressPrivate", "locked", "privateNetworking",
            "publicNetworking", "status", "volumeIds",
        }
    )  # fmt: skip
    ends_with_it = frozenset({"digitalocean:index/volumeAttachment:VolumeAttachment"})
    # deleting a droplet detaches its volumes and removes it from these lists
    may_outlive = ends_with_it | {
        "digitalocean:index/firewall:Firewall", "digitalocean:index/databaseFirewall:DatabaseFirewall",
        "digitalocean:index/loadBalancer:LoadBalancer",
    }  # fmt: skip
    # the provider asks for the droplet before it deletes it (resource_droplet.go)
    error_if_gone = GONE
    numbers = itertools.count(464329211)

    def new_id(self, inputs: DropletInputs) -> str:
        return str(next(self.numbers))

    def on_create(self, resource_id: str, inputs: DropletInputs) -> Properties:
        vpc = self.inputs_of(Vpc, inputs.vpc_uuid)
        if vpc.region != inputs.region:
            raise Refused(f"{self.token}: 422 the VPC {vpc.name} is in {vpc.region}, {inputs.name} in {inputs.region}")
        user_data = (inputs.user_data or "").encode()
        if len(user_data) > USER_DATA_LIMIT:
            raise Refused(f"{self.token}: 422 user data is {len(user_data)} bytes; the limit is {USER_DATA_LIMIT}")
        network, groups = self.region.network, firewall.groups_of(self.region, resource_id, inputs.tags)
        public, private = network.new_public_port("eth0", groups), network.new_port("eth1", vpc.ip_range, groups)
        machine = self.region.new_machine(
            resource_id,
            name=inputs.name,
            hostname=inputs.name,
            ports=[public, private],
            user_data=user_data,
            public_keys=[self.public_key(key) for key in inputs.ssh_keys],
        )
        machine.write_seed({"vendor-data": ROOT_LOGS_IN})
        machine.power_on()
        return {
            "createdAt": now(), "dropletUrn": f"do:droplet:{resource_id}", "ipv4Address": public.address,
            "ipv4AddressPrivate": private.address, "locked": False, "privateNetworking": True,
            "publicNetworking": True, "status": "active", "volumeIds": [],
        }  # fmt: skip

    def public_key(self, id_or_fingerprint: str) -> str:
        for key, inputs in self.existing(SshKey).items():
            if id_or_fingerprint in (key, fingerprint(inputs.public_key)):
                return inputs.public_key
        raise Refused(f"{self.token}: 422 {id_or_fingerprint} is no valid key identifier for Droplet creation")

    def on_update(self, resource_id: str, old: DropletInputs, new: DropletInputs) -> Properties:
        machine = self.region.machines[resource_id]
        machine.name = new.name
        if old.size != new.size:
            # terraform-provider-digitalocean powers it off without a shutdown
            machine.power_off()
            machine.power_on()
        return {}

    def on_delete(self, resource_id: str, inputs: DropletInputs) -> None:
        if inputs.graceful_shutdown:
            self.region.machines[resource_id].shut_down()
        self.region.machines.pop(resource_id).destroy()

    def on_loss(self, resource_id: str, inputs: DropletInputs) -> None:
        self.region.machines.pop(resource_id).destroy()

    def after_change(self) -> None:
        firewall.enforce(self.region)
        balancer.find_droplets(self.region)


class VolumeInputs(InputModel):
    name: Annotated[str, matching(r"[a-z][a-z0-9-]{0,63}", "a volume's name: a-z, 0-9 and - only")]
    region: RegionSlug
    size: Annotated[int, Field(ge=1, le=16384)]
    description: str | None = None
    tags: list[Tag] = []


class Volume(DigitalOceanResourceType[VolumeInputs]):
    """A volume, without a file system."""

    token = "digitalocean:index/volume:Volume"
    replaces = frozenset({"name", "region", "description"})
    in_place = frozenset({"tags"})
    computed = frozenset({"dropletIds", "filesystemLabel", "filesystemType", "volumeUrn"})
    ends_with_it = Droplet.ends_with_it
    error_if_gone = GONE

    def on_create(self, resource_id: str, inputs: VolumeInputs) -> Properties:
        self.region.new_disk(resource_id, inputs.size)
        return {
            "dropletIds": [], "filesystemLabel": "", "filesystemType": "", "volumeUrn": f"do:volume:{resource_id}",
        }  # fmt: skip

    def on_delete(self, resource_id: str, inputs: VolumeInputs) -> None:
        self.region.remove_disk(resource_id)


class VolumeAttachmentInputs(InputModel):
    droplet_id: int
    volume_id: str


class VolumeAttachment(DigitalOceanResourceType[VolumeAttachmentInputs]):
    token = "digitalocean:index/volumeAttachment:VolumeAttachment"
    auto_name = None
    unique = False
    replaces = frozenset({"dropletId", "volumeId"})
    error_if_gone = GONE

    def new_id(self, inputs: VolumeAttachmentInputs) -> str:
        return f"{inputs.droplet_id}-{inputs.volume_id}-{secrets.token_hex(13)}"

    def on_create(self, resource_id: str, inputs: VolumeAttachmentInputs) -> Properties:
        others = list(self.existing(VolumeAttachment).values())
        for other in others:
            if other.volume_id == inputs.volume_id:
                raise Refused(f"{self.token}: 422 {inputs.volume_id} is already attached to {other.droplet_id}")
        if sum(other.droplet_id == inputs.droplet_id for other in others) >= VOLUMES:
            raise Refused(f"{self.token}: 422 {inputs.droplet_id} has {VOLUMES} volumes, the most that it may have")
        volume = self.inputs_of(Volume, inputs.volume_id)
        droplet = self.inputs_of(Droplet, str(inputs.droplet_id))
        if volume.region != droplet.region:
            raise Refused(
                f"{self.token}: 422 the volume {volume.name} is in {volume.region}, "
                f"the droplet {droplet.name} in {droplet.region}"
            )
        machine = self.region.machines[str(inputs.droplet_id)]
        # virtio-scsi: the kernel letters the disks, and udev names them by the volume's serial
        device = f"sd{chr(ord('a') + len(machine.attachments))}"
        machine.attach(Attachment(self.region.disks[inputs.volume_id], device, f"scsi-0DO_Volume_{volume.name}"))
        return {}

    def on_delete(self, resource_id: str, inputs: VolumeAttachmentInputs) -> None:
        self.region.machines[str(inputs.droplet_id)].detach(self.region.disks[inputs.volume_id])

    def on_loss(self, resource_id: str, inputs: VolumeAttachmentInputs) -> None:
        """The droplet or the volume is gone, and with it what to detach."""


RESOURCE_TYPES = [SshKey, Droplet, Volume, VolumeAttachment]
