"""About what a site costs a month, by its cloud's list prices; each cloud's table is the module `prices` beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

HOURS = 730
"""Hours in a month, as the clouds count them."""


class Part(NamedTuple):
    """A part of a site and its price in USD a month; None for what the table of prices does not have."""

    name: str
    usd: float | None


@dataclass(frozen=True)
class Price:
    """The price of a site. `source`: where its prices are from, and when. `excluded`: what it leaves out."""

    parts: Sequence[Part]
    source: str
    excluded: str

    @property
    def usd(self) -> float:
        """The sum of all parts with a known price, in USD a month."""
        return sum(part.usd for part in self.parts if part.usd is not None)

    @property
    def text(self) -> str:
        """The price and its parts, for the operator."""
        known = ", ".join(f"{part.name} {part.usd:.0f}" for part in self.parts if part.usd is not None)
        unknown = [part.name for part in self.parts if part.usd is None]
        without = f"; without {', '.join(unknown)}, not in the table of prices" if unknown else ""
        return f"About {self.usd:.0f} USD a month: {known}{without}. Not included: {self.excluded}. {self.source}."


def machines(types: Sequence[str], monthly: Mapping[str, float]) -> Iterator[Part]:
    """A part for each type of machine. `types`: the type of each machine. `monthly`: prices in USD a month, by type."""
    for type_ in sorted(set(types)):
        count = types.count(type_)
        yield Part(f"{count} {type_}", count * monthly[type_] if type_ in monthly else None)
