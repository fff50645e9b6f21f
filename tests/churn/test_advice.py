"""churn horizon: one document and one table with the same figures, a picture, and what is refused."""

import re
from typing import Any

import pytest

from tests.churn.command import TrainedWorld, churn
from tests.churn.conftest import Command

QUICK = ("--set", "advice.candidates_days=[7, 14, 28]")
PNG = b"\x89PNG"


def rows_of(table: str) -> dict[str, list[str]]:
    """Lines of figures, by the first one."""
    lines = [re.split(r"\s*\u2502\s*", line.strip()) for line in table.splitlines() if "\u2502" in line]
    return {cells[0]: cells[1:] for cells in lines}


def shown(*values: Any) -> list[str]:
    return ["" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value) for value in values]


@pytest.fixture(scope="module")
def as_json(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("advice")
    ran = churn("horizon", *trained_world.options(), *QUICK, "--json", "--picture", place / "a.png", cwd=place)
    assert (place / "a.png").read_bytes().startswith(PNG)
    return ran.json()


def test_the_table_shows_the_figures_of_the_document(command: Command, trained_world: TrainedWorld, as_json: Any):
    printed = command("horizon", *trained_world.options(), *QUICK).out
    idle, choices = map(rows_of, printed.split("What each horizon would give"))
    for row in as_json["rows"][:7]:
        returns, waits = row["returns"], (row["half_back_days"], row["most_back_days"])
        figures = shown(row["spells"], row["away"]["value"], *returns.values(), *waits)
        assert idle[str(row["idle_days"])] == figures
    for choice in as_json["choices"]:
        rate, ever, soon = choice["churn_rate"], choice["back_ever"], choice["back_soon"]
        figures = shown(choice["snapshots"], choice["smaller_class"], rate["value"], choice["returned"], soon["value"])
        assert choices[str(choice["horizon_days"])] == [*figures, *shown(*ever.values())]
    assert as_json["rule"] in printed
    assert as_json["why"] in printed
    for warning in as_json["warnings"]:
        assert warning in printed


def test_the_simulated_users_come_back_after_a_fortnight_and_it_says_so(as_json: Any):
    assert as_json["configured"] == 14
    assert as_json["choices"][1]["back_ever"]["value"] > 0.2
    assert "horizon_days = 14 mislabels" in as_json["warnings"][0]
    ever = [choice["back_ever"]["value"] for choice in as_json["choices"]]
    assert ever == sorted(ever, reverse=True)


def test_a_training_repeats_that_many_come_back(as_json: Any, trained_world: TrainedWorld):
    assert as_json["warnings"][0] in trained_world.said["train"]["warnings"]


def test_what_it_says_of_the_configured_horizon_is_what_training_found(as_json: Any, trained_world: TrainedWorld):
    test = trained_world.said["train"]["test"]
    assert as_json["choices"][1]["churn_rate"]["value"] == pytest.approx(test["churn_rate"], abs=0.05)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--picture", "horizon.pdf"), 2, "--picture horizon.png"),
        (("--set", "churn.event=event_type = 'cancel'"), 2, "idle days say nothing"),
        (("--set", "churn.active_within_days=119"), 3, "Hint: try again when it covers"),
        (("--set", "advice.return_share=2"), 2, "advice.return_share"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    command: Command, trained_world: TrainedWorld, options: tuple[str, ...], code: int, said: str
):
    ran = command("horizon", *trained_world.options(), *options)
    assert ran.code == code
    assert said in ran.err
