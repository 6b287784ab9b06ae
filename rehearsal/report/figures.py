"""Figures as text, the same on the terminal and on the page."""

from __future__ import annotations

from rehearsal.report.model import FaultResult

COMMON = ("read outage", "write outage", "page outage", "heal", "writes lost")
"""The figures that faults of every kind may have."""


def in_seconds(seconds: float) -> str:
    """A measured time, always to the tenth of a second: its limit may be near."""
    return f"{seconds:,.1f} s"


def figures(fault: FaultResult) -> dict[str, str]:
    """Every figure of a fault, for example {"write outage": "4.1 s", "writes lost": "0 / 1,284", "wrong bans": "0"}."""
    found: dict[str, str] = {}
    for name, value in fault:
        if not isinstance(value, int | float) or name == "acknowledged_writes":
            continue
        if name == "lost_acknowledged_writes":
            found["writes lost"] = f"{value:,} / {fault.acknowledged_writes or 0:,}"
        elif name.endswith("_seconds"):
            found[label(name, "_seconds")] = in_seconds(value)
        elif name.endswith("_ms"):
            found[label(name, "_ms")] = f"{value:,} ms"
        else:
            found[label(name)] = f"{value:,}"
    return found


def label(field: str, unit: str = "") -> str:
    return field.removesuffix(unit).replace("_", " ")
