"""Placeholders in configuration files."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.machine.template import render


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "service.conf"
    path.write_text("# mail: root@example.com\nlisten @ADDRESS@:@PORT@\nalias @ADDRESS@\n")
    return path


def test_every_placeholder_is_replaced(template: Path) -> None:
    text = render(template, ADDRESS="10.20.1.4", PORT=80)
    assert text == "# mail: root@example.com\nlisten 10.20.1.4:80\nalias 10.20.1.4\n"


def test_a_placeholder_inside_a_value_stays(template: Path) -> None:
    assert "listen @PORT@:@PORT@\n" in render(template, ADDRESS="@PORT@", PORT="@PORT@")
    assert "listen @PORT@:80\n" in render(template, ADDRESS="@PORT@", PORT=80)


def test_a_placeholder_without_a_value_is_refused(template: Path) -> None:
    with pytest.raises(ValueError, match=r"service\.conf: placeholders without a value: PORT; .*placeholder: none\."):
        render(template, ADDRESS="10.20.1.4")


def test_a_value_without_a_placeholder_is_refused(template: Path) -> None:
    with pytest.raises(ValueError, match=r"without a value: none; values without a placeholder: HOST, ROOT\."):
        render(template, ADDRESS="10.20.1.4", PORT=80, ROOT="/", HOST="a")
