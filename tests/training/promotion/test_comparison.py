"""Which weeks models, or recipes, are compared on: never across an outage, wherever it was found."""

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from churn.project import Project
from tests.churn.command import TrainedWorld
from tests.training.conftest import Training
from tests.training.contenders import END, LATEST, parameters, seen_through
from training.plan.outages import Kind, Outage
from training.promotion.comparison import Contender, unseen_cutoffs
from training.promotion.decide import decide
from training.promotion.recipe_comparison import compare_recipes
from training.settings import OutagesSettings, PromotionSettings

WEEKS = (date(2026, 4, 7), date(2026, 4, 14), LATEST)
LOW = date(2026, 4, 8)  # in the label window of the first week, and in the seven days before the second


def outage(day: date) -> Outage:
    return Outage(day, 0, 900, -20.0, Kind.MISSING)


def test_models_are_not_compared_across_an_outage(champion: Contender, periods: Training):
    model = seen_through(champion, WEEKS[0]).model

    def cutoffs(*outages: Outage) -> tuple[date, ...]:
        return unseen_cutoffs(periods.activity, [model], recipe=periods.recipe, outages=outages)

    assert cutoffs() == WEEKS
    assert cutoffs(outage(LOW)) == (LATEST,)


def test_a_promotion_finds_the_outages_of_the_log_itself(
    champion: Contender, periods: Training, trained_world: TrainedWorld, tmp_path: Path
):
    events = shutil.copytree(trained_world.folder / "events", tmp_path / "events")
    shutil.rmtree(events / f"day={LOW}")
    project = Project(trained_world.config, home=tmp_path / "home", events=f"{events}/**/*.parquet")
    challenger = replace(seen_through(champion, WEEKS[0]), activity=project.activity())
    recipe = replace(periods.recipe, outages=OutagesSettings(tolerated_share=0))
    decision = decide(challenger, champion=None, recipe=recipe, settings=PromotionSettings())
    assert decision.cutoffs == (LATEST,)


def test_recipes_exclude_the_outages_found_unless_their_run_had_other_settings(easy: Training):
    late = outage(LATEST + timedelta(days=6))  # in the label window of the latest week

    def weeks(**changed: Any) -> tuple[date, ...]:
        ran = Contender("1", easy.trained.model, easy.activity, "clean", parameters(easy.recipe, **changed))
        return compare_recipes(seen_through(ran, END), None, today=easy.recipe, outages=(late,), weeks=1).cutoffs

    assert weeks() == (LATEST - timedelta(days=14),)
    # outages are detected again for a run with other settings, and this log has none
    own = {f"outages__{key}": value for key, value in easy.recipe.outages.model_dump().items()}
    assert weeks(**own | {"outages__below_share": 0.4}) == (LATEST,)
