"""EC2 instances and EBS volumes: machines and disks of the rehearsal."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import time
from collections.abc import Iterator
from typing import Annotated, Literal

from rehearsal.plugins.aws import offerings
from rehearsal.plugins.aws.iam import InstanceProfile
from rehearsal.plugins.aws.network import Subnet
from rehearsal.plugins.aws.resource_type import (
    AwsResourceType,
    Call,
    InputModel,
    Properties,
    Refused,
    SecurityGroups,
    Tags,
    Zone,
    matching,
    tag_specifications,
)
from rehearsal.region.machine import Attachment

USER_DATA_LIMIT = 16384
"""Bytes of user data before base64 encodes them (Amazon EC2 User Guide, "Run commands at launch")."""

VolumeType = Literal["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"]
SIZES = {
    "gp2": (1, 16384), "gp3": (1, 65536), "io1": (4, 16384), "io2": (4, 65536), "st1": (125, 16384),
    "sc1": (125, 16384), "standard": (1, 1024),
}  # fmt: skip
"""Least and greatest size of a volume, in GiB (API reference of CreateVolume, as are the next two)."""
IOPS = {"gp3": (3000, 80000), "io1": (100, 64000), "io2": (100, 256000)}
"""Least and greatest number of operations per second, for the types that take one."""
THROUGHPUT = {"gp3": (125, 2000)}
"""Least and greatest throughput in MiB/s, for the type that takes one."""

BURSTABLE = ("t3.", "t3a.", "t4g.")
IN_USE_LIMIT = 60
"""Seconds that a deletion waits for a volume in use; the provider waits ten minutes."""
EIP_LIMIT = 5
"""Elastic IPs in a region (Amazon VPC user guide, "Amazon VPC quotas")."""
IMAGES = {"x86_64": "debian-13-amd64-20261103-2288", "arm64": "debian-13-arm64-20261103-2288"}
"""The images by architecture: Debian 13, with names in the form of Debian's own."""
IDS = {key: f"ami-0{hashlib.sha256(name.encode()).hexdigest()[:16]}" for key, name in IMAGES.items()}
AMI = IDS["x86_64"]


def get_ami(arguments: Properties) -> Properties:
    """The image with a name or an id. Machines of the rehearsal have this host's processor, whatever the image."""
    wanted = [pattern for item in arguments.get("filters", []) for pattern in item["values"]]
    found = [
        key
        for key, name in IMAGES.items()
        if any(fnmatch.fnmatch(name, pattern) or pattern == IDS[key] for pattern in wanted)
    ]
    if len(found) != 1:
        raise Refused(
            f"getAmi: {len(found) or 'no'} images are called {' or '.join(wanted)}; "
            f"the rehearsal has {', '.join(IMAGES.values())}"
        )
    (architecture,) = found
    return arguments | {
        "id": IDS[architecture], "imageId": IDS[architecture], "name": IMAGES[architecture],
        "architecture": architecture, "state": "available",
        "rootDeviceName": "/dev/xvda", "virtualizationType": "hvm", "ownerId": "136693071363",
        "arn": f"arn:aws:ec2:us-east-1::image/{IDS[architecture]}",
    }  # fmt: skip


class KeyPairInputs(InputModel):
    key_name: Annotated[str, matching(r"[ -~]{1,255}", "InvalidParameterValue", "a key's name: 1 to 255 of ASCII")]
    public_key: str
    tags: Tags = {}


class KeyPair(AwsResourceType[KeyPairInputs]):
    token = "aws:ec2/keyPair:KeyPair"
    prefix = "key"
    replaces = frozenset({"keyName", "publicKey"})
    computed = frozenset({"arn", "fingerprint", "keyPairId", "keyType"})
    auto_name = "keyName"

    def calls(self, inputs: KeyPairInputs) -> Iterator[Call]:
        yield Call(
            "ec2",
            "ImportKeyPair",
            KeyName=inputs.key_name,
            PublicKeyMaterial=inputs.public_key.encode(),
            TagSpecifications=tag_specifications(inputs.tags, "key-pair"),
        )

    def new_id(self, inputs: KeyPairInputs) -> str:
        return inputs.key_name

    def on_create(self, resource_id: str, inputs: KeyPairInputs) -> Properties:
        arn = self.arn("ec2", f"key-pair/{resource_id}")
        return {
            "arn": arn,
            "fingerprint": "",
            "keyPairId": f"key-{resource_id}",
            "keyType": inputs.public_key.split()[0],
        }


class MetadataOptions(InputModel):
    http_tokens: Literal["optional", "required"] = "optional"
    http_endpoint: Literal["enabled", "disabled"] = "enabled"
    http_put_response_hop_limit: int = 1


class RootBlockDevice(InputModel):
    encrypted: bool = False
    volume_type: VolumeType = "gp3"
    volume_size: int | None = None
    delete_on_termination: bool = True
    tags: Tags = {}


class CreditSpecification(InputModel):
    cpu_credits: Literal["standard", "unlimited"] | None = None


class InstanceInputs(InputModel):
    ami: str
    instance_type: str
    subnet_id: str
    vpc_security_group_ids: SecurityGroups
    key_name: str | None = None
    iam_instance_profile: str | None = None
    user_data: str | None = None
    user_data_base64: str | None = None
    user_data_replace_on_change: bool = False
    associate_public_ip_address: bool = False
    availability_zone: Zone | None = None
    metadata_options: MetadataOptions = MetadataOptions()
    root_block_device: RootBlockDevice = RootBlockDevice()
    ebs_optimized: bool = False
    disable_api_termination: bool = False
    monitoring: bool = False
    credit_specification: CreditSpecification | None = None
    tags: Tags = {}


class Instance(AwsResourceType[InstanceInputs]):
    token = "aws:ec2/instance:Instance"
    prefix = "i"
    replaces = frozenset({"ami", "subnetId", "availabilityZone", "keyName", "privateIp", "associatePublicIpAddress"})
    in_place = frozenset(
        {
            "vpc_security_group_ids",
            "iam_instance_profile",
            "instance_type",
            "tags",
            "user_data",
            "user_data_base64",
            "credit_specification",
        }
    )
    computed = frozenset(
        {"arn", "privateIp", "publicIp", "privateDns", "publicDns", "instanceState", "primaryNetworkInterfaceId"}
    )
    conflicts = (("userData", "userDataBase64"),)
    # a terminated instance gives its volumes, its elastic IP and its place in target groups up
    ends_with_it = frozenset({
        "aws:ec2/volumeAttachment:VolumeAttachment", "aws:ec2/eipAssociation:EipAssociation",
        "aws:lb/targetGroupAttachment:TargetGroupAttachment",
    })  # fmt: skip
    may_outlive = ends_with_it
    not_sent = frozenset({"user_data_replace_on_change"})

    def calls(self, inputs: InstanceInputs) -> Iterator[Call]:
        yield Call("ec2", "RunInstances", **self.members(inputs))

    def members(self, inputs: InstanceInputs) -> Properties:
        """The members of the call of RunInstances."""
        root, metadata, credit = inputs.root_block_device, inputs.metadata_options, inputs.credit_specification
        disk = {
            "Encrypted": root.encrypted,
            "VolumeType": root.volume_type,
            "VolumeSize": root.volume_size,
            "DeleteOnTermination": root.delete_on_termination,
        }
        return {
            "MinCount": 1,
            "MaxCount": 1,
            "ImageId": inputs.ami,
            "InstanceType": inputs.instance_type,
            "KeyName": inputs.key_name,
            "IamInstanceProfile": {"Name": inputs.iam_instance_profile},
            "UserData": base64.b64encode(user_data(inputs)).decode(),
            "NetworkInterfaces": [self.interface(inputs)],
            "Placement": {"AvailabilityZone": inputs.availability_zone},
            "MetadataOptions": {
                "HttpTokens": metadata.http_tokens,
                "HttpEndpoint": metadata.http_endpoint,
                "HttpPutResponseHopLimit": metadata.http_put_response_hop_limit,
            },
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": disk}],
            "CreditSpecification": credit and {"CpuCredits": credit.cpu_credits},
            "EbsOptimized": inputs.ebs_optimized,
            "DisableApiTermination": inputs.disable_api_termination,
            "Monitoring": {"Enabled": inputs.monitoring},
            "TagSpecifications": [
                *tag_specifications(inputs.tags, "instance"),
                *tag_specifications(root.tags, "volume"),
            ],
        }

    def interface(self, inputs: InstanceInputs) -> Properties:
        """The network interface in the call of RunInstances."""
        return {
            "DeviceIndex": 0,
            "SubnetId": inputs.subnet_id,
            "Groups": inputs.vpc_security_group_ids,
            "AssociatePublicIpAddress": inputs.associate_public_ip_address,
        }

    def replacing(self, new: Properties) -> frozenset[str]:
        user_data = {"userData", "userDataBase64"} if new.get("userDataReplaceOnChange") else set()
        return self.replaces | user_data

    def on_create(self, resource_id: str, inputs: InstanceInputs) -> Properties:
        if inputs.credit_specification and not inputs.instance_type.startswith(BURSTABLE):
            raise Refused(f"InvalidParameterCombination: {inputs.instance_type} has no CPU credits")
        subnet, root = self.inputs_of(Subnet, inputs.subnet_id), inputs.root_block_device
        if root.volume_size is not None:
            refuse_volume(root.volume_type, root.volume_size)
        if inputs.availability_zone not in (None, subnet.availability_zone):
            raise Refused(
                f"InvalidParameterValue: {inputs.subnet_id} is in {subnet.availability_zone}, "
                f"not in {inputs.availability_zone}"
            )
        architecture = offerings.architecture(inputs.instance_type)
        if not offerings.offered_in(inputs.instance_type, subnet.availability_zone):
            raise Refused(f"Unsupported: {inputs.instance_type} is not supported in {subnet.availability_zone}")
        if inputs.ami in IDS.values() and inputs.ami != IDS[architecture]:
            raise Refused(
                f"InvalidParameterValue: The architecture '{architecture}' of the specified instance type "
                "does not match the architecture of the specified AMI"
            )
        key = self.existing(KeyPair).get(inputs.key_name) if inputs.key_name else None
        if inputs.key_name and key is None:
            raise Refused(f"InvalidKeyPair.NotFound: {inputs.key_name} does not exist")
        role = self.role(inputs)
        port = self.region.network.new_port(
            "ens5",
            subnet.cidr_block,
            tuple(inputs.vpc_security_group_ids),
            public=inputs.associate_public_ip_address or subnet.map_public_ip_on_launch,
        )
        machine = self.region.new_machine(
            resource_id,
            name=inputs.tags.get("Name", resource_id),
            hostname=f"ip-{port.address.replace('.', '-')}",
            ports=[port],
            user_data=user_data(inputs),
            public_keys=[key.public_key] if key else [],
        )
        self.region.set_role(resource_id, role)
        machine.power_on()
        address, public = port.address, port.public
        return {
            "arn": self.arn("ec2", f"instance/{resource_id}"), "instanceState": "running",
            "availabilityZone": subnet.availability_zone, "privateIp": address, "publicIp": public or "",
            "privateDns": f"ip-{address.replace('.', '-')}.ec2.internal",
            "publicDns": f"ec2-{public.replace('.', '-')}.compute-1.amazonaws.com" if public else "",
            "primaryNetworkInterfaceId": resource_id.replace("i-", "eni-"),
        }  # fmt: skip

    def on_update(self, resource_id: str, old: InstanceInputs, new: InstanceInputs) -> Properties:
        machine = self.region.machines[resource_id]
        self.region.set_role(resource_id, self.role(new))
        self.region.network.put_in_groups(machine.endpoint, tuple(new.vpc_security_group_ids))
        if user_data(old) != user_data(new) or old.instance_type != new.instance_type:
            # the provider stops the instance, changes it, starts it, and waits until it runs (ec2_instance.go)
            machine.shut_down()
            machine.write_seed({"user-data": user_data(new)})
            machine.power_on()
        return {}

    def role(self, inputs: InstanceInputs) -> str | None:
        """The role of the instance profile, if there is one."""
        name, profiles = inputs.iam_instance_profile, self.existing(InstanceProfile)
        if name and name not in profiles:
            raise Refused(f"InvalidParameterValue: Value ({name}) for parameter iamInstanceProfile.name is invalid.")
        return profiles[name].role if name else None

    def on_delete(self, resource_id: str, inputs: InstanceInputs) -> None:
        if inputs.disable_api_termination:
            raise Refused(f"OperationNotPermitted: {resource_id} may not be terminated: disableApiTermination is set")
        # EC2 shuts the operating system down before it cuts the power (User Guide, "Terminate Amazon EC2 instances")
        self.region.machines[resource_id].shut_down()
        self.region.machines.pop(resource_id).destroy()

    def on_loss(self, resource_id: str, inputs: InstanceInputs) -> None:
        self.region.machines.pop(resource_id).destroy()


def user_data(inputs: InstanceInputs) -> bytes:
    data = base64.b64decode(inputs.user_data_base64) if inputs.user_data_base64 else (inputs.user_data or "").encode()
    if len(data) > USER_DATA_LIMIT:
        raise Refused(f"InvalidParameterValue: user data is {len(data)} bytes; the limit is {USER_DATA_LIMIT}")
    return data


class VolumeInputs(InputModel):
    availability_zone: Zone
    size: int
    type: VolumeType = "gp2"
    encrypted: bool = False
    iops: int | None = None
    throughput: int | None = None
    final_snapshot: bool = False
    tags: Tags = {}


class Volume(AwsResourceType[VolumeInputs]):
    token = "aws:ebs/volume:Volume"
    prefix = "vol"
    replaces = frozenset({"availabilityZone", "encrypted", "kmsKeyId", "snapshotId"})
    computed = frozenset({"arn", "createTime"})
    in_place = frozenset({"tags", "final_snapshot"})
    not_sent = frozenset({"final_snapshot"})
    ends_with_it = frozenset({"aws:ec2/volumeAttachment:VolumeAttachment"})

    def calls(self, inputs: VolumeInputs) -> Iterator[Call]:
        yield Call(
            "ec2",
            "CreateVolume",
            AvailabilityZone=inputs.availability_zone,
            Size=inputs.size,
            VolumeType=inputs.type,
            Encrypted=inputs.encrypted,
            Iops=inputs.iops,
            Throughput=inputs.throughput,
            TagSpecifications=tag_specifications(inputs.tags, "volume"),
        )

    def on_create(self, resource_id: str, inputs: VolumeInputs) -> Properties:
        refuse_volume(inputs.type, inputs.size, inputs.iops, inputs.throughput)
        self.region.new_disk(resource_id, inputs.size)
        return {"arn": self.arn("ec2", f"volume/{resource_id}"), "createTime": ""}

    def delete(self, resource_id: str, state: Properties, inputs: VolumeInputs) -> None:
        """Delete the volume; the provider tries again while it is in use (terraform-provider-aws, ebs_volume.go)."""
        end = time.monotonic() + IN_USE_LIMIT
        while self.referring(resource_id) and time.monotonic() < end:
            time.sleep(0.1)
        super().delete(resource_id, state, inputs)

    def on_delete(self, resource_id: str, inputs: VolumeInputs) -> None:
        if inputs.final_snapshot:
            self.region.snapshot_disk(resource_id)
        self.region.remove_disk(resource_id)

    def on_loss(self, resource_id: str, inputs: VolumeInputs) -> None:
        self.region.remove_disk(resource_id)


def refuse_volume(type_: VolumeType, size: int, iops: int | None = None, throughput: int | None = None) -> None:
    """Raise EC2's error for a volume whose type does not allow its figures."""
    for what, figure, ranges in (("size", size, SIZES), ("iops", iops, IOPS), ("throughput", throughput, THROUGHPUT)):
        if figure is None:
            continue
        if type_ not in ranges:
            raise Refused(f"InvalidParameterCombination: a volume of type {type_} takes no {what}")
        least, greatest = ranges[type_]
        if not least <= figure <= greatest:
            raise Refused(f"InvalidParameterValue: {what} {figure} of a {type_} volume is not {least} to {greatest}")


class VolumeAttachmentInputs(InputModel):
    device_name: str
    instance_id: str
    volume_id: str
    force_detach: bool = False
    skip_destroy: bool = False
    stop_instance_before_detaching: bool = False


class VolumeAttachment(AwsResourceType[VolumeAttachmentInputs]):
    token = "aws:ec2/volumeAttachment:VolumeAttachment"
    prefix = "vai"
    replaces = frozenset({"deviceName", "instanceId", "volumeId"})
    in_place = frozenset({"force_detach", "skip_destroy", "stop_instance_before_detaching"})
    not_sent = in_place

    def calls(self, inputs: VolumeAttachmentInputs) -> Iterator[Call]:
        yield Call(
            "ec2",
            "AttachVolume",
            Device=inputs.device_name,
            InstanceId=inputs.instance_id,
            VolumeId=inputs.volume_id,
        )

    def on_create(self, resource_id: str, inputs: VolumeAttachmentInputs) -> Properties:
        for other, attached in self.existing(VolumeAttachment).items():
            if attached.volume_id == inputs.volume_id:
                raise Refused(
                    f"VolumeInUse: {inputs.volume_id} is already attached to {attached.instance_id} ({other})"
                )
        zone = self.inputs_of(Volume, inputs.volume_id).availability_zone
        subnet = self.inputs_of(Subnet, self.inputs_of(Instance, inputs.instance_id).subnet_id)
        if subnet.availability_zone != zone:
            raise Refused(
                f"InvalidVolume.ZoneMismatch: {inputs.volume_id} is in {zone}, "
                f"{inputs.instance_id} in {subnet.availability_zone}"
            )
        machine = self.region.machines[inputs.instance_id]
        # Nitro: the kernel numbers the disks, and udev names them by the volume's serial number
        device = f"nvme{len(machine.attachments) + 1}n1"
        by_id = f"nvme-Amazon_Elastic_Block_Store_{inputs.volume_id.replace('-', '')}"
        machine.attach(Attachment(self.region.disks[inputs.volume_id], device, by_id))
        return {}

    def delete(self, resource_id: str, state: Properties, inputs: VolumeAttachmentInputs) -> None:
        """Detach the volume; the provider forgives one that is detached, and no other (ebs_volume_attachment.go)."""
        if inputs.stop_instance_before_detaching and inputs.instance_id not in self.region.records:
            raise Refused(f"IncorrectInstanceState: {inputs.instance_id} is in no state from which it can be stopped")
        if inputs.volume_id not in self.region.records:
            raise Refused(f"InvalidVolume.NotFound: The volume '{inputs.volume_id}' does not exist.")
        super().delete(resource_id, state, inputs)

    def on_delete(self, resource_id: str, inputs: VolumeAttachmentInputs) -> None:
        machine = self.region.machines[inputs.instance_id]
        if inputs.stop_instance_before_detaching:
            machine.shut_down()
        if not inputs.skip_destroy:
            machine.detach(self.region.disks[inputs.volume_id])

    def on_loss(self, resource_id: str, inputs: VolumeAttachmentInputs) -> None:
        """The machine or the disk is gone, and with it what to detach."""


class EipInputs(InputModel):
    domain: Literal["vpc"]
    tags: Tags = {}


class Eip(AwsResourceType[EipInputs]):
    """An elastic IP, which an instance has only by an association."""

    token = "aws:ec2/eip:Eip"
    prefix = "eipalloc"
    replaces = frozenset({"domain"})
    computed = frozenset({"allocationId", "arn", "publicIp"})

    def calls(self, inputs: EipInputs) -> Iterator[Call]:
        tags = tag_specifications(inputs.tags, "elastic-ip")
        yield Call("ec2", "AllocateAddress", Domain=inputs.domain, TagSpecifications=tags)

    def on_create(self, resource_id: str, inputs: EipInputs) -> Properties:
        if len(self.existing(Eip)) >= EIP_LIMIT:
            raise Refused("AddressLimitExceeded: The maximum number of addresses has been reached.")
        address = self.region.addresses[resource_id] = self.region.network.new_public_address()
        return {
            "allocationId": resource_id, "arn": self.arn("ec2", f"elastic-ip/{resource_id}"), "publicIp": address,
        }  # fmt: skip

    def on_delete(self, resource_id: str, inputs: EipInputs) -> None:
        del self.region.addresses[resource_id]


class EipAssociationInputs(InputModel):
    allocation_id: str
    instance_id: str


class EipAssociation(AwsResourceType[EipAssociationInputs]):
    """An elastic IP on the first private address of an instance, in place of the instance's public address."""

    token = "aws:ec2/eipAssociation:EipAssociation"
    prefix = "eipassoc"
    replaces = frozenset({"allocationId", "instanceId"})
    computed = frozenset({"networkInterfaceId", "privateIpAddress", "publicIp"})

    def calls(self, inputs: EipAssociationInputs) -> Iterator[Call]:
        yield Call("ec2", "AssociateAddress", AllocationId=inputs.allocation_id, InstanceId=inputs.instance_id)

    def on_create(self, resource_id: str, inputs: EipAssociationInputs) -> Properties:
        for other, associated in self.existing(EipAssociation).items():
            if associated.allocation_id == inputs.allocation_id:
                raise Refused(f"Resource.AlreadyAssociated: {inputs.allocation_id} is associated already ({other})")
        port = self.region.machines[inputs.instance_id].endpoint.ports[0]
        port.public = self.region.addresses[inputs.allocation_id]
        self.region.network.apply()
        return {
            "networkInterfaceId": inputs.instance_id.replace("i-", "eni-"), "privateIpAddress": port.address,
            "publicIp": port.public,
        }  # fmt: skip

    def on_delete(self, resource_id: str, inputs: EipAssociationInputs) -> None:
        machine = self.region.machines.get(inputs.instance_id)
        if machine:
            machine.endpoint.ports[0].public = self.region.network.new_public_address()
            self.region.network.apply()


RESOURCE_TYPES = [KeyPair, Instance, Volume, VolumeAttachment, Eip, EipAssociation]
