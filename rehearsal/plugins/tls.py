"""Stand-in for pulumi-tls: real keys from the cryptography library."""

from __future__ import annotations

import hashlib
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rehearsal.plugins.protocol import InputModel, Properties, Provider, ResourceType


class PrivateKeyInputs(InputModel):
    algorithm: Literal["ED25519"]


class PrivateKey(ResourceType[PrivateKeyInputs]):
    """An Ed25519 key pair, in every form that the provider outputs."""

    token = "tls:index/privateKey:PrivateKey"
    replaces = frozenset({"algorithm"})
    computed = frozenset({
        "privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh", "publicKeyPem", "publicKeyOpenssh",
        "publicKeyFingerprintMd5", "publicKeyFingerprintSha256",
    })  # fmt: skip

    def create(self, inputs: PrivateKeyInputs, urn: str) -> tuple[str, Properties]:
        key = Ed25519PrivateKey.generate()
        pkcs8 = private(key, serialization.PrivateFormat.PKCS8)
        public = key.public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        openssh = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
        return hashlib.sha1(pem.encode(), usedforsecurity=False).hexdigest(), {
            "privateKeyPem": pkcs8,
            "privateKeyPemPkcs8": pkcs8,
            "privateKeyOpenssh": private(key, serialization.PrivateFormat.OpenSSH),
            "publicKeyPem": pem,
            "publicKeyOpenssh": f"{openssh}\n",
            "publicKeyFingerprintMd5": "",
            "publicKeyFingerprintSha256": "",
        }

    def read(self, resource_id: str) -> bool:
        return True

    def delete(self, resource_id: str, state: Properties, inputs: PrivateKeyInputs) -> None: ...


def private(key: Ed25519PrivateKey, form: serialization.PrivateFormat) -> str:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def provider() -> Provider:
    return Provider("tls", [PrivateKey()])
