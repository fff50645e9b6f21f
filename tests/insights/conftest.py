"""One random log around a clock change, for all questions."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import pytest

from features.settings import ChurnSettings
from insights.engine.active_days import ActiveDays
from insights.engine.groups import make_groups
from insights.presentation.section import Section
from insights.report import sections
from insights.settings import ReportSettings
from tests.insights.logs import BERLIN, days_by_user, opened, random_rows


class Random(NamedTuple):
    """A log, and the days on which its users were active as Python counts them."""

    log: ActiveDays
    days: Mapping[str, set[date]]


@pytest.fixture(scope="session", params=[1, pytest.param(2, marks=pytest.mark.slow)])
def random_log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Random:
    rows = random_rows(request.param)
    churn = {"timezone": BERLIN, "qualifying": "event_type <> 'push'"}
    log = opened(tmp_path_factory.mktemp("log"), rows, churn=churn)
    make_groups(log)
    return Random(log, days_by_user(rows))


class Report(NamedTuple):
    """The whole report of the log, and what was said on the way."""

    sections: Sequence[Section]
    said: list[str]


@pytest.fixture(scope="session")
def report(random_log: Random) -> Report:
    said: list[str] = []
    return Report(sections(random_log.log, ReportSettings(), churn=ChurnSettings(), say=said.append), said)
