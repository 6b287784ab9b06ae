"""Packages import only from the layers that docs/architecture.md allows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.graph import ROOT

CLOUDS = {"components.cloud.aws", "components.cloud.digitalocean", "components.cloud.existing"}
MACHINES = {"components.config", "components.machine", "components.cloud.interface"}
"""The layers that every service may use: it knows machines and disks, and no cloud."""
HOST = {"rehearsal.system", "rehearsal.progress", "rehearsal.project"}

LAYERS: dict[str, set[str]] = {
    "components": set(),
    "components.formerly": set(),
    "components.profile": set(),
    "components.config": set(),
    "components.config.loader": {"components.config"} | CLOUDS,
    "components.machine": {"components.formerly"},
    "components.cloud": set(),
    "components.roll": {"components.machine"},
    "components.cloud.interface": {"components.config", "components.machine"},
    "components.cloud.operator": set(),
    "components.cloud.prices": set(),
    **{
        cloud: MACHINES
        | {"components.formerly", "components.roll", "components.cloud.operator", "components.cloud.prices"}
        for cloud in CLOUDS
    },
    "components.firewall": MACHINES,
    "components.gluster": MACHINES,
    "components.migrate": {"components.formerly", "components.machine"},
    "components.haproxy": MACHINES,
    "components.keepalived": MACHINES | {"components.haproxy"},
    "components.fail2ban": MACHINES,
    "components.web": MACHINES | {"components.gluster"},
    "components.backup": MACHINES,
    "components.watch": MACHINES | {"components.roll"},
    "components.maintenance": {"components.machine", "components.roll"},
    "components.varnish": MACHINES | {"components.gluster", "components.web"},
    "components.wordpress": MACHINES
    | {f"components.{name}" for name in ("backup", "fail2ban", "gluster", "migrate", "varnish", "web")},
    "components.sessions": MACHINES | {"components.gluster", "components.web"},
    "components.apache": MACHINES | {"components.gluster", "components.migrate", "components.web"},
    "components.factory": MACHINES
    | CLOUDS
    | {"components.cloud.prices"}
    | {f"components.{name}" for name in ("apache", "roll", "sessions", "web", "wordpress")},
    "components.site": MACHINES
    | {
        f"components.{name}"
        for name in ("factory", "firewall", "gluster", "haproxy", "keepalived", "maintenance", "roll", "watch", "web")
    },
    "rehearsal": set(),
    "rehearsal.project": set(),
    "rehearsal.system": set(),
    "rehearsal.progress": {"rehearsal.system"},
    "rehearsal.setup": HOST,
    "rehearsal.region": HOST | {"rehearsal.setup"},
    "rehearsal.plugins": {"rehearsal.region"},
    "rehearsal.server": HOST | {"rehearsal.plugins", "rehearsal.region", "rehearsal.setup"},
    "rehearsal.report": {"rehearsal.progress"},
    "rehearsal.deploy": HOST | {"components.config", "components.config.loader", "rehearsal.report"},
    "rehearsal.probes.agents": set(),
    "rehearsal.probes": {"rehearsal.probes.agents", "rehearsal.report"},
    "rehearsal.drills": HOST
    | {f"rehearsal.{name}" for name in ("deploy", "probes", "probes.agents", "region", "report")}
    | {f"components.{name}" for name in ("cloud.existing", "config", "fail2ban", "haproxy", "machine")},
    "rehearsal.session": HOST | {f"rehearsal.{name}" for name in ("deploy", "drills", "region", "report", "setup")},
    "rehearsal.preview": HOST | {f"rehearsal.{name}" for name in ("deploy", "plugins", "region")},
    "rehearsal.cli": HOST | {f"rehearsal.{name}" for name in ("deploy", "preview", "report", "session", "setup")},
}
"""Every layer and the other layers that it may import. A module belongs to the layer with the longest matching name."""

MODULES = sorted(path for top in ("components", "rehearsal") for path in (ROOT / top).rglob("*.py"))


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = set(map(module, MODULES))


def layer(name: str) -> str:
    return max((layer for layer in LAYERS if f"{name}.".startswith(f"{layer}.")), key=len)


def imported(source: str) -> Iterator[str]:
    """The modules of this project that a module's source imports, at any depth."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            candidates = [name if name in NAMES else str(node.module) for name in inner]
        else:
            continue
        yield from (name for name in candidates if name in NAMES)


def forbidden(name: str, source: str) -> set[str]:
    own = layer(name)
    return {target for target in imported(source) if layer(target) not in LAYERS[own] | {own}}


@pytest.mark.parametrize("path", MODULES, ids=module)
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    assert not forbidden(module(path), path.read_text())


def test_every_package_has_a_layer_of_its_own() -> None:
    packages = {name for name in NAMES if name.count(".") == 1}
    assert packages <= LAYERS.keys()


def test_no_layer_is_above_itself() -> None:
    def below(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, " -> ".join([*seen, name])
        for target in LAYERS[name]:
            below(target, (*seen, name))

    for name in LAYERS:
        below(name, ())


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("components.gluster.brick", "from components.cloud.aws.node import Node"),
        ("components.cloud.aws.node", "def f():\n    from components import gluster"),
        ("components.site", "import rehearsal.region.disk"),
        ("rehearsal.region.region", "from rehearsal.plugins import aws"),
    ],
)
def test_an_import_against_the_layers_is_found(name: str, source: str) -> None:
    assert forbidden(name, source)
