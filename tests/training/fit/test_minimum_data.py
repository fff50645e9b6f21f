"""A training with too few of a class is refused, with its counts and a day from which training is possible."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churn.project import Project
from features.errors import CheckFailed
from features.snapshots import LabelWindow
from models.settings import ModelSettings
from tests.builders import world_of
from tests.churn.command import TrainedWorld
from tests.training.conftest import QUICK, Training
from tests.training.tested import CUTOFF, made_up
from training.fit.minimum_data import check_classes
from training.pipeline import train
from training.plan.plan import Recipe
from training.plan.splits import Split
from training.settings import TrainingSettings


def test_a_part_with_too_few_of_a_class_is_refused_with_its_counts(trained_world: TrainedWorld, periods: Training):
    known = periods.trained
    parts = {name: known.training_rows.at(getattr(known.split, name)) for name in ("validation", "calibration")}
    parts |= {"training": known.training_rows.at(known.split.train), "test": known.test}
    minimum = int(known.test.churned.sum()) + 1
    pairs = (*QUICK, f"training.min_class_users={minimum}")
    project = Project(trained_world.config, home=trained_world.home, settings=pairs)
    with pytest.raises(CheckFailed) as refusal:
        train(project.activity(), project.recipe, say=lambda _: None)
    sentence = r"the (\w+) part has (\d+) churners and (\d+) retained, expected at least (\d+)"
    said = re.search(sentence, refusal.value.message)
    assert said
    part = parts[said[1]]
    churners, retained = (len(np.unique(part.users[part.churned == kind])) for kind in (True, False))
    assert [int(said[place]) for place in (2, 3, 4)] == [churners, retained, minimum]
    assert min(churners, retained) < minimum


@pytest.mark.parametrize(
    ("cutoff", "named"), [(date(2026, 5, 1), date(2026, 6, 2)), (date(2026, 5, 25), date(2026, 6, 8))]
)
def test_a_refusal_never_names_a_day_that_was_just_refused(cutoff: date, named: date):
    # the test on the 1st of June has too few; what an earlier cutoff shows is known 14 days after it, and the test is not it
    training_rows, test = made_up(400, cutoff=cutoff)[0], made_up(40)[0]
    split = Split((cutoff,), (), (cutoff,), CUTOFF, "folds of users")
    with pytest.raises(CheckFailed, match="the test part") as refusal:
        check_classes(training_rows, test, split=split, window=LabelWindow(gap_days=0, horizon_days=14), minimum=30)
    assert f"cutoff {cutoff} has 30 of each" in refusal.value.hint
    assert f"from test cutoff {named} on" in refusal.value.hint
    assert "[training] min_class_users, see docs/guides/reading-the-results.md#when-a-check-fails" in refusal.value.hint


def refused_of_few(folder: Path, **churn: Any) -> CheckFailed:
    """Five people who come every day for two months."""
    lines = [f"u{user} {date(2026, 1, 1) + timedelta(days=day)}T10:00" for day in range(60) for user in range(5)]
    world = world_of(folder, lines, churn=churn, covered_until=date(2026, 3, 2))
    recipe = Recipe(world.settings.churn, world.settings.features, ModelSettings(), TrainingSettings())
    with pytest.raises(CheckFailed) as refusal:
        train(world.activity(), recipe, say=lambda _: None)
    return refusal.value


def test_a_log_in_which_nobody_is_eligible_is_refused(tmp_path: Path):
    assert "0 churners and 0 retained" in refused_of_few(tmp_path, qualifying="event_type = 'no such type'").message


def test_a_log_in_which_nobody_leaves_is_refused(tmp_path: Path):
    found = refused_of_few(tmp_path)
    assert "0 churners and 5 retained" in found.message  # in three weekly snapshots; each counts once
    assert found.hint
