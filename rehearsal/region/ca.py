"""The rehearsal's certificate authority: it signs the certificates that the clouds' own authorities would.

Every machine trusts it beside Debian's list, as a rented machine trusts the public authorities.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
FILE = "ca.pem"
"""The certificates of the authorities that a region's visitors trust, in its directory."""


@dataclass
class Certificate:
    """A certificate in the cloud. `domains`: its names. `issued`: whether its authority has validated them."""

    domains: Sequence[str]
    issued: bool = False


class Issued(NamedTuple):
    """A certificate and its private key, as PEM texts."""

    certificate: str
    key: str


def general_name(name: str) -> x509.GeneralName:
    """The name of a host in a certificate: an IP address or a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class CertificateAuthority:
    """A root certificate and its key, made for this rehearsal alone."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rehearsal CA")])
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, directory: Path, *names: str) -> None:
        """Issue a certificate and its key into the files `certificate.pem` and `key.pem` of `directory`."""
        issued = self.issue(*names)
        (directory / "certificate.pem").write_text(issued.certificate)
        (directory / "key.pem").write_text(issued.key)

    def issue(self, *names: str) -> Issued:
        """Make a key and a certificate for DNS names or IP addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]), key.public_key())
        subjects = x509.SubjectAlternativeName([general_name(name) for name in names])
        builder = builder.add_extension(subjects, critical=False)
        signed = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Issued(signed.decode(), private.decode())

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 30 * DAY)
        )
