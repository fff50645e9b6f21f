"""New users are scored and explained by their own model, everybody else by the champion, each as if alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.storage.versions import Place
from models.scorers.calibration import Platt
from serving.batch.new_users import NewUsers, by_model
from serving.batch.score import SCORE_SCHEMA, reasons, score_table, with_new_users, with_reasons
from serving.batch.scored_batch import Batch, kept_scores, write_ledger
from serving.settings import ScoringSettings
from tests.models.model_builder import CUTOFF, profiles_of, specification, tiny_model

BANDS = ScoringSettings()
USERS = 12
WHO = [3, 7, 8, 11]  # places of new users
PROFILES = profiles_of(USERS, seed=3).sort_by("user_id")
OTHERS = np.setdiff1d(np.arange(USERS), WHO)


@pytest.fixture(scope="module")
def new() -> NewUsers:
    """Other profiles of some users, a model that reads them, and other probabilities."""
    other = profiles_of(USERS, seed=4, of=specification()).set_column(0, "user_id", PROFILES.column("user_id"))
    model = replace(tiny_model(), calibration=Platt(0.5, -1.0))
    return NewUsers("shop-new", "3", model, other.take(WHO))


@pytest.fixture(scope="module")
def scores(new: NewUsers) -> pa.Table:
    return with_new_users(score_table(tiny_model(), PROFILES, bands=BANDS), new, bands=BANDS)


def test_each_has_the_score_of_one_model_and_the_model_of_new_users_is_named(new: NewUsers, scores: pa.Table):
    plain = scores.drop_columns("scored_by")
    assert plain.schema == SCORE_SCHEMA
    assert plain.take(OTHERS).equals(score_table(tiny_model(), PROFILES, bands=BANDS).take(OTHERS))
    assert plain.take(WHO).equals(score_table(new.model, new.profiles, bands=BANDS))
    assert set(scores.column("scored_by").take(OTHERS).to_pylist()) == {None}
    new_scores = plain.take(WHO).column("raw_score").to_pylist()
    said = [None if one is None else "shop-new/3" for one in new_scores]
    assert scores.column("scored_by").take(WHO).to_pylist() == said
    assert set(said) == {None, "shop-new/3"}  # one of them was away for too long


def test_each_is_explained_by_the_model_that_scored_them_in_any_order(new: NewUsers):
    order = np.random.default_rng(0).permutation(USERS)
    found = by_model(reasons, tiny_model(), profiles=PROFILES.take(order), new_users=new)
    apart = {int(place): reasons(tiny_model(), PROFILES.slice(place, 1)) for place in OTHERS}
    apart |= {place: reasons(new.model, new.profiles.slice(number, 1)) for number, place in enumerate(WHO)}
    assert found.equals(pa.concat_tables([apart[int(place)] for place in order]))


def test_without_such_a_model_everybody_is_explained_as_before():
    assert by_model(reasons, tiny_model(), profiles=PROFILES, new_users=None).equals(reasons(tiny_model(), PROFILES))


def test_who_has_no_score_has_no_reasons_and_the_name_stays(new: NewUsers, scores: pa.Table):
    found = with_reasons(scores, tiny_model(), profiles=PROFILES, new_users=new)
    assert found.column("scored_by").equals(scores.column("scored_by"))
    assert found.column("reason_1").is_valid().equals(scores.column("raw_score").is_valid())


def test_the_ledger_gives_back_what_it_was_given(tmp_path: Path, scores: pa.Table):
    batch = Batch(CUTOFF, "shop", "1", "settings")
    write_ledger(batch, scores=scores, place=Place(tmp_path), scored_from="this")
    kept = kept_scores(tmp_path, "this")
    assert kept is not None
    assert kept.of(PROFILES).equals(scores)


def test_a_ledger_without_such_a_model_has_no_more_columns_than_before(tmp_path: Path):
    plain = score_table(tiny_model(), PROFILES, bands=BANDS)
    write_ledger(Batch(CUTOFF, "shop", "1", "settings"), scores=plain, place=Place(tmp_path), scored_from="this")
    kept = kept_scores(tmp_path, "this")
    assert kept is not None
    assert "scored_by" not in kept.rows.column_names
    assert kept.of(PROFILES).equals(plain)


def test_a_manifest_says_nothing_of_new_users_where_no_model_of_theirs_scored():
    batch = Batch(CUTOFF, "shop", "1", "settings")
    assert "new_users_shift" not in batch.about
    assert replace(batch, new_users_shift=0.25).about == batch.about | {"new_users_shift": 0.25}
