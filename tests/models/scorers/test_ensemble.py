"""The ensemble: a weighted sum of parts, with contributions that add up, and the BG/NBD part."""

import numpy as np
import pytest
from msgspec import structs

from features.catalogue.fitted import BgNbd, FittedConstants
from features.errors import InputError
from features.snapshots import LabelWindow
from models.scorers.bg_nbd import PURCHASE_FEATURES, Buyers, purchase_risk
from models.scorers.ensemble import BgNbdPart, LogisticPart, Scorer, bg_nbd_part
from models.scorers.logistic import Linear
from tests.models.model_builder import specification

WINDOW = {"gap_days": 7, "horizon_days": 28}
CONSTANTS = BgNbd(0.8, 40.0, 1.2, 3.5)
PART = BgNbdPart(CONSTANTS, (0, 1, 2), usual=(4.0, 200.0, 20.0), never=(2.0, 300.0, 290.0), **WINDOW)
MATRIX = np.array([[9.0, 250.0, 3.0], [2.0, 200.0, 150.0], [np.nan, np.nan, np.nan]])


def line(slope: float) -> LogisticPart:
    """Log-odds of ``slope`` times the logarithm of one more than the first column; the other columns have no weight."""
    zeros = (0.0, 0.0)
    return LogisticPart(
        Linear(
            base=0.5,
            numbers=(0, 1, 2),
            centres=(0.0, *zeros),
            scales=(1.0, 1.0, 1.0),
            weights=(slope, *zeros),
            offsets=(0.0, *zeros),
            absent=(-1.0, *zeros),
            categories=(),
            levels=(),
        )
    )


def test_the_raw_score_is_the_weighted_sum_of_the_parts():
    scorer = Scorer(((0.75, line(1.0)), (0.25, PART)))
    expected = 0.75 * line(1.0).raw(MATRIX, threads=1) + 0.25 * PART.raw(MATRIX, threads=1)
    assert scorer.raw(MATRIX) == pytest.approx(expected)
    assert line(1.0).raw(MATRIX, threads=1) == pytest.approx([0.5 + np.log(10), 0.5 + np.log(3), -0.5])


def test_contributions_add_up_to_the_difference_from_a_typical_user():
    typical = PART.score(np.array([PART.usual]))
    assert PART.contributions(MATRIX, threads=1).sum(axis=1) == pytest.approx(PART.raw(MATRIX, threads=1) - typical)
    scorer = Scorer(((0.5, line(1.0)), (0.5, PART)))
    both = 0.5 * line(1.0).contributions(MATRIX, threads=1) + 0.5 * PART.contributions(MATRIX, threads=1)
    assert scorer.contributions(MATRIX) == pytest.approx(both)


def test_a_user_who_never_bought_scores_as_the_riskiest_buyer():
    assert PART.raw(MATRIX, threads=1)[2] == pytest.approx(PART.score(np.array([PART.never]))[0])


def test_the_kinds_are_the_words_that_runs_have_always_recorded():
    assert Scorer(((0.5, line(1.0)), (0.5, PART))).kinds == ("line", "buying")
    assert Scorer(((1.0, PART),)).trees == 0


def test_the_bg_nbd_part_takes_its_constants_from_the_specification():
    names = (*PURCHASE_FEATURES, "events_7d")
    bought = np.column_stack([MATRIX, np.ones(3)])
    spec = structs.replace(specification(), feature_names=names, fitted=FittedConstants(bg_nbd=CONSTANTS))
    part = bg_nbd_part(spec, bought, window=LabelWindow(7, 28))
    assert part.places == (0, 1, 2)
    assert part.usual == (5.5, 225.0, 76.5)  # medians of the two buyers
    risks = purchase_risk(CONSTANTS, Buyers.of(MATRIX[:2]), **WINDOW)
    assert part.never == tuple(MATRIX[int(np.argmax(risks))])


def test_without_constants_there_is_no_bg_nbd_part():
    with pytest.raises(InputError, match="too few users have a second purchase"):
        bg_nbd_part(specification(), MATRIX, window=LabelWindow(7, 28))
