"""The certificate of the site's domain, from Amazon's authority (ACM)."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import acm, route53


@dataclass(frozen=True)
class SiteCertificateArgs:
    """`domain`: the site's domain. `zone_id`: the hosted zone that has it."""

    domain: str
    zone_id: str


class SiteCertificate(pulumi.ComponentResource):
    """A certificate, and the DNS record by which Amazon validates the domain, now and at each renewal.

    `arn`: of the certificate, once it is issued.
    """

    def __init__(self, name: str, args: SiteCertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:aws:SiteCertificate", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        certificate = acm.Certificate(
            name,
            domain_name=args.domain,
            validation_method="DNS",
            tags={"Name": f"{pulumi.get_stack()}-{name}", "Stack": pulumi.get_stack()},
            opts=child,
        )
        validation = certificate.domain_validation_options[0]
        record = route53.Record(
            f"{name}-validation",
            zone_id=args.zone_id,
            name=validation.resource_record_name,
            type=validation.resource_record_type,
            records=[validation.resource_record_value],
            ttl=300,
            # every certificate of one account for one domain has the same record (ACM user guide, "DNS validation")
            allow_overwrite=True,
            opts=child,
        )
        # with the record's name, a record in the wrong zone is an error at once
        self.arn = acm.CertificateValidation(
            name, certificate_arn=certificate.arn, validation_record_fqdns=[record.fqdn], opts=child
        ).certificate_arn
        self.register_outputs({"arn": self.arn})
