"""A mail server that asks for a password: `python -m tests.scripts.mail_server ADDRESS DIRECTORY ENCRYPTION`.

DIRECTORY has its certificate and key, and gets the mail as a Maildir. ENCRYPTION: `starttls` on port 587, `implicit` on
port 465, or `none` on port 587, which offers no encryption and takes a password without it.
"""

from __future__ import annotations

import logging
import signal
import ssl
import sys
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.scripts import params


def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: object) -> AuthResult:
    expected = LoginPassword(params.SMTP_USER.encode(), params.SMTP_PASSWORD.encode())
    return AuthResult(success=login == expected, handled=False)


def main() -> None:
    address, directory, encryption = sys.argv[1:]
    logging.basicConfig(level=logging.INFO)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(directory, "certificate.pem"), Path(directory, "key.pem"))
    starttls = encryption == "starttls"
    Controller(
        Mailbox(Path(directory, "mail")),
        hostname=address,
        port=465 if encryption == "implicit" else 587,
        ssl_context=context if encryption == "implicit" else None,
        tls_context=context if starttls else None,
        require_starttls=starttls,
        auth_required=True,
        auth_require_tls=starttls,
        authenticator=authenticate,
    ).start()
    signal.pause()


if __name__ == "__main__":
    main()
