"""Root certificates of RDS."""

from __future__ import annotations

import re
from pathlib import Path

BUNDLE = Path(__file__).with_name("rds-ca.pem")


def database_ca(region: str) -> str:
    """Root certificates of RDS in one region, as PEM text; empty for a region that the bundle lacks."""
    roots = re.findall(
        rf"^# Amazon RDS {re.escape(region)} Root CA .*\n((?:.+\n)+)", BUNDLE.read_text(), flags=re.MULTILINE
    )
    return "".join(roots)
