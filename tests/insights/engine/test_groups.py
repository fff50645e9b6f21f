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


def test_of_values_at_the_same_instant_the_order_of_the_rows_does_not_decide(tmp_path: Path):
    channels = ["ads", "mail", "push"]
    rows = [
        f"u{user} 2026-01-05T00:00 open channel={channel}"
        for user in range(30)
        for channel in [*channels[user % 3 :], *channels[: user % 3]]
    ]
    log = opened(tmp_path, rows)
    make_groups(log)
    assert log.rows("select channel, count(*) from origins group by channel") == [("ads", 30)]
    assert log.rows("select channel, count(*) from latest group by channel") == [("push", 30)]
