"""Certificates by ACME (RFC 8555): each balancer obtains its own, and renews it, with one account for all of them.

HAProxy answers every challenge of that account, as an answer takes only the thumbprint of its key. The authority may
therefore reach any balancer, and the balancers share no certificate and no key of one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pulumi
import pulumi_tls as tls
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from components.config.settings import Acme
from components.machine.template import render

HERE = Path(__file__).parent


class AcmeAccount(pulumi.ComponentResource):
    """The key of the site's account at the authority; the balancers register it there, and nothing else is needed."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:balancer:AcmeAccount", name, None, opts)
        made = tls.PrivateKey(name, algorithm="ECDSA", ecdsa_curve="P256", opts=pulumi.ResourceOptions(parent=self))
        self.key = made.private_key_pem
        self.thumbprint = made.public_key_pem.apply(thumbprint)
        self.register_outputs({})


@dataclass(frozen=True)
class AcmeCertificate:
    """A certificate that a balancer obtains by ACME."""

    domain: str
    """The site's domain, the only name in it."""
    address: pulumi.Input[str]
    """The virtual IP, to which the domain's DNS record points unless visitors come through a proxy."""
    settings: Acme
    """The authority, and the address for its notices."""
    account: AcmeAccount
    """The site's account there."""


def thumbprint(public_key: str) -> str:
    """A P-256 key's thumbprint (RFC 7638), with which a challenge is answered. `public_key`: as PEM text."""
    key = load_pem_public_key(public_key.encode())
    assert isinstance(key, EllipticCurvePublicKey)
    point = key.public_numbers()
    coordinates = {name: base64url(number.to_bytes(32)) for name, number in (("x", point.x), ("y", point.y))}
    members = json.dumps({"crv": "P-256", "kty": "EC", **coordinates}, separators=(",", ":"))
    return base64url(hashlib.sha256(members.encode()).digest())


def base64url(octets: bytes) -> str:
    """Octets as base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def acme_params(domain: str, settings: Acme) -> dict[str, str]:
    """Parameters of haproxy.sh, except ADDRESS, for a balancer that obtains a certificate of `domain`."""
    # another authority's account and certificates are elsewhere, so that a certificate of a test is not kept
    home = f"/var/lib/ha-wordpress/acme/{urlsplit(settings.directory).hostname}"
    script = render(
        HERE / "site-certificate.sh",
        DOMAIN=domain,
        ADDRESS="@ADDRESS@",
        DIRECTORY=shlex.quote(settings.directory),
        EMAIL=shlex.quote(settings.email),
        HOME=home,
    )
    return {
        "ACME_DOMAIN": domain,
        "ACME_HOME": home,
        "ACME_SCRIPT": script,
        "ACME_SERVICE": (HERE / "site-certificate.service").read_text(),
        "ACME_TIMER": (HERE / "site-certificate.timer").read_text(),
    }
