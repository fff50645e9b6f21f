"""The table of outcomes at the end of `make test-faults`."""

from collections.abc import Iterator

import pytest
from _pytest.terminal import TerminalReporter

from tests.churn.command import TrainedWorld
from tests.faults.base import Base, settled
from tests.faults.outcomes import PROPERTY, Outcomes, table


@pytest.fixture(scope="session")
def base(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> Base:
    """The home that faults are caused in copies of."""
    return settled(trained_world, tmp_path_factory.mktemp("faults"))


@pytest.fixture
def outcomes(request: pytest.FixtureRequest) -> Iterator[Outcomes]:
    """Where a test counts what came of its faults; checked at its end."""
    found = Outcomes(request)
    yield found
    found.check()


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the table, also of tests that other processes ran."""
    found = [value for reports in terminalreporter.stats.values() for report in reports for value in properties(report)]
    if found:
        terminalreporter.section("outcomes of faults")
        for line in table(found):
            terminalreporter.write_line(line)


def properties(report: object) -> list[tuple[str, str, str]]:
    """What the report of a test's own part carries of ours."""
    if not isinstance(report, pytest.TestReport) or report.when != "call":
        return []
    return [tuple(value) for name, value in report.user_properties if name == PROPERTY]  # type: ignore[misc]
