"""Stand-in for pulumi-tls: real keys and certificates from the cryptography library."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rehearsal.plugins.protocol import InputModel, Properties, Provider, Refused, ResourceType

EXTENDED_USES = {"client_auth": ExtendedKeyUsageOID.CLIENT_AUTH, "server_auth": ExtendedKeyUsageOID.SERVER_AUTH}


class PrivateKeyInputs(InputModel):
    algorithm: Literal["ED25519", "ECDSA"]
    ecdsa_curve: Literal["P256"] | None = None


class PrivateKey(ResourceType[PrivateKeyInputs]):
    """A key pair of Ed25519 or of ECDSA with P-256, in every form that the provider outputs."""

    token = "tls:index/privateKey:PrivateKey"
    replaces = frozenset({"algorithm", "ecdsaCurve"})
    computed = frozenset({
        "privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh", "publicKeyPem", "publicKeyOpenssh",
        "publicKeyFingerprintMd5", "publicKeyFingerprintSha256",
    })  # fmt: skip

    def create(self, inputs: PrivateKeyInputs, urn: str) -> tuple[str, Properties]:
        key: Ed25519PrivateKey | EllipticCurvePrivateKey
        own_format = serialization.PrivateFormat.PKCS8
        if inputs.algorithm == "ED25519":
            key = Ed25519PrivateKey.generate()
        elif inputs.ecdsa_curve == "P256":
            key = generate_private_key(SECP256R1())
            own_format = serialization.PrivateFormat.TraditionalOpenSSL
        else:
            raise Refused(f"{self.token}: ECDSA without the curve P256 is not supported by the rehearsal")
        public = key.public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        openssh = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
        return hashlib.sha1(pem.encode(), usedforsecurity=False).hexdigest(), {
            "privateKeyPem": private(key, own_format),
            "privateKeyPemPkcs8": private(key, serialization.PrivateFormat.PKCS8),
            "privateKeyOpenssh": private(key, serialization.PrivateFormat.OpenSSH),
            "publicKeyPem": pem,
            "publicKeyOpenssh": f"{openssh}\n",
            "publicKeyFingerprintMd5": "",
            "publicKeyFingerprintSha256": "",
        }

    def read(self, resource_id: str) -> bool:
        return True

    def delete(self, resource_id: str, state: Properties, inputs: PrivateKeyInputs) -> None: ...


class Subject(InputModel):
    common_name: str

    @property
    def name(self) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.common_name)])


class Validity(InputModel):
    """The inputs of every type of certificate."""

    validity_period_hours: int
    early_renewal_hours: int = 0
    allowed_uses: list[Literal["cert_signing", "digital_signature", "client_auth", "server_auth"]]
    is_ca_certificate: bool = False


class SelfSignedCertInputs(Validity):
    private_key_pem: str
    subject: Subject


CERTIFICATE = frozenset({"certPem", "keyAlgorithm", "readyForRenewal", "validityStartTime", "validityEndTime"})
"""Outputs of every type of certificate."""


class SelfSignedCert(ResourceType[SelfSignedCertInputs]):
    """A certificate that its own key signs."""

    token = "tls:index/selfSignedCert:SelfSignedCert"
    replaces = frozenset({"privateKeyPem", "subject", "validityPeriodHours", "allowedUses", "isCaCertificate"})
    computed = CERTIFICATE

    def create(self, inputs: SelfSignedCertInputs, urn: str) -> tuple[str, Properties]:
        key, name = load_key(inputs.private_key_pem), inputs.subject.name
        return certificate(inputs, name, key.public_key(), name, key)

    def update(self, resource_id: str, old: Properties, inputs: SelfSignedCertInputs) -> Properties:
        return {}

    def read(self, resource_id: str) -> bool:
        return True

    def delete(self, resource_id: str, state: Properties, inputs: SelfSignedCertInputs) -> None: ...


class CertRequestInputs(InputModel):
    private_key_pem: str
    subject: Subject


class CertRequest(ResourceType[CertRequestInputs]):
    """A request for a certificate (PKCS 10)."""

    token = "tls:index/certRequest:CertRequest"
    replaces = frozenset({"privateKeyPem", "subject"})
    computed = frozenset({"certRequestPem", "keyAlgorithm"})

    def create(self, inputs: CertRequestInputs, urn: str) -> tuple[str, Properties]:
        request = x509.CertificateSigningRequestBuilder(inputs.subject.name).sign(
            load_key(inputs.private_key_pem), algorithm=None
        )
        pem = request.public_bytes(serialization.Encoding.PEM).decode()
        identity = hashlib.sha1(pem.encode(), usedforsecurity=False).hexdigest()
        return identity, {"certRequestPem": pem, "keyAlgorithm": "ED25519"}

    def read(self, resource_id: str) -> bool:
        return True

    def delete(self, resource_id: str, state: Properties, inputs: CertRequestInputs) -> None: ...


class LocallySignedCertInputs(Validity):
    ca_private_key_pem: str
    ca_cert_pem: str
    cert_request_pem: str


class LocallySignedCert(ResourceType[LocallySignedCertInputs]):
    """A certificate for a request, which an authority's key signs."""

    token = "tls:index/locallySignedCert:LocallySignedCert"
    replaces = frozenset({
        "caPrivateKeyPem", "caCertPem", "certRequestPem", "validityPeriodHours", "allowedUses", "isCaCertificate",
    })  # fmt: skip
    computed = CERTIFICATE | {"caKeyAlgorithm"}

    def create(self, inputs: LocallySignedCertInputs, urn: str) -> tuple[str, Properties]:
        request = x509.load_pem_x509_csr(inputs.cert_request_pem.encode())
        authority = x509.load_pem_x509_certificate(inputs.ca_cert_pem.encode())
        public = request.public_key()
        assert isinstance(public, Ed25519PublicKey)
        signer = load_key(inputs.ca_private_key_pem)
        identity, outputs = certificate(inputs, request.subject, public, authority.subject, signer)
        return identity, outputs | {"caKeyAlgorithm": "ED25519"}

    def update(self, resource_id: str, old: Properties, inputs: LocallySignedCertInputs) -> Properties:
        return {}

    def read(self, resource_id: str) -> bool:
        return True

    def delete(self, resource_id: str, state: Properties, inputs: LocallySignedCertInputs) -> None: ...


def certificate(
    inputs: Validity, subject: x509.Name, key: Ed25519PublicKey, issuer: x509.Name, signer: Ed25519PrivateKey
) -> tuple[str, Properties]:
    """Sign a certificate; returns its id and the outputs of `CERTIFICATE`."""
    start = datetime.now(UTC).replace(microsecond=0)
    end = start + timedelta(hours=inputs.validity_period_hours)
    uses = set(inputs.allowed_uses)
    flags = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign",
         "encipher_only", "decipher_only"),
        False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), start, end)
        .add_extension(x509.BasicConstraints(inputs.is_ca_certificate, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature="digital_signature" in uses, key_cert_sign="cert_signing" in uses, **flags),
            critical=True,
        )
    )
    if extended := [EXTENDED_USES[use] for use in sorted(uses & EXTENDED_USES.keys())]:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    made = builder.sign(signer, algorithm=None)
    return str(made.serial_number), {
        "certPem": made.public_bytes(serialization.Encoding.PEM).decode(),
        "keyAlgorithm": "ED25519",
        "readyForRenewal": False,
        "validityStartTime": start.isoformat(),
        "validityEndTime": end.isoformat(),
    }


def load_key(pem: str) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def private(key: Ed25519PrivateKey | EllipticCurvePrivateKey, form: serialization.PrivateFormat) -> str:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def provider() -> Provider:
    return Provider("tls", [PrivateKey(), SelfSignedCert(), CertRequest(), LocallySignedCert()])
