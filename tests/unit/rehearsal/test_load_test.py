"""What ab(1) says is read, and a load in which an answer was missing is none."""

from __future__ import annotations

import pytest

from rehearsal.drills.load_test import Load, parsed
from rehearsal.system.shell import ToolError

TOLD = """\
Percentage served,Time in ms
0,0.281
50,0.456
99,2.644
100,8.615
Concurrency Level:      1
Time taken for tests:   3.000 seconds
Complete requests:      4936
Failed requests:        {failed}
{other}Requests per second:    1645.17 [#/sec] (mean)
Time per request:       0.608 [ms] (mean)
"""


def test_what_ab_says_is_read() -> None:
    assert parsed(TOLD.format(failed=0, other="")) == Load(1645.17, 0.002644)


@pytest.mark.parametrize(("failed", "other"), [(3, ""), (0, "Non-2xx responses:      17\n")])
def test_a_load_with_answers_that_are_no_pages_is_none(failed: int, other: str) -> None:
    with pytest.raises(ToolError, match=r"Failed requests: +3|Non-2xx responses: +17"):
        parsed(TOLD.format(failed=failed, other=other))


def test_no_figures_are_an_error() -> None:
    with pytest.raises(ToolError, match="no figures"):
        parsed("apr_socket_recv: Connection refused (111)\n")
