"""One random log around a clock change, for all questions."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import pytest

from insights.engine.active_days import ActiveDays
from insights.engine.groups import make_groups
from tests.insights.logs import BERLIN, days_by_user, opened, random_rows


class Random(NamedTuple):
    """A log, and the days on which its users were active as Python counts them."""

    log: ActiveDays
    days: Mapping[str, set[date]]


@pytest.fixture(scope="session", params=[1, 2])
def random_log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Random:
    rows = random_rows(request.param)
    churn = {"timezone": BERLIN, "qualifying": "event_type <> 'push'"}
    log = opened(tmp_path_factory.mktemp("log"), rows, churn=churn)
    make_groups(log)
    return Random(log, days_by_user(rows))
