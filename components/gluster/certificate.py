"""TLS for storage: an authority of the stack, and a certificate for every machine that holds or mounts the volume."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_tls as tls

from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")

ALGORITHM = "ED25519"
YEAR = 365 * 24
"""Hours."""
VALIDITY = 10 * YEAR
"""Hours for which a certificate is valid."""
RENEWAL = YEAR
"""Hours before a certificate's end in which `pulumi up` renews it. GlusterFS reads a new one when it next starts, so
every node has to restart once within that time (docs/operations.md).
"""


class Authority(pulumi.ComponentResource):
    """The stack's own certificate authority for storage: it signs nothing else.

    A renewed certificate has the same key and name, so machines that still trust the old one trust each other.
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Authority", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.key = tls.PrivateKey(name, algorithm=ALGORITHM, opts=child).private_key_pem
        self.certificate = tls.SelfSignedCert(
            name,
            private_key_pem=self.key,
            subject=tls.SelfSignedCertSubjectArgs(common_name=f"{pulumi.get_stack()} storage"),
            is_ca_certificate=True,
            allowed_uses=["cert_signing"],
            validity_period_hours=VALIDITY,
            early_renewal_hours=RENEWAL,
            opts=child,
        ).cert_pem
        self.register_outputs({})


TLS = {"client.ssl": "on", "server.ssl": "on", "auth.ssl-allow": "*"}
"""Options of a volume that encrypt the traffic of files. A machine with any certificate of the authority may mount it:
a list of names would change the volume with every machine.
"""


@dataclass(frozen=True)
class CertificateArgs:
    """One machine."""

    host: RemoteHost
    """The machine."""
    authority: Authority
    """Signs its certificate."""
    common_name: str
    """Its host name, which the certificate bears."""


class Certificate(pulumi.ComponentResource):
    """A machine's key and certificate, with which it speaks TLS to glusterd and to bricks (one step).

    The step enables TLS only on a machine that is in no pool and has no mount of a volume yet: a pool and its clients
    must change together. On a machine of an unencrypted pool it only writes the files, and `pulumi up` shows a warning.
    """

    def __init__(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Certificate", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        key = tls.PrivateKey(f"{name}-storage", algorithm=ALGORITHM, opts=child).private_key_pem
        request = tls.CertRequest(
            f"{name}-storage",
            private_key_pem=key,
            subject=tls.CertRequestSubjectArgs(common_name=args.common_name),
            opts=child,
        )
        certificate = tls.LocallySignedCert(
            f"{name}-storage",
            ca_private_key_pem=args.authority.key,
            ca_cert_pem=args.authority.certificate,
            cert_request_pem=request.cert_request_pem,
            allowed_uses=["digital_signature", "client_auth", "server_auth"],
            validity_period_hours=VALIDITY,
            early_renewal_hours=RENEWAL,
            opts=child,
        )
        self.step = args.host.run(
            "certificate",
            SCRIPT,
            params={"CERTIFICATE": certificate.cert_pem, "AUTHORITY": args.authority.certificate},
            secrets={"KEY": key},
            opts=child,
        )
        self.step.stdout.apply(lambda output: warn(name, output))
        self.register_outputs({})


def warn(node: str, output: str | None) -> None:
    """Show the step's output, which is empty unless the node's pool is unencrypted, as a warning."""
    if output:
        pulumi.log.warn(f"{node}: {output.strip()}")
