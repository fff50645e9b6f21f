"""Rows of contacted users are excluded, and held-out users stand for them: risks are those of users whom nobody contacts."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from features.snapshots import LabelWindow
from tests.builders import values_of
from training.data.dataset import WEIGHT, Dataset
from training.data.treatment import ENTRIES, MAX_WEIGHT, Treatment

CUTOFF = date(2026, 3, 2)
WINDOW = LabelWindow(gap_days=0, horizon_days=14)


def rows(users: str, churned: str = "", cutoff: date = CUTOFF) -> Dataset:
    found = pa.table({"user_id": [*users], "cutoff": pa.array([cutoff] * len(users), pa.date32())})
    return Dataset(found, np.array([user in churned for user in users]))


def treatment(*entries: tuple[str, int, str, bool, float], holds_days: int = 0) -> Treatment:
    """User, days after the cutoff, epoch of a project as in "churn 2026-Q1", held out, share."""
    names, found = ENTRIES.names, list[dict[str, object]]()
    for user, days, epoch, *more in entries:
        one = (user, CUTOFF + timedelta(days=days), epoch, *more, epoch.rpartition(" ")[0], holds_days)
        found.append(dict(zip(names, one, strict=True)))
    return Treatment(pa.Table.from_pylist(found, schema=ENTRIES))


@pytest.mark.parametrize(("days", "is_treated"), [(-1, False), (0, True), (13, True), (14, False)])
def test_a_contact_counts_within_the_label_window(days: int, is_treated: bool):
    found = treatment(("a", days, "q1", False, 0.1)).of(rows("ab"), WINDOW)
    assert found.is_treated.tolist() == [is_treated, False]


def test_who_is_held_out_stands_for_all_who_were_on_the_list():
    found = treatment(("a", 0, "q1", True, 0.2), ("b", 7, "q1", False, 0.2)).of(rows("abc"), WINDOW)
    untreated = found.untreated()
    assert untreated.profiles.column("user_id").to_pylist() == ["a", "c"]
    assert untreated.profiles.column(WEIGHT).to_pylist() == [5.0, 1.0]


def test_who_stands_for_others_weighs_as_many_where_probabilities_are_compared_with_labels():
    found = treatment(("a", 0, "q1", True, 0.25), ("b", 7, "q1", False, 0.25)).of(rows("abcd", churned="a"), WINDOW)
    (known,) = found.untreated().known_cutoffs(np.full(3, 0.5))
    assert (known.rows, known.churn_rate) == (3, pytest.approx(4 / 6))
    assert known.shift > 0  # one of three rows churned, but these are four of six users


def test_two_lists_of_one_epoch_have_one_arm():
    one = treatment(("a", 0, "q1", True, 0.2), ("a", 7, "q1", True, 0.2)).of(rows("a"), WINDOW)
    either = treatment(("a", 0, "q1", True, 0.5), ("a", 7, "contacts", False, 1.0)).of(rows("a"), WINDOW)
    assert one.weights.tolist() == [5.0]
    assert either.is_treated.all()


def test_an_arm_that_holds_into_the_next_epoch_was_drawn_once():
    entries = (("a", 9, "q2", True, 0.25), ("a", 0, "q1", True, 0.5), ("a", 3, "q1", True, 0.5))  # six days apart

    def weight(holds_days: int) -> float:
        return float(treatment(*entries, holds_days=holds_days).of(rows("a"), WINDOW).weights[0])

    assert (weight(7), weight(6)) == (2.0, 8.0)


def test_each_project_draws_its_own_arms():
    entries = (("a", 0, "churn_7d q1", True, 0.5), ("a", 3, "churn_30d q1", True, 0.25))
    assert treatment(*entries, holds_days=30).of(rows("a"), WINDOW).weights.tolist() == [8.0]


def test_who_was_held_out_counts_whatever_the_weight():
    found = treatment(("a", 0, "q1", True, 1.0), ("b", 0, "q1", False, 1.0)).of(rows("abc", churned="abc"), WINDOW)
    assert found.held_out_churners == 1


def test_weights_are_bounded():
    found = treatment(("a", 0, "q1", True, 0.01)).of(rows("a"), WINDOW)
    assert found.weights.tolist() == [MAX_WEIGHT]


def test_the_words_say_what_is_done_and_what_is_missing():
    found = treatment(("a", 0, "q1", True, 0.2), ("b", 0, "q1", False, 0.2)).of(rows("abc", churned="a"), WINDOW)
    assert found.held_out_churners == 1
    assert found.words(1).startswith("1 of 3 training rows are excluded")
    assert "with weights up to 5.0" in found.words(1)
    assert "2 held-out churners are needed to exclude these rows, and 1 are known" in found.words(2)
    assert treatment().of(rows("abc"), WINDOW).words(1) == ""


def test_untreated_rows_with_their_weights_are_those_of_a_log_in_which_nobody_was_contacted():
    """Of users on a list three in four would leave, and a contact keeps half of them."""
    random = np.random.default_rng(3)
    users = [f"u{number}" for number in range(20_000)]
    is_listed, is_held_out = random.random(len(users)) < 0.3, random.random(len(users)) < 0.1
    leaves = random.random(len(users)) < np.where(is_listed, 0.75, 0.2)
    is_kept = is_listed & ~is_held_out & (random.random(len(users)) < 0.5)
    found = pa.table({"user_id": users, "cutoff": pa.array([CUTOFF] * len(users), pa.date32())})
    listed = np.flatnonzero(is_listed)
    columns = [
        pa.array([users[place] for place in listed]),
        pa.array([CUTOFF] * len(listed)),
        pa.array(["q1"] * len(listed)),
        pa.array(is_held_out[listed]),
        pa.array([0.1] * len(listed)),
        pa.array(["churn"] * len(listed)),
        pa.array([0] * len(listed)),
    ]
    entries = pa.Table.from_arrays(columns, ENTRIES.names).cast(ENTRIES)
    churned = leaves & ~is_kept
    untreated = Treatment(entries).of(Dataset(found, churned), WINDOW).untreated()
    weights, left = untreated.profiles.column(WEIGHT).to_numpy(), values_of(untreated.profiles, "user_id")
    on_list = np.array([is_listed[int(user[1:])] for user in left])
    assert churned[listed].mean() == pytest.approx(0.41, abs=0.02)  # what the log says
    assert untreated.churned[on_list].mean() == pytest.approx(0.75, abs=0.04)
    assert np.average(untreated.churned, weights=weights) == pytest.approx(leaves.mean(), abs=0.02)
    assert len(set(left)) == len(users) - int((is_listed & ~is_held_out).sum())
