"""Certificates of Let's Encrypt, which DigitalOcean gets and renews for domains in its DNS."""

from __future__ import annotations

import datetime
import secrets
import uuid
from typing import Annotated, Literal

from pydantic import Field

from rehearsal.plugins.digitalocean.balancer import LoadBalancer
from rehearsal.plugins.digitalocean.resource_type import (
    DigitalOceanResourceType,
    InputModel,
    Name,
    Properties,
    Refused,
)
from rehearsal.region.ca import Certificate

LIFETIME = datetime.timedelta(days=90)


class SiteCertificateInputs(InputModel):
    name: Name
    type: Literal["lets_encrypt"]
    domains: Annotated[list[str], Field(min_length=1)]


class SiteCertificate(DigitalOceanResourceType[SiteCertificateInputs]):
    """A certificate; its id is its name. The domain that DigitalOcean's DNS must have is the operator's."""

    token = "digitalocean:index/certificate:Certificate"
    replaces = frozenset({"name", "type", "domains"})
    computed = frozenset({"notAfter", "sha1Fingerprint", "state", "uuid"})

    def new_id(self, inputs: SiteCertificateInputs) -> str:
        return inputs.name

    def on_create(self, resource_id: str, inputs: SiteCertificateInputs) -> Properties:
        self.region.certificates[resource_id] = Certificate(inputs.domains, issued=True)
        return {
            "notAfter": (datetime.datetime.now(datetime.UTC) + LIFETIME).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sha1Fingerprint": secrets.token_hex(20),
            "state": "verified",
            "uuid": str(uuid.uuid4()),
        }

    def on_delete(self, resource_id: str, inputs: SiteCertificateInputs) -> None:
        for balancer in self.existing(LoadBalancer).values():
            if any(rule.certificate_name == resource_id for rule in balancer.forwarding_rules):
                raise Refused(f"{self.token}: 403 Make sure the certificate is not in use before deleting it")
        del self.region.certificates[resource_id]


RESOURCE_TYPES = [SiteCertificate]
