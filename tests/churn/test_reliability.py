"""`churn reliability`: probabilities compared with what happened, and the churn rate among users with a score."""

import shutil

import pytest

from churn.project import Project
from tests.churn.command import TEST_CUTOFF, TrainedWorld
from tests.churn.conftest import Command


@pytest.fixture(scope="module")
def world(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> TrainedWorld:
    """The trained world before any list: around one, only users who were held out count."""
    found = trained_world.copy_to(tmp_path_factory.mktemp("before") / "home")
    shutil.rmtree(found.home / "lists")
    shutil.rmtree(found.home / "ledger")
    return found


def test_the_command_shows_the_test_cutoff_and_the_interval_that_is_asked_for(command: Command, world: TrainedWorld):
    found = command("reliability", *world.options(), "--probability", "0.7", "--json").json()
    (at,) = found["cutoffs"]
    assert at["cutoff"] == TEST_CUTOFF
    assert at["calibration_error_debiased"] <= at["calibration_error"]
    asked = found["churn_rate_among_users_with_such_a_score"]
    (rate,) = asked["rates"]
    assert (rate["probability"], asked["level"]) == (0.7, 0.9)
    assert 0.5 < rate["low"] < rate["value"] < rate["high"] < 0.9


def test_around_a_list_only_users_who_were_held_out_count(command: Command, trained_world: TrainedWorld):
    ran = command("reliability", *trained_world.options())
    assert ran.code == 3
    assert "users who were held out count" in ran.err


def test_people_read_what_the_interval_is_of(command: Command, world: TrainedWorld):
    ran = command("reliability", *world.options(), "--probability", "0.7")
    assert ran.code == 0, ran.err
    assert "interval of the churn rate among users with such a score" in ran.out
    assert "By slice at" in ran.out


@pytest.mark.parametrize("probability", ["0", "1", "70"])
def test_what_is_not_a_probability_is_refused(command: Command, world: TrainedWorld, probability: str):
    ran = command("reliability", *world.options(), "--probability", probability)
    assert ran.code == 2
    assert "expected one between 0 and 1" in ran.err


def test_a_notebook_gets_the_interval_of_any_probability(world: TrainedWorld):
    found = Project(world.config, home=world.home).reliability()
    value, low, high = found.churn_rate(0.4)
    assert low < value < high
    assert found.to_json()["churn_rate_among_users_with_such_a_score"]["rates"] == []
    assert found.summary["latest"].isoformat() == TEST_CUTOFF
