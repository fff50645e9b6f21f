"""The base rate is followed from cutoffs whose labels have become known since the training."""

# pyright: reportPrivateUsage=false

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.special import logit

from churn.contacts.base_rate import LeftAlone, follow
from churn.contacts.past import PastContacts
from churn.progress import progress_of
from churn.project import Project
from models.arrays import Matrix
from models.churn_model import ChurnModel
from models.registry.registry import Registry
from models.scorers.base_rate import KnownCutoff
from serving.http.endpoint import Endpoint
from serving.release.bundle import read_bundle
from serving.store.profile_store import ProfileStore, StoreShift
from serving.weekly.arms import Arms, ArmsFolder
from tests.churn.command import AS_OF, TEST_CUTOFF, TrainedWorld
from tests.churn.conftest import Command
from training.evaluation.known_cutoffs import known_since

CUTOFF = date.fromisoformat(AS_OF)
SAY = progress_of(lambda _: None)


@pytest.fixture(scope="module")
def project(trained_world: TrainedWorld) -> Project:
    return Project(trained_world.config, home=trained_world.home)


@pytest.fixture(scope="module")
def model(trained_world: TrainedWorld) -> ChurnModel:
    return Registry(trained_world.home, "churn").get("champion").model


def contacts_before(project: Project, day: date) -> PastContacts:
    return PastContacts(project, day, project.settings.churn.timezone)


def without_test(model: ChurnModel, *, weeks: int = 0) -> ChurnModel:
    """As if the model had been trained so many weeks earlier."""
    last = date.fromisoformat(TEST_CUTOFF) - timedelta(weeks=weeks)
    quality = replace(model.quality, trained_through=model.quality.trained_through - timedelta(weeks=weeks))
    known = tuple(one for one in model.known_cutoffs if one.cutoff < last)
    return replace(model, known_cutoffs=known, quality=quality)


def test_a_model_knows_its_test_cutoff(model: ChurnModel):
    assert model.known_cutoffs[-1].cutoff == date.fromisoformat(TEST_CUTOFF)
    assert len(model.known_cutoffs) > 1


def test_only_cutoffs_with_known_labels_are_scored_again_and_they_give_what_the_test_gave(
    project: Project, model: ChurnModel
):
    after = date.fromisoformat(TEST_CUTOFF) + timedelta(days=project.settings.churn.purge_days)
    week_older = without_test(model, weeks=1)
    between, found = known_since(project.activity(), week_older, cutoff=after, recipe=project.recipe)
    assert between.cutoff == found.cutoff - timedelta(weeks=1)  # the first whose labels the model was not fitted on
    assert found == model.known_cutoffs[-1]
    day_before = after - timedelta(days=1)
    earlier = [*known_since(project.activity(), week_older, cutoff=day_before, recipe=project.recipe)]
    assert [one.cutoff for one in earlier] == [found.cutoff - timedelta(days=1)]
    assert [*known_since(project.activity(), model, cutoff=after, recipe=project.recipe)] == []


def test_cutoffs_whose_labels_a_refit_was_fitted_on_say_nothing_of_the_base_rate(project: Project, model: ChurnModel):
    after = date.fromisoformat(TEST_CUTOFF) + timedelta(days=project.settings.churn.purge_days)
    older = without_test(model, weeks=3)
    seen = [
        replace(older, quality=replace(older.quality, trained_through=after - timedelta(days=days)))
        for days in (13, 14, 21)
    ]
    found = [known_since(project.activity(), one, cutoff=after, recipe=project.recipe) for one in seen]
    test = date.fromisoformat(TEST_CUTOFF)
    assert [[one.cutoff for one in some] for some in found] == [[], [test], [test - timedelta(weeks=1), test]]


def test_a_base_rate_that_was_higher_raises_probabilities_and_no_rank(project: Project, model: ChurnModel):
    higher = tuple(KnownCutoff(one.cutoff, one.rows, one.churn_rate, 0.5, 0.01) for one in model.known_cutoffs)
    shifted, why = follow(
        contacts_before(project, CUTOFF), replace(model, known_cutoffs=higher), activity=project.activity(), say=SAY
    )
    assert shifted.shift == why.shift == pytest.approx(0.5, abs=0.05)
    assert (shifted.calibration, shifted.reference) == (model.calibration, model.reference)


def test_it_can_be_switched_off(trained_world: TrainedWorld, model: ChurnModel):
    project = Project(trained_world.config, home=trained_world.home, settings=("scoring.follow_base_rate=false",))
    shifted, why = follow(contacts_before(project, CUTOFF), model, activity=None, say=SAY)
    assert shifted.shift == 0
    assert "follow_base_rate" in why.why


def test_scores_list_and_service_give_one_probability(command: Command, trained_world: TrainedWorld, tmp_path: Path):
    world = trained_world.copy_to(tmp_path / "home").unscored()
    said = command("score", *world.options(), "--as-of", AS_OF, "--json").json()
    assert said["base_rate_shift"] != 0
    scores = pq.ParquetFile(Path(said["path"]) / "scores.parquet").read().to_pylist()
    assert json.loads((Path(said["path"]) / "manifest.json").read_text())["base_rate_shift"] == said["base_rate_shift"]
    store = ProfileStore(world.store_folder)
    assert store.info.shift == StoreShift("1", said["base_rate_shift"])
    chosen = [row for row in scores if row["status"] == "scored"][:5]
    endpoint = Endpoint(read_bundle(world.home / "releases/churn/current"))
    body = json.dumps({"items": [{"user_id": row["user_id"]} for row in chosen]}).encode()
    assert endpoint.find(endpoint.read(body)).to_compute == 0  # finished answers, with the shift of the batch
    answer = json.loads(endpoint.answer(body, request_id="") or b"")
    served = [one["churn_probability"] for one in answer["results"]]
    assert served == [row["churn_probability"] for row in chosen]
    unshifted = read_bundle(world.home / "releases/churn/current").model
    (profile,) = store.get([chosen[0]["user_id"]]).values()
    assert logit(served[0]) == pytest.approx(
        logit(replace(unshifted, shift=0).probability(unshifted.raw(_matrix(profile, unshifted)))[0])
        + said["base_rate_shift"]
    )


def _matrix(profile: Mapping[str, object], model: ChurnModel) -> Matrix:
    from models.encoding import encode_rows

    return encode_rows([profile], model.specification)


def test_the_shift_of_another_version_is_not_used(trained_world: TrainedWorld):
    bundle = read_bundle(trained_world.home / "releases/churn/current")
    store = ProfileStore(trained_world.store_folder)
    assert store.info.shift
    assert Endpoint(replace(bundle, version="2"))._model.shift == bundle.model.shift
    assert Endpoint(bundle)._model.shift == store.info.shift.shift


# --- Users who were left alone -------------------------------------------------------------------------------------


def test_near_a_list_only_held_out_users_count_and_elsewhere_everybody(project: Project, trained_world: TrainedWorld):
    users = [f"u{number:06d}" for number in range(2_000)]
    after = LeftAlone(contacts_before(project, CUTOFF + timedelta(days=1)), 14)
    (kept,) = after.contacts.lists
    arms = Arms(ArmsFolder(project.home.arms(project.name)).key(), kept.epoch, kept.share)
    for days in (-13, 0, 13):
        found = after.mask(CUTOFF + timedelta(days=days), users)
        assert found is not None
        assert found.tolist() == arms.held_out(users).tolist()
    assert after.mask(CUTOFF - timedelta(days=14), users) is None
    on_the_day = LeftAlone(contacts_before(project, CUTOFF), 14)
    assert on_the_day.mask(CUTOFF, users) is None  # a list of that day is not known yet


def test_the_base_rate_is_that_of_the_users_who_were_left_alone(project: Project, model: ChurnModel):
    after = date.fromisoformat(TEST_CUTOFF) + timedelta(days=project.settings.churn.purge_days)
    known = {"activity": project.activity(), "model": without_test(model), "cutoff": after, "recipe": project.recipe}
    everybody, few = (
        known_since(**known, left_alone=alone)  # type: ignore[arg-type]
        for alone in (lambda *_: None, lambda _, users: np.arange(len(users)) % 4 == 0)
    )
    assert [one.cutoff for one in few] == [one.cutoff for one in everybody]
    assert all(0.2 < one.rows / other.rows < 0.3 for one, other in zip(few, everybody, strict=True))
    assert all(one.error > 1.5 * other.error for one, other in zip(few, everybody, strict=True))


def test_arms_of_another_tool_win_and_whom_a_list_was_to_contact_is_not_left_alone(
    trained_world: TrainedWorld, tmp_path: Path
):
    (tmp_path / "arms.csv").write_text(
        "user_id,contacted_at,arm\nu1,2026-01-05 10:00:00,held_out\nu2,2026-01-05 10:00:00,treated\n"
    )
    settings = (f"contacts.path={tmp_path / 'arms.csv'}", "contacts.columns.arm=arm")
    project = Project(trained_world.config, home=trained_world.home, settings=settings)
    after = LeftAlone(contacts_before(project, CUTOFF + timedelta(days=1)), 14)
    (kept,) = after.contacts.lists
    treated = [user for user, arm in kept.arms().items() if arm == "treated"]
    after.contacts.recorded.given_arms[treated[0]] = "held_out"  # but it was on a list
    found = after.mask(CUTOFF, ["u1", "u2", treated[0]])
    assert found is not None
    assert found.tolist() == [True, False, False]


def test_the_arms_of_another_tool_count_where_the_lists_hold_out_nobody(trained_world: TrainedWorld, tmp_path: Path):
    (tmp_path / "arms.csv").write_text("user_id,contacted_at,arm\nu1,2026-01-05,held_out\nu2,2026-01-05,treated\n")
    settings = (f"contacts.path={tmp_path / 'arms.csv'}", "contacts.columns.arm=arm")
    project = Project(trained_world.config, home=trained_world.home, settings=settings)
    after = LeftAlone(contacts_before(project, CUTOFF + timedelta(days=1)), 14)
    after.contacts.lists[:] = [replace(one, share=0.0) for one in after.contacts.lists]
    found = after.mask(CUTOFF, ["u1", "u2", "u3"])
    assert found is not None
    assert found.tolist() == [True, False, False]
    after.contacts.recorded.given_arms["u1"] = "treated"
    assert after.mask(CUTOFF, ["u1", "u2", "u3"]) is None  # nobody is held out: there is nothing better than everybody


def test_whom_another_tool_contacted_before_the_label_was_known_was_not_left_alone(
    trained_world: TrainedWorld, tmp_path: Path
):
    plain = Project(trained_world.config, home=trained_world.home)
    day = CUTOFF + timedelta(days=1)
    users = [f"u{number:06d}" for number in range(200)]
    usual = LeftAlone(contacts_before(plain, day), 14).mask(CUTOFF, users)
    assert usual is not None
    early, first, late = [user for user, is_alone in zip(users, usual, strict=True) if is_alone][:3]
    days = {early: CUTOFF - timedelta(days=1), first: CUTOFF, late: CUTOFF + timedelta(days=14)}

    def contacts_of(**known: date) -> PastContacts:
        rows = "".join(f"{user},{at}\n" for user, at in known.items())
        (tmp_path / "contacts.csv").write_text(f"user_id,contacted_at\n{rows}")
        settings = (f"contacts.path={tmp_path / 'contacts.csv'}",)
        return contacts_before(Project(trained_world.config, home=trained_world.home, settings=settings), day)

    found = LeftAlone(contacts_of(**days), 14).mask(CUTOFF, users)
    assert found is not None
    assert {user for user, was, still in zip(users, usual, found, strict=True) if was and not still} == {first}
    digests = [contacts_before(plain, day).digest, *(contacts_of(**{late: at}).digest for at in (days[late], CUTOFF))]
    assert digests[0] == digests[1] != digests[2]  # what comes after the day changes no score of it
