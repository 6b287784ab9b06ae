"""A stack that an earlier version deployed keeps every machine, disk and step under this one.

The images of the earlier version do not exist here, so both versions get one by name.

Commit 329301f is the last one whose components had their earlier names. Their type tokens are part of the URNs of the
components' resources, so the engine finds those resources by the components' aliases only (components/formerly.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.plugins.aws import compute
from rehearsal.preview import trees
from rehearsal.preview.comparison import Preview, compare
from rehearsal.project import REPOSITORY
from tests.preview.conftest import copy_program, edit_settings, plain_http

EARLIER = "329301f"
COMMAND = "command:remote:Command"
IN_PLACE = {
    # the text of a step, and the address that it connects to: a node's elastic IP
    COMMAND: {"create", "update", "delete", "stdin", "connection"},
    "aws:ec2/instance:Instance": {"creditSpecification"},
    # the provider's own flag, for a later deletion
    "aws:ec2/volumeAttachment:VolumeAttachment": {"stopInstanceBeforeDetaching"},
    "aws:ebs/volume:Volume": {"finalSnapshot"},
    "aws:rds/instance:Instance": {"finalSnapshotIdentifier", "maxAllocatedStorage"},
    "digitalocean:index/droplet:Droplet": {"resizeDisk"},
}
"""The inputs that may change in place, by type. None of these changes stops a machine or a database."""


def as_written(config: dict[str, Any]) -> None:
    """The stack's own settings."""


def balancers(config: dict[str, Any]) -> None:
    """Settings of a site behind balancers of its own, which have a virtual IP and, on DigitalOcean, a VXLAN tunnel."""
    for key in ("nodes", "site", "database"):
        config.pop(f"ha-wordpress:{key}", None)
    config |= {"ha-wordpress:topology": "balancers", "ha-wordpress:web": "sessions"}
    config["ha-wordpress:gluster"] = {"volume": "sessions"}
    if config.get("ha-wordpress:cloud") == "digitalocean":
        config["ha-wordpress:balancer_token"] = "dop_v1_0123456789abcdef"


def imported(config: dict[str, Any]) -> None:
    """Settings of a site whose files are on a node already."""
    config["ha-wordpress:site"]["import"] = {"directory": "/srv/site"}


STACKS: dict[str, tuple[str, Callable[[dict[str, Any]], None]]] = {
    "aws-wordpress": ("aws-wordpress", as_written),
    "digitalocean-wordpress": ("digitalocean-wordpress", as_written),
    "existing-apache": ("existing-apache", as_written),
    "php-sessions": ("php-sessions", as_written),
    "a site with files of its own": ("aws-wordpress", imported),
    "balancers on AWS": ("aws-wordpress", balancers),
    "balancers on DigitalOcean": ("digitalocean-wordpress", balancers),
}
RENAMED = {
    "aws-wordpress": {"aws:SshKey", "machine:EtcHosts"},
    "digitalocean-wordpress": {"digitalocean:SshKey", "machine:EtcHosts"},
    "existing-apache": {"machine:EtcHosts"},
    "php-sessions": {"machine:EtcHosts"},
    "a site with files of its own": {"aws:SshKey", "machine:EtcHosts", "migrate:DirectoryMigration"},
    "balancers on AWS": {"aws:SshKey", "aws:VirtualIp", "machine:EtcHosts"},
    "balancers on DigitalOcean": {
        "digitalocean:SshKey", "digitalocean:VirtualIp", "digitalocean:VxlanTunnel", "machine:EtcHosts",
    },
}  # fmt: skip
"""The component types of each case that have another token than before."""


IMAGES = {"aws": compute.AMI, "digitalocean": "debian-13-x64"}


def name_image(config: dict[str, Any]) -> None:
    """Name the image of new machines, where the cloud has images."""
    image = IMAGES.get(config.get("ha-wordpress:cloud", "aws"))
    if image:
        config.setdefault("ha-wordpress:machine", {})["image"] = image


def changes(preview: Preview) -> list[str]:
    """Every step except new resources, and updates that change only inputs of `IN_PLACE`."""
    return [
        f"{step['op']} {step['urn']}: {', '.join(step['changed'])}"
        for step in preview.steps
        if step["op"] not in ("same", "create")
        and not (step["op"] == "update" and set(step["changed"]) <= IN_PLACE.get(step["type"], set()))
    ]


@pytest.mark.parametrize("case", STACKS)
def test_nothing_is_replaced_and_only_these_inputs_change(case: str, pulumi: Path, tmp_path: Path) -> None:
    stack, edit = STACKS[case]
    old, new = tmp_path / "old", copy_program(tmp_path / "new")
    trees.export(EARLIER, old)
    for tree in (old, new):
        edit_settings(tree, stack, edit)
        edit_settings(tree, stack, name_image)
    # the earlier version made no certificate and no DNS record
    edit_settings(new, stack, plain_http)
    preview = compare(stack, EARLIER, old, new, pulumi, tmp_path)
    renamed = {step["type"].removeprefix("ha-wordpress:") for step in preview.steps}
    assert renamed >= RENAMED[case]
    assert changes(preview) == []


def test_the_earlier_version_is_in_this_clone() -> None:
    present = trees.git("cat-file", "-e", f"{EARLIER}^{{commit}}").returncode == 0
    assert present, f"{REPOSITORY} has no commit {EARLIER}: it is a shallow clone; run `git fetch --unshallow`"
