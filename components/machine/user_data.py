"""What a machine is told at its first boot: cloud-init's parts, merged into one text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

PARTS = Path(__file__).parents[2] / "cloud-init"
LIMIT = 16384
"""Bytes that EC2 takes, the least of the clouds."""

MERGE = "list(append)+dict(no_replace,recurse_list)+str()"
"""Each part adds to the lists of those before it, as cloud-init would otherwise keep one part's `packages` only
(its documentation, "Merging user-data sections")."""


def render(parts: Sequence[str], host_private_key: str, host_public_key: str) -> str:
    """User data in MIME form: the named files of cloud-init/, then the SSH host key.

    `parts`: file names without `.yaml`. `host_private_key`: in OpenSSH's form, so the text is a secret.
    `host_public_key`: in authorized_keys form.

    Raises ValueError when the text is larger than a cloud takes.
    """
    host_key = {
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": host_private_key, "ed25519_public": host_public_key},
    }
    texts = {name: (PARTS / f"{name}.yaml").read_text() for name in parts}
    # JSON is YAML, and quotes the key's line breaks
    texts["host-key"] = f"#cloud-config\n{json.dumps(host_key)}\n"
    # a boundary that never changes, so that the text changes only when a part does
    message = MIMEMultipart(boundary="part")
    for name, text in texts.items():
        part = MIMEText(text, "cloud-config", "us-ascii")
        part.add_header("Content-Disposition", "attachment", filename=f"{name}.yaml")
        part.add_header("Merge-Type", MERGE)
        message.attach(part)
    rendered = message.as_string()
    if len(rendered.encode()) > LIMIT:
        raise ValueError(f"User data of {', '.join(parts)} is {len(rendered)} bytes; a cloud takes {LIMIT}.")
    return rendered
