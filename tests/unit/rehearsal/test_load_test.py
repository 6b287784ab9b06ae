"""The output of ab(1) is parsed; a load test with a failed request has no result."""

from __future__ import annotations

import pytest

from rehearsal.drills.load_test import Load, parsed
from rehearsal.system.shell import ToolError

OUTPUT = """\
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


def test_the_output_of_ab_is_parsed() -> None:
    assert parsed(OUTPUT.format(failed=0, other="")) == Load(1645.17, 0.002644)


@pytest.mark.parametrize(("failed", "other"), [(3, ""), (0, "Non-2xx responses:      17\n")])
def test_a_failed_request_is_an_error(failed: int, other: str) -> None:
    with pytest.raises(ToolError, match=r"Failed requests: +3|Non-2xx responses: +17"):
        parsed(OUTPUT.format(failed=failed, other=other))


def test_output_without_figures_is_an_error() -> None:
    with pytest.raises(ToolError, match="no figures"):
        parsed("apr_socket_recv: Connection refused (111)\n")


def test_a_load_test_without_an_answer_in_its_time_has_no_percentile() -> None:
    output = "Time taken for tests:   2.143 seconds\nComplete requests:      0\nFailed requests:        0\n"
    assert parsed(output) == Load(0, None)
