"""ACM: certificates that are issued once their DNS records exist."""

from __future__ import annotations

import datetime
import hashlib
import re
import time
import uuid
from collections.abc import Iterator
from typing import Literal

from rehearsal.plugins.aws.dns import Record
from rehearsal.plugins.aws.resource_type import (
    AwsResourceType,
    Call,
    InputModel,
    Properties,
    Refused,
    Tags,
    tag_list,
)
from rehearsal.region.ca import Certificate

LABEL = r"(?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9]"
DOMAIN = re.compile(rf"(\*\.)?({LABEL}\.)+{LABEL}")
"""Form of a domain (ACM API reference, "RequestCertificate")."""
VALIDATION_LIMIT = 10.0
"""Seconds that a validation waits for its records; the provider waits 75 minutes."""


class AcmCertificateInputs(InputModel):
    domain_name: str
    subject_alternative_names: list[str] = []
    validation_method: Literal["DNS"]
    tags: Tags = {}


class AcmCertificate(AwsResourceType[AcmCertificateInputs]):
    token = "aws:acm/certificate:Certificate"
    replaces = frozenset({"domainName", "subjectAlternativeNames", "validationMethod"})
    computed = frozenset({"arn", "domainValidationOptions", "status", "type"})

    def calls(self, inputs: AcmCertificateInputs) -> Iterator[Call]:
        yield Call(
            "acm",
            "RequestCertificate",
            DomainName=inputs.domain_name,
            SubjectAlternativeNames=inputs.subject_alternative_names,
            ValidationMethod=inputs.validation_method,
            Tags=tag_list(inputs.tags),
        )

    def new_id(self, inputs: AcmCertificateInputs) -> str:
        return self.arn("acm", f"certificate/{uuid.uuid4()}")

    def on_create(self, resource_id: str, inputs: AcmCertificateInputs) -> Properties:
        names = domains(inputs)
        for name in names:
            if not DOMAIN.fullmatch(name) or len(name) > 253:
                raise Refused(f"ValidationException: {name!r} does not satisfy the pattern of a domain name")
        self.region.certificates[resource_id] = Certificate(names)
        return {
            "arn": resource_id,
            "domainValidationOptions": [validation_option(name) for name in names],
            "status": "PENDING_VALIDATION",
            "type": "AMAZON_ISSUED",
        }

    def on_delete(self, resource_id: str, inputs: AcmCertificateInputs) -> None:
        certificate = self.region.certificates[resource_id]
        listeners = [one for balancer in self.region.balancers.values() for one in balancer.listeners.values()]
        if any(listener.certificate is certificate for listener in listeners):
            raise Refused(f"ResourceInUseException: Certificate {resource_id} is in use")
        del self.region.certificates[resource_id]


def domains(inputs: AcmCertificateInputs) -> list[str]:
    return list(dict.fromkeys([inputs.domain_name, *inputs.subject_alternative_names]))


def validation_option(domain: str) -> dict[str, str]:
    """The DNS record that validates a domain: always the same one in an account."""
    digest = hashlib.sha256(domain.encode()).hexdigest()
    return {
        "domainName": domain,
        "resourceRecordName": f"_{digest[:32]}.{domain.removeprefix('*.')}.",
        "resourceRecordType": "CNAME",
        "resourceRecordValue": f"_{digest[32:]}.acm-validations.aws.",
    }


class CertificateValidationInputs(InputModel):
    certificate_arn: str
    validation_record_fqdns: list[str] = []


class CertificateValidation(AwsResourceType[CertificateValidationInputs]):
    """The wait until a certificate is issued; deleting it changes nothing."""

    token = "aws:acm/certificateValidation:CertificateValidation"
    replaces = frozenset({"certificateArn", "validationRecordFqdns"})
    not_sent = frozenset({"validation_record_fqdns"})

    def calls(self, inputs: CertificateValidationInputs) -> Iterator[Call]:
        yield Call("acm", "DescribeCertificate", CertificateArn=inputs.certificate_arn)

    def new_id(self, inputs: CertificateValidationInputs) -> str:
        return f"{datetime.datetime.now(datetime.UTC).isoformat(' ')} UTC"

    def on_create(self, resource_id: str, inputs: CertificateValidationInputs) -> Properties:
        arn = inputs.certificate_arn
        if arn not in self.region.records:
            raise Refused(f"ResourceNotFoundException: Could not find certificate {arn}")
        options = [validation_option(domain) for domain in domains(self.inputs_of(AcmCertificate, arn))]
        if inputs.validation_record_fqdns:
            self._refuse_missing(options, inputs.validation_record_fqdns)
        end = time.monotonic() + VALIDATION_LIMIT
        while not all(map(self._is_in_dns, options)):
            if time.monotonic() > end:
                raise Refused(
                    f"waiting for ACM Certificate ({arn}) to be issued: timeout while waiting for state to become "
                    f"'ISSUED' (last state: 'PENDING_VALIDATION', timeout: {VALIDATION_LIMIT:g}s)"
                )
            time.sleep(0.1)
        self.region.certificates[arn].issued = True
        return {}

    @staticmethod
    def _refuse_missing(options: list[dict[str, str]], fqdns: list[str]) -> None:
        """Raise the provider's error for validation records that the input does not list."""
        listed = {fqdn.rstrip(".") for fqdn in fqdns}
        missing = [option for option in options if option["resourceRecordName"].rstrip(".") not in listed]
        if missing:
            lines = (
                f"missing {option['domainName']} DNS validation record: {option['resourceRecordName'].rstrip('.')}"
                for option in missing
            )
            raise Refused("\n".join(lines))

    def _is_in_dns(self, option: dict[str, str]) -> bool:
        """Whether the record exists with the right value."""
        return any(
            record.type == option["resourceRecordType"]
            and record.fqdn == option["resourceRecordName"].rstrip(".")
            and [value.rstrip(".") for value in record.records] == [option["resourceRecordValue"].rstrip(".")]
            for record in self.existing(Record).values()
        )


RESOURCE_TYPES = [AcmCertificate, CertificateValidation]
