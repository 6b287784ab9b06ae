"""DNS records in the operator's domains at DigitalOcean."""

from __future__ import annotations

import secrets
from ipaddress import IPv4Address
from typing import Literal

from rehearsal.plugins.digitalocean.resource_type import DigitalOceanResourceType, InputModel, Properties, Refused


class DnsRecordInputs(InputModel):
    domain: str
    type: Literal["A"]
    name: str
    value: str
    ttl: int = 1800

    @property
    def fqdn(self) -> str:
        return self.domain if self.name == "@" else f"{self.name}.{self.domain}"


class DnsRecord(DigitalOceanResourceType[DnsRecordInputs]):
    """A record of type A, which resolves in the region."""

    token = "digitalocean:index/dnsRecord:DnsRecord"
    replaces = frozenset({"domain", "type"})
    in_place = frozenset({"name", "value", "ttl"})
    computed = frozenset({"fqdn"})
    unique = False

    def new_id(self, inputs: DnsRecordInputs) -> str:
        return str(100_000_000 + secrets.randbelow(900_000_000))

    def on_create(self, resource_id: str, inputs: DnsRecordInputs) -> Properties:
        try:
            IPv4Address(inputs.value)
        except ValueError as error:
            raise Refused(f"{self.token}: 422 Data needs to be an IPv4 address") from error
        self.region.dns.set(inputs.fqdn, inputs.value)
        return {"fqdn": inputs.fqdn}

    def on_update(self, resource_id: str, old: DnsRecordInputs, new: DnsRecordInputs) -> Properties:
        self.on_delete(resource_id, old)
        return self.on_create(resource_id, new)

    def on_delete(self, resource_id: str, inputs: DnsRecordInputs) -> None:
        self.region.dns.set(inputs.fqdn, None)


RESOURCE_TYPES = [DnsRecord]
