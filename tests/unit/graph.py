"""Records the program's graph for tests: every request to register a resource, as the engine receives it."""

from __future__ import annotations

import asyncio
import json
import logging
import runpy
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf import json_format
from pulumi.runtime import mocks, set_all_config
from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.settings import get_root_resource
from pulumi.runtime.stack import Stack, run_pulumi_func

from components.config.loader import SECRETS
from rehearsal.deploy.stacks import stack_settings
from rehearsal.plugins.aws import offerings
from rehearsal.plugins.digitalocean import regions
from rehearsal.plugins.protocol import Refused
from rehearsal.region.ca import CertificateAuthority

ROOT = Path(__file__).parents[2]
PROJECT = "ha-wordpress"
AUTHORITY = CertificateAuthority()
"""Issues certificates in the place of a public authority."""
PUBLIC_KEY = """\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMKBCTNIcKUSDii11ySs3526iDZ8A
iTo7Tu6KPAqv7D7gS2XpJFbZiItSs3m9+9Ue6GnvHw/GW2ZZaVtszggXIw==
-----END PUBLIC KEY-----
"""
"""The P-256 key of RFC 7517, appendix A.1."""
SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key under which the engine's protocol marks a wrapped value; a secret has SECRET there."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True)
class Secret:
    """A value that the program marked as a secret."""

    value: Any


@dataclass(frozen=True)
class Resource:
    """One request to register a resource."""

    type: str
    name: str
    parent: str
    inputs: dict[str, Any]
    waits_for: frozenset[str]
    """Keys of the direct dependencies."""
    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    deleted_with: str
    ignore_changes: tuple[str, ...]
    delete_timeout: str
    """Empty for the provider's default."""

    @property
    def key(self) -> str:
        return key(self.type, self.name)


def key(type_: str, name: str) -> str:
    """A resource's name in tests and snapshots.

    `ec2.Instance gfs1` for aws:ec2/instance:Instance, `gluster:Brick gfs1` for a component, ha-wordpress:gluster:Brick.
    """
    package, module, last = type_.split(":")
    if package == PROJECT:
        return f"{module}:{last} {name}"
    module = module.split("/")[0]
    return f"{package if module == 'index' else module}.{last} {name}"


class Log(logging.Logger):
    """The program's messages to the operator."""

    def __init__(self) -> None:
        super().__init__("engine")
        self.infos: list[str] = []
        self.warnings: list[str] = []

    def info(self, msg: object, *args: object, **options: Any) -> None:
        self.infos.append(str(msg))

    def warning(self, msg: object, *args: object, **options: Any) -> None:
        self.warnings.append(str(msg))


@dataclass
class Graph:
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    log: Log = field(default_factory=Log)

    def __getitem__(self, key: str) -> Resource:
        return self.resources[key]

    def of_type(self, type_: str) -> Iterator[Resource]:
        """The resources of a type such as `remote.Command`."""
        return (resource for resource in self.resources.values() if resource.key.startswith(f"{type_} "))

    def after(self, key: str) -> set[str]:
        """The keys of all dependencies of a resource, direct or not."""
        found: set[str] = set()
        open_ = {key}
        while open_:
            open_ = {need for at in open_ for need in self.resources[at].waits_for if need in self.resources} - found
            found |= open_
        return found

    def waits(self, key: str) -> set[str]:
        """The direct dependencies of a resource that none of its other dependencies has."""
        depends_on = {need for need in self.resources[key].waits_for if need in self.resources}
        return depends_on - {further for need in depends_on for further in self.after(need)}


def build(stack: str = "aws-wordpress", **changes: Any) -> Graph:
    """Run the program for a stack of stacks/ under Pulumi's mocks; `changes` replace whole top-level settings."""
    configured = committed(stack) | {f"{PROJECT}:{name}": value for name, value in changes.items()}
    return run({name: text(value) for name, value in configured.items()}, stack)


def committed(stack: str) -> dict[str, Any]:
    """A stack's settings from stacks/, with what its operator adds."""
    configured = stack_settings(stack)
    if configured.get(f"{PROJECT}:cloud") == "existing":
        configured[f"{PROJECT}:ssh_private_key"] = "-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET\n"
    if tls := configured.get(f"{PROJECT}:tls"):
        tls["certificate"], configured[f"{PROJECT}:tls_private_key"] = AUTHORITY.issue(tls["domain"])
    return configured


def text(value: Any) -> str:
    """A setting as the engine passes it to the program."""
    return value if isinstance(value, str) else json.dumps(value)


def run(config: Mapping[str, str], stack: str) -> Graph:
    """Run the program with the configuration that the engine passes."""
    graph = Graph()

    def program() -> None:
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")

    async def engine() -> None:
        set_all_config(dict(config), [f"{PROJECT}:{name}" for name in SECRETS])
        recorder = Recorder(Outputs(), graph)
        mocks.set_mocks(Outputs(), project=PROJECT, stack=stack, preview=False, monitor=recorder, logger=graph.log)
        await run_pulumi_func(program)
        stack_resource = get_root_resource()
        assert isinstance(stack_resource, Stack)
        for name, output in stack_resource.outputs.items():
            known = pulumi.Output.from_input(output)
            value = await known.future()
            graph.outputs[name] = Secret(value) if await known.is_secret() else value

    asyncio.run(engine())
    return graph


def private_address(node: str) -> str:
    """A valid address for a node, as the program parses some; always the same for the same name."""
    return str(IPv4Address(int(IPv4Address("10.20.0.0")) + zlib.crc32(node.encode()) % 65536))


class Outputs(mocks.Mocks):
    """A cloud's answers, made from the resource's name; every secret part contains SECRET."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        name = args.name
        made: dict[str, dict[str, Any]] = {
            "tls:index/privateKey:PrivateKey": {
                "privateKeyOpenssh": f"SECRET-key-of-{name}\n",
                "privateKeyPem": f"SECRET-pem-key-of-{name}\n",
                "publicKeyOpenssh": f"ssh-ed25519 public-key-of-{name}\n",
                "publicKeyPem": PUBLIC_KEY,
            },
            "tls:index/selfSignedCert:SelfSignedCert": {"certPem": f"certificate-of-{name}\n"},
            "tls:index/certRequest:CertRequest": {"certRequestPem": f"request-of-{name}\n"},
            "tls:index/locallySignedCert:LocallySignedCert": {"certPem": f"certificate-of-{name}\n"},
            "random:index/randomPassword:RandomPassword": {
                "result": f"SECRET-{name}-".ljust(int(args.inputs.get("length", 0)), "x")
            },
            "random:index/randomId:RandomId": {"hex": "0a1b2c3d"},
            "aws:ec2/instance:Instance": {"privateIp": private_address(name), "publicIp": f"public-of-{name}"},
            "aws:ec2/eip:Eip": {
                "arn": f"arn:aws:ec2:us-east-1:123456789012:elastic-ip/{name}",
                "allocationId": f"eipalloc-{name}",
                "publicIp": f"elastic-ip-of-{name}",
            },
            "aws:iam/role:Role": {"name": name},
            "aws:iam/instanceProfile:InstanceProfile": {"name": name},
            "aws:s3/bucket:Bucket": {
                "bucket": f"{name}-1a2b3c4",
                "arn": f"arn:aws:s3:::{name}-1a2b3c4",
                "bucketRegionalDomainName": f"{name}-1a2b3c4.s3.us-east-1.amazonaws.com",
            },
            "aws:ebs/volume:Volume": {"id": f"vol-{name}"},
            "aws:ec2/keyPair:KeyPair": {"keyName": name},
            "aws:lb/loadBalancer:LoadBalancer": {
                "dnsName": f"{name}.example",
                "arn": f"arn-of-{name}",
                "arnSuffix": f"app/{name}",
                "zoneId": f"zone-of-{name}",
            },
            "aws:acm/certificate:Certificate": {
                "arn": f"arn:aws:acm:us-east-1:123456789012:certificate/{name}",
                "domainValidationOptions": [
                    {
                        "domainName": args.inputs.get("domainName"),
                        "resourceRecordName": f"_validation.{args.inputs.get('domainName')}.",
                        "resourceRecordType": "CNAME",
                        "resourceRecordValue": f"validation-of-{name}.",
                    }
                ],
            },
            "aws:acm/certificateValidation:CertificateValidation": {"certificateArn": f"issued-{name}"},
            "aws:route53/record:Record": {"fqdn": f"fqdn-of-{name}"},
            "aws:lb/targetGroup:TargetGroup": {"arn": f"arn-of-{name}", "arnSuffix": f"targetgroup/{name}"},
            "aws:sns/topic:Topic": {"arn": f"arn:aws:sns:us-east-1:123456789012:{name}"},
            "aws:rds/instance:Instance": {"address": f"{name}.example", "port": 3306, "identifier": name},
            "aws:rds/subnetGroup:SubnetGroup": {"name": f"{name}-1a2b3c4"},
            "aws:rds/parameterGroup:ParameterGroup": {"name": f"{name}-1a2b3c4"},
            "digitalocean:index/droplet:Droplet": {
                "id": str(zlib.crc32(name.encode())),
                "ipv4Address": f"public-of-{name}",
                "ipv4AddressPrivate": private_address(name),
            },
            "digitalocean:index/volume:Volume": {"name": f"{name}-1a2b3c4"},
            "digitalocean:index/sshKey:SshKey": {"fingerprint": f"fingerprint-of-{name}"},
            "digitalocean:index/databaseCluster:DatabaseCluster": {"privateHost": f"{name}.example", "port": 25060},
            "digitalocean:index/databaseUser:DatabaseUser": {"password": f"SECRET-{name}"},
            "digitalocean:index/spacesBucket:SpacesBucket": {
                "name": f"{name}-1a2b3c4",
                "endpoint": "nyc3.digitaloceanspaces.com",
            },
            "digitalocean:index/spacesKey:SpacesKey": {
                "accessKey": f"key-of-{name}",
                "secretKey": f"SECRET-key-of-{name}",
            },
            "digitalocean:index/loadBalancer:LoadBalancer": {"ip": f"ip-of-{name}"},
            "digitalocean:index/certificate:Certificate": {"name": f"{name}-1a2b3c4"},
            "digitalocean:index/reservedIp:ReservedIp": {"ipAddress": f"ip-of-{name}"},
        }
        outputs = made.get(args.typ, {})
        return outputs.get("id", f"id-of-{name}"), {**args.inputs, **outputs}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        asked = {**offerings.functions("us-east-1"), regions.GET_REGIONS: regions.get_regions}
        if args.token in asked:
            return asked[args.token](args.args), []
        answers: dict[str, dict[str, Any]] = {
            "aws:ec2/getAmi:getAmi": {"id": "ami-00000000000000000", "architecture": "x86_64"},
            "aws:ec2/getVpc:getVpc": {"cidrBlock": "172.16.0.0/16"},
            "digitalocean:index/getVpc:getVpc": {"ipRange": "10.117.0.0/20", "region": "nyc3"},
            "digitalocean:index/getDatabaseCa:getDatabaseCa": {"certificate": "certificate-of-the-database"},
        }
        return answers[args.token], []


class Recorder(mocks.MockMonitor):
    """Pulumi's mock of the engine, which also records each request."""

    def __init__(self, outputs: Outputs, graph: Graph) -> None:
        super().__init__(outputs)
        self._graph = graph

    def Invoke(self, request: Any) -> Any:  # noqa: N802  (the protocol's name)
        try:
            return super().Invoke(request)  # type: ignore[no-untyped-call]
        except Refused as error:
            # the engine reports a function's error to the program, which may handle it
            return provider_pb2.InvokeResponse(failures=[provider_pb2.CheckFailure(reason=str(error))])

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  (the protocol's name)
        if request.type != "pulumi:pulumi:Stack":
            resource = Resource(
                type=request.type,
                name=request.name,
                parent=called(request.parent),
                inputs=plain(json_format.MessageToDict(request.object)),
                waits_for=frozenset(map(called, request.dependencies)),
                protect=request.protect,
                retain_on_delete=request.retainOnDelete,
                delete_before_replace=request.deleteBeforeReplace,
                deleted_with=called(request.deletedWith),
                ignore_changes=tuple(request.ignoreChanges),
                delete_timeout=request.customTimeouts.delete,
            )
            assert resource.key not in self._graph.resources, f"two resources are called {resource.key}"
            self._graph.resources[resource.key] = resource
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        for name in request.additionalSecretOutputs:
            if name in response.object and isinstance(response.object[name], str):
                response.object[name] = {SIGNATURE: SECRET, "value": response.object[name]}
        return response


def called(urn: str) -> str:
    """A resource's key by its URN; empty for none and for the stack itself."""
    if not urn or "pulumi:pulumi:Stack::" in urn:
        return ""
    *_, types, name = urn.split("::")
    return key(types.split("$")[-1], name)


def plain(value: Any) -> Any:
    """A value of the protocol as a Python value, secrets as `Secret`."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return Secret(plain(value["value"]))
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value
