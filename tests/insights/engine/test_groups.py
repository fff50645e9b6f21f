"""The first and the last known value of each dimension."""

from pathlib import Path

from insights.engine.groups import known_dimensions, make_groups
from tests.insights.logs import opened


def test_first_and_last_values_are_those_that_are_known(tmp_path: Path):
    rows = [
        "a 2026-01-05T09:00 open",
        "a 2026-01-05T10:00 open device_os=ios network=wifi",
        "a 2026-01-05T11:00 open device_os=android network=4g",
        "a 2026-01-06T10:00 open network=5g",
    ]
    log = opened(tmp_path, rows)
    make_groups(log)
    assert known_dimensions(log) == ("device_os", "network")
    assert log.rows("select device_os, network from origins") == [("ios", "wifi")]
    assert log.rows("select device_os, network from latest") == [("android", "5g")]
