"""User data: the parts of cloud-init/ that a machine needs at its first boot, in one text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

PARTS = Path(__file__).parents[2] / "cloud-init"
LIMIT = 16384
"""Maximum size of user data in bytes: EC2's limit, the lowest of the clouds."""

MERGE = "list(append)+dict(no_replace,recurse_list)+str()"
"""Merge rule that appends the lists of all parts. By default cloud-init keeps the `packages` of one part only (its
documentation, "Merging user-data sections").
"""


def render(parts: Sequence[str], host_private_key: str, host_public_key: str) -> str:
    """User data in MIME format: the named files of cloud-init/, then the SSH host key.

    `parts`: file names without `.yaml`. `host_private_key`: in OpenSSH's format; it makes the returned text a secret.
    `host_public_key`: in the format of authorized_keys.

    Raises ValueError if the text is larger than a cloud accepts.
    """
    host_key = {
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": host_private_key, "ed25519_public": host_public_key},
    }
    texts = {name: (PARTS / f"{name}.yaml").read_text() for name in parts}
    # JSON is valid YAML and quotes the key's line breaks
    texts["host-key"] = f"#cloud-config\n{json.dumps(host_key)}\n"
    # a fixed boundary, so that the text changes only when a part does
    message = MIMEMultipart(boundary="part")
    for name, text in texts.items():
        part = MIMEText(text, "cloud-config", "us-ascii")
        part.add_header("Content-Disposition", "attachment", filename=f"{name}.yaml")
        part.add_header("Merge-Type", MERGE)
        message.attach(part)
    rendered = message.as_string()
    if len(rendered.encode()) > LIMIT:
        raise ValueError(
            f"The user data of {', '.join(parts)} has {len(rendered)} bytes, but a cloud accepts only {LIMIT}; "
            "move files of cloud-init/ into steps."
        )
    return rendered
