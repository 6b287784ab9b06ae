"""The documents name only what the tree has: the targets of links, paths in code, and targets of make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.graph import ROOT

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
BASES = (ROOT, ROOT / "components", ROOT / "rehearsal")
"""The directories that a path in a document may be relative to."""
CODE = re.compile(r"`([^`\n]+)`|^ {4,}(\S.*)$", re.MULTILINE)
PATH = re.compile(r"[A-Za-z_.][\w.<>-]*(/[\w.<>-]*)+|[\w-]+\.(py|sh|toml|yaml)")
ELSEWHERE = (".venv/", "reports/")
"""Directories that are made by make and by a rehearsal, and not committed."""


def code(document: Path) -> Iterator[str]:
    """The inline code of a document, and the lines of its indented code blocks."""
    return (inline or line for inline, line in CODE.findall(document.read_text()))


def paths(document: Path) -> set[str]:
    """The paths that a document names: `<name>` stands for any name, and a test's name is left out."""
    words = {word.strip("\"'").partition("::")[0] for text in code(document) for word in text.split()}
    return {word for word in words if PATH.fullmatch(word) and not word.startswith(ELSEWHERE)}


def exists(path: str) -> bool:
    """Whether a path is in the tree; a file name without a directory may be anywhere below `BASES`."""
    pattern = re.sub(r"<\w+>", "*", path).rstrip("/")
    if "/" in path:
        return any(any(base.glob(pattern)) for base in BASES)
    return (ROOT / path).exists() or any(any(base.rglob(pattern)) for base in BASES[1:])


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.name)
def document(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_every_relative_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_path_in_code_exists(document: Path) -> None:
    assert sorted(path for path in paths(document) if not exists(path)) == []


def test_every_target_of_make_is_in_the_makefile(document: Path) -> None:
    rules = re.findall(r"^([\w./-]+(?: [\w./-]+)*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    for text in code(document):
        command, *words = text.partition("#")[0].split()
        if command == "make":
            assert targets >= {word for word in words if "=" not in word}, text


def test_a_wrong_path_is_found() -> None:
    assert exists("components/cloud/<cloud>/settings.py")
    assert exists("region/faults.py")
    assert exists("prelude.sh")
    assert not exists("components/no_such_file.py")
    assert not exists("no_such_file.py")
