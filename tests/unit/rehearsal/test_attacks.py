"""The attacks of a drill: their checks and their addresses."""

from __future__ import annotations

from unittest.mock import Mock

from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.flood.addresses import ADDRESSES
from rehearsal.drills.outside_addresses import FLOODER, READER, THIRD_PARTY_VISITOR, VICTIM
from rehearsal.drills.site import Site
from rehearsal.report.model import Check, FaultResult


class Planting(Attack):
    name = "planting"

    def cause(self) -> FaultResult:
        self.since = self.mark("files are planted")
        self.check_none("planted files", ["a", "b", "c", "d"])
        self.check_none("other files", [])
        return FaultResult(name=self.name)


def test_an_attack_returns_its_marks_and_names_the_first_three_of_what_it_found() -> None:
    result, checks = Planting(Mock(spec=Site, control=Mock())).run()
    assert [(mark.at, mark.text) for mark in result.marks] == [(0, "files are planted")]
    assert checks == [
        Check(fault="planting", name="planted files", passed=False, measured="a; b; c and 1 more", limit="none"),
        Check(fault="planting", name="other files", passed=True, measured="none", limit="none"),
    ]


def test_the_addresses_of_the_attacks_are_their_own() -> None:
    assert len({FLOODER, READER, THIRD_PARTY_VISITOR, VICTIM, *ADDRESSES}) == 4 + len(ADDRESSES)
