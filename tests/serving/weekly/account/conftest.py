"""Ten weeks of lists with what happened, for both accounts of them."""

import pytest

from serving.weekly.account.outcomes import ScoredWeek
from tests.serving.weekly.weeks_builder import TenWeeks


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TenWeeks:
    found = TenWeeks(tmp_path_factory.mktemp("ten_weeks"))
    found.write()
    return found


@pytest.fixture(scope="module")
def weeks(made: TenWeeks) -> list[ScoredWeek]:
    return made.weeks()
