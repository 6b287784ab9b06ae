"""The two trees of a comparison: a commit's files, and a stack's settings as a preview without secrets needs them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import yaml

from rehearsal.deploy.stacks import certified_name, with_own_values, without_secrets
from rehearsal.project import PROJECT, REPOSITORY
from rehearsal.region.ca import CertificateAuthority, Issued
from rehearsal.region.preexisting import new_key

GIT_LIMIT = 60
"""Seconds that one git command may take."""


class UnknownCommitError(ValueError):
    """The repository has no such commit."""


def export(commit: str, directory: Path) -> None:
    """Write the files of a commit of this repository into a directory.

    Raises `UnknownCommitError` when the repository has no such commit.
    """
    if git("rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}").returncode:
        raise UnknownCommitError(
            f"{commit} is no commit of {REPOSITORY}; name another with BASE=…, "
            "or fetch it: `git fetch --unshallow` in a shallow clone"
        )
    archive = git("archive", "--format=tar", commit)
    if archive.returncode:
        raise UnknownCommitError(f"git archive {commit} failed in {REPOSITORY}: {archive.stderr.decode().strip()}")
    directory.mkdir()
    subprocess.run(["tar", "--extract", "--directory", directory], check=True, input=archive.stdout, timeout=GIT_LIMIT)


def git(*words: str) -> subprocess.CompletedProcess[bytes]:
    # a container's user often is not the owner of the repository that is mounted there, and git would refuse
    command = ["git", "-c", f"safe.directory={REPOSITORY}", "-C", str(REPOSITORY), *words]
    return subprocess.run(command, check=False, capture_output=True, timeout=GIT_LIMIT)


def stacks_of(tree: Path) -> list[str]:
    """The stacks whose settings are in a tree."""
    files = (tree / "stacks").glob("Pulumi.*.yaml")
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)


def settings_file(tree: Path, stack: str) -> Path:
    return tree / "stacks" / f"Pulumi.{stack}.yaml"


def region_of(tree: Path, stack: str) -> str:
    """The cloud's region in which the stack is; empty for machines that exist already."""
    config = yaml.safe_load(settings_file(tree, stack).read_text()).get("config") or {}
    return str(config.get("aws:region") or config.get(f"{PROJECT}:region") or "")


def write_project(tree: Path, stack: str, directory: Path) -> None:
    """Write Pulumi.yaml and the stack's settings of a tree into a directory that the engine may write to.

    A secret, which cannot be decrypted here, becomes a placeholder that differs when the secret does. Placeholders in
    the file get the operator's own values. What the operator keeps out of the file is made up: the private key for
    machines that exist already, and a certificate and its key.
    """
    (directory / "stacks").mkdir(parents=True)
    (directory / "Pulumi.yaml").write_bytes((tree / "Pulumi.yaml").read_bytes())
    content = yaml.safe_load(settings_file(tree, stack).read_text())
    content = with_own_values(without_secrets(content | {"config": content.get("config") or {}}))
    if content["config"].get(f"{PROJECT}:cloud") == "existing":
        content["config"][f"{PROJECT}:ssh_private_key"] = private_key()
    if name := certified_name(content["config"]):
        tls, key = content["config"][f"{PROJECT}:tls"], content["config"].get(f"{PROJECT}:tls_private_key")
        issued = certificate(name, str((tls, key)))
        tls["certificate"], content["config"][f"{PROJECT}:tls_private_key"] = issued
    settings_file(directory, stack).write_text(yaml.safe_dump(content, sort_keys=False))


@cache
def private_key() -> str:
    """One key for both commits: a second one would change every step's connection."""
    return new_key()[0]


@cache
def certificate(name: str, written: str) -> Issued:
    """A certificate for a name: one for both commits, unless what their files have in its place, `written`, differs."""
    return CertificateAuthority().issue(name)
