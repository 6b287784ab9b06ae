"""A machine that does not answer: the real engine shows what may be closed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pulumi import ResourceHookBinding, ResourceOptions, automation
from pulumi.automation import EngineEvent
from pulumi_tls import PrivateKey

from components.machine import remote
from rehearsal.plugins import command, tls


def program() -> None:
    key = PrivateKey("key", algorithm="ED25519")
    # no other machine than this one has such an address, and nothing listens on its port 22
    remote.RemoteHost(
        "gfs1", address="127.99.99.99", user="admin", private_key=key.private_key_openssh,
        host_key=key.public_key_openssh, machine=None, reachable=[],
        change=ResourceHookBinding(), lifetime=ResourceHookBinding(), opts=ResourceOptions(),
    )  # fmt: skip


def test_the_error_names_what_may_be_closed(pulumi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "BOOTING", 1)
    monkeypatch.setenv("PATH", f"{pulumi.parent}{os.pathsep}{os.environ['PATH']}")
    errors: list[str] = []

    def on_event(event: EngineEvent) -> None:
        if event.diagnostic_event and event.diagnostic_event.severity == "error":
            errors.append(event.diagnostic_event.message)

    providers = [command.provider(), tls.provider()]
    ports = ",".join(f"{provider.name}:{provider.serve()}" for provider in providers)
    try:
        stack = automation.create_stack(
            "test", project_name="unreachable", program=program,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(tmp_path), pulumi_home=str(tmp_path / "home"),
                project_settings=automation.ProjectSettings(
                    "unreachable", "python", backend=automation.ProjectBackend(f"file://{tmp_path}")
                ),
                env_vars={
                    "PULUMI_CONFIG_PASSPHRASE": "test", "PULUMI_DEBUG_PROVIDERS": ports,
                    "PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                },
            ),
        )  # fmt: skip
        with pytest.raises(automation.CommandError):
            stack.up(on_event=on_event, color="never")
    finally:
        for provider in providers:
            provider.stop()
    text = " ".join("\n".join(errors).split())
    assert "after 1 failed attempts: dial tcp 127.99.99.99:22: " in text
    assert "gfs1-ready: no answer by SSH. Check that network.ssh_from admits the public address" in text
