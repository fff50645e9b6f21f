"""``[serving] shadow``: the release carries the challenger, and says how it scored the same users."""

import logging
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from churn import Project
from churn.jobs.scores import scored
from features.errors import CheckFailed
from features.storage.versions import current_of
from models.registry import CHAMPION
from models.scorers.calibration import Platt
from serving.release.bundle import read_bundle
from tests.churn.command import AS_OF, TrainedWorld
from tests.models.run_builder import run_of


def project_of(world: TrainedWorld, shadow: str) -> Project:
    return Project(world.config, home=world.home, settings={"serving.shadow": shadow})


def test_the_release_carries_the_challenger_with_what_the_two_batches_say(trained_world: TrainedWorld, tmp_path: Path):
    world = trained_world.copy_to(tmp_path / "home").unscored()
    plain = project_of(world, "")
    model = plain.registry.get(CHAMPION).model
    reference = replace(model.reference, raw_scores=tuple(one - 0.3 for one in model.reference.raw_scores))
    challenger = replace(model, calibration=Platt(0.8, 0.1), reference=reference)
    other = plain.registry.log(run_of(tmp_path / "artifacts", challenger)).version
    project = project_of(world, "challenger")
    scoring = project.score(AS_OF)
    assert scoring.store_refreshed, scoring.not_refreshed_because
    found = scoring.to_json()["shadow"]
    assert (found["version"], found["alias"]) == (other, "challenger")

    assert f"version {other}: {found['difference']['other_band']} of" in repr(scoring)
    served = project.bundle()  # as churn serve starts
    shadow = read_bundle(served).shadow
    assert shadow
    assert (shadow.about["version"], shadow.about["difference"]) == (other, found["difference"])
    assert read_bundle(plain.bundle()).shadow is None  # no longer set

    tables = [plain.score(AS_OF, model=one).to_pandas().set_index("user_id") for one in (CHAMPION, other)]
    by = (tables[1].churn_probability - tables[0].churn_probability).dropna()
    bands = (tables[0].risk_band != tables[1].risk_band) & tables[0].risk_band.notna() & tables[1].risk_band.notna()
    assert found["difference"] == {
        "users": len(by),
        "scored_by_one": 0,
        "other_band": int(bands.sum()),
        "mean": round(by.mean(), 6),
        "mean_absolute": pytest.approx(by.abs().mean(), abs=1e-6),
    }
    assert found["difference"]["other_band"] > 0
    assert found["difference"]["mean_absolute"] > 0


def test_the_champion_is_not_its_own_shadow_and_one_that_cannot_score_stops_no_release(
    trained_world: TrainedWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING, "churn")
    world = trained_world.copy_to(tmp_path / "home")
    assert project_of(world, CHAMPION).score(AS_OF).shadow is None
    assert not caplog.records
    release = project_of(world, "99").score(AS_OF)
    assert (release.store_refreshed, release.shadow) == (True, None)
    assert "[serving] shadow: 99 cannot score, and is not compared" in caplog.text
    current = current_of(world.home / "releases/churn")
    assert current
    assert not (current / "shadow").exists()


def test_a_challenger_of_another_mapping_stops_no_release(
    trained_world: TrainedWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    def refused(project: Project, cutoff: date, **options: Any) -> Any:
        if options["model"] == "99":
            raise CheckFailed("[events] amount is amount, and the model was trained with price")
        return scored(project, cutoff, **options)

    caplog.set_level(logging.WARNING, "churn")
    world = trained_world.copy_to(tmp_path / "home")
    project = project_of(world, "99")
    monkeypatch.setattr("churn.jobs.scores.scored", refused)
    release = project.score(AS_OF)
    assert (release.store_refreshed, release.shadow) == (True, None)
    assert "trained with price" in caplog.text
