"""Checks of the certificate that the site's own balancers serve, and of its private key. Both are PEM texts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SET_CERTIFICATE = "set it with: pulumi config set --path tls.certificate <chain.pem"
RENEW_BEFORE = timedelta(days=21)
"""Time before a certificate's end in which `pulumi up` warns. Clients of ACME renew 30 days before it."""

SET_KEY = "set it with: pulumi config set --secret tls_private_key <key.pem"


def chain_errors(pem: str, name: str | None) -> Iterator[str]:
    """Yield what is wrong with a certificate and those that signed it.

    `name`: the domain or the IP address that visitors use; None if it is not known.
    """
    chain = certificates(pem)
    if not chain:
        yield f"is not a certificate in PEM form; {SET_CERTIFICATE}"
        return
    now = datetime.now(UTC)
    for place, certificate in enumerate(chain, 1):
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if end < now:
            yield f"certificate {place} of {len(chain)} expired on {end:%Y-%m-%d}; renew it"
        if begin > now:
            yield f"certificate {place} of {len(chain)} is valid from {begin:%Y-%m-%d} on; use one that is valid now"
    for place, (certificate, issuer) in enumerate(pairwise(chain), 1):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, TypeError, ValueError):
            yield (
                f"certificate {place + 1} of {len(chain)} did not sign certificate {place}; "
                "write the site's own first, then each one's issuer"
            )
    names = names_of(chain[0])
    if name and not {name, f"*.{name.partition('.')[2]}"} & {*names}:
        yield f"names {', '.join(names) or 'no host'}, but visitors use {name}; use a certificate that names it"


def key_errors(pem: str, chain: str) -> Iterator[str]:
    """Yield what is wrong with a private key. `chain`: its certificate and those that signed it."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        yield "has a passphrase, which the balancers do not know; remove it with: openssl pkey"
    except (UnsupportedAlgorithm, ValueError):
        yield f"is not a private key in PEM form; {SET_KEY}"
    else:
        own = certificates(chain)[:1]
        if own and own[0].public_key() != key.public_key():
            yield "is not the key of the first certificate in tls.certificate; use the two that belong together"


def expires_soon(pem: str) -> datetime | None:
    """The end of the first certificate in a chain that expires within `RENEW_BEFORE`; None if no one does."""
    end = min(certificate.not_valid_after_utc for certificate in certificates(pem))
    return end if end < datetime.now(UTC) + RENEW_BEFORE else None


def certificates(pem: str) -> list[x509.Certificate]:
    """The certificates in a PEM text; none if it has another form."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return []


def names_of(certificate: x509.Certificate) -> list[str]:
    """The domains and IP addresses that a certificate names. Browsers ignore its common name (RFC 9525)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = names.get_values_for_type(x509.IPAddress)
    return [name.lower() for name in names.get_values_for_type(x509.DNSName)] + [str(address) for address in addresses]
