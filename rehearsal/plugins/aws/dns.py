"""Route 53: records in the operator's hosted zones, which are taken to contain every name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from rehearsal.plugins.aws.balancer import HOSTED_ZONE
from rehearsal.plugins.aws.resource_type import AwsResourceType, Call, InputModel, Properties, Refused


class Alias(InputModel):
    name: str
    zone_id: str
    evaluate_target_health: bool


class RecordInputs(InputModel):
    zone_id: str
    name: str
    type: Literal["A", "CNAME"]
    ttl: int | None = None
    records: list[str] = []
    aliases: list[Alias] = []
    allow_overwrite: bool = False

    @property
    def fqdn(self) -> str:
        return self.name.rstrip(".").lower()


class Record(AwsResourceType[RecordInputs]):
    """A record. An alias, and the addresses of type A, resolve in the region; a CNAME is only looked at by ACM."""

    token = "aws:route53/record:Record"
    replaces = frozenset({"zoneId", "name"})
    in_place = frozenset({"ttl", "records", "aliases", "allow_overwrite"})
    computed = frozenset({"fqdn"})
    conflicts = (("aliases", "records"), ("aliases", "ttl"))

    def calls(self, inputs: RecordInputs) -> Iterator[Call]:
        targets = [
            {
                "HostedZoneId": alias.zone_id,
                "DNSName": alias.name,
                "EvaluateTargetHealth": alias.evaluate_target_health,
            }
            for alias in inputs.aliases
        ]
        record = {
            "Name": inputs.name,
            "Type": inputs.type,
            "TTL": inputs.ttl,
            "ResourceRecords": [{"Value": value} for value in inputs.records],
            "AliasTarget": targets[0] if targets else None,
        }
        change = {"Action": "UPSERT" if inputs.allow_overwrite else "CREATE", "ResourceRecordSet": record}
        yield Call(
            "route53", "ChangeResourceRecordSets", HostedZoneId=inputs.zone_id, ChangeBatch={"Changes": [change]}
        )

    def new_id(self, inputs: RecordInputs) -> str:
        resource_id = f"{inputs.zone_id}_{inputs.fqdn}_{inputs.type}"
        if resource_id in self.region.records and not inputs.allow_overwrite:
            raise Refused(
                "InvalidChangeBatch: [Tried to create resource record set "
                f"[name='{inputs.fqdn}.', type='{inputs.type}'] but it already exists]"
            )
        return resource_id

    def on_create(self, resource_id: str, inputs: RecordInputs) -> Properties:
        address = self._address(inputs)
        if address:
            self.region.dns.set(inputs.fqdn, address)
        return {"fqdn": inputs.fqdn}

    def on_update(self, resource_id: str, old: RecordInputs, new: RecordInputs) -> Properties:
        return self.on_create(resource_id, new)

    def on_delete(self, resource_id: str, inputs: RecordInputs) -> None:
        if inputs.type == "A":
            self.region.dns.set(inputs.fqdn, None)

    def _address(self, inputs: RecordInputs) -> str | None:
        """The address that the name resolves to; None for a CNAME. Raises `Refused` for a record of a wrong form."""
        if bool(inputs.records) == bool(inputs.aliases):
            raise Refused(f"{self.token}: exactly one of records and aliases must be set")
        if inputs.records and inputs.ttl is None:
            raise Refused("InvalidInput: Invalid XML ; a record that is no alias needs a ttl")
        for other in self.existing(Record).values():
            if (other.zone_id, other.fqdn) == (inputs.zone_id, inputs.fqdn) and other.type != inputs.type:
                raise Refused(
                    f"InvalidChangeBatch: [RRSet of type {inputs.type} with DNS name {inputs.fqdn}. is not permitted "
                    f"as it conflicts with other records with the same DNS name in zone {inputs.zone_id}]"
                )
        for alias in inputs.aliases:
            return self._alias_address(alias)
        return inputs.records[0] if inputs.type == "A" else None

    def _alias_address(self, alias: Alias) -> str:
        targets = [balancer for balancer in self.region.balancers.values() if balancer.name == alias.name.rstrip(".")]
        if not targets or alias.zone_id != HOSTED_ZONE:
            raise Refused(
                f"InvalidChangeBatch: [Tried to create an alias that targets {alias.name}, type A in zone "
                f"{alias.zone_id}, but the alias target name does not lie within the target zone]"
            )
        return targets[0].endpoint.public or targets[0].endpoint.address


RESOURCE_TYPES = [Record]
