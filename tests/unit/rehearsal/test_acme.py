"""The drill's check that balancers obtain certificates."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from rehearsal.drills.acme import certificates_check
from rehearsal.region.control import RegionControl

BALANCER = """#!/bin/sh
case $1 in
systemctl) exit {status} ;;
journalctl) [ "$2" = --sync ] || echo "the domain is refused" ;;
sh) echo "{shown}" ;;
esac
"""
"""Stands for a balancer. `status`: of its service; `shown`: what openssl says of the certificate that it serves."""
PEBBLE = "issuer=CN = Pebble Intermediate CA 0a1b2c"


@pytest.mark.parametrize(
    ("status", "shown", "passed", "measured"),
    [
        (0, PEBBLE, True, "s"),
        (1, PEBBLE, False, "lb2: the domain is refused"),
        (0, "issuer=O = ha-wordpress", False, "lb2 serves a certificate of O = ha-wordpress, not of Pebble"),
        (0, "", False, "lb2 serves a certificate of no authority, not of Pebble"),
    ],
)
def test_each_balancer_must_serve_a_certificate_of_the_authority(
    tmp_path: Path, status: int, shown: str, passed: bool, measured: str
) -> None:
    for name, text in {
        "lb1": BALANCER.format(status=0, shown=PEBBLE),
        "lb2": BALANCER.format(status=status, shown=shown),
    }.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    control = Mock(spec=RegionControl)
    control.exec_prefix.side_effect = lambda name: [str(tmp_path / name)]
    check = certificates_check(control, ["lb1", "lb2"], "www.rehearsal.test")
    assert (check.passed, check.measured if not passed else check.measured[-1]) == (passed, measured)
