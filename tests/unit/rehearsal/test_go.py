"""Programs from Go modules: the compiler that builds them, and version numbers."""

import pytest

from rehearsal.setup import go
from rehearsal.system.shell import ToolError


@pytest.mark.parametrize("module", ["pulumi", "versitygw"])
def test_the_pinned_go_can_build_each_module(module: str) -> None:
    pinned = go.version((go.TOOLS / "go" / "requirements.in").read_text())
    assert pinned >= go.version((go.TOOLS / module / "go.mod").read_text())


@pytest.mark.parametrize(
    ("text", "number"),
    [("go version go1.26.8 linux/amd64", (1, 26, 8)), ("v3.9.10", (3, 9, 10)), ("go1.27", (1, 27, 0))],
)
def test_a_version_is_read_from_the_output_of_a_program(text: str, number: tuple[int, ...]) -> None:
    assert go.version(text) == number


def test_a_program_without_a_version_is_refused() -> None:
    with pytest.raises(ToolError, match="no version"):
        go.version("devel")
