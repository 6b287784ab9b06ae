"""Every dependency is pinned, with hashes and at one version."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt", ROOT / "tools" / "go" / "requirements.txt"]


def pins(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", file.read_text(), re.MULTILINE))


def test_the_tests_run_with_the_versions_that_a_user_installs() -> None:
    assert pins(FILES[0]).items() <= pins(FILES[1]).items()


def test_every_dependency_of_the_project_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    program = {re.split(r"[=<>~ ]", line)[0].lower() for line in project["dependencies"]}
    dev = {re.split(r"[=<>~ ]", line)[0].lower() for line in project["optional-dependencies"]["dev"]}
    assert program <= pins(FILES[0]).keys()
    assert dev <= pins(FILES[1]).keys()


def test_every_pin_has_its_hashes() -> None:
    for file in FILES:
        for line in re.findall(r"^[A-Za-z0-9._-]+==.*\n.*", file.read_text(), re.MULTILINE):
            assert "--hash=sha256:" in line
