"""Pictures: the data of each, and that painting them twice gives the same bytes."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from models.evaluation.metrics import Interval, auc
from tests.training.evaluation.test_backtest import weeks_of
from tests.training.evaluation.test_learning_curve import points_of
from tests.training.tested import made_up, rules_beside
from training.evaluation.evaluate import evaluate
from training.evaluation.learning_curve import Law, LearningCurve
from training.report.charts import (
    by_class,
    calibration,
    draw,
    gains,
    lift,
    of_backtest,
    of_base_rates,
    of_importance,
    of_learning_curve,
    pictures,
    roc,
)
from training.report.rendering import Picture, Series, page

CHURNED = np.array([True, True, False, True, False, False, False, False])
SCORE = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])


def series(picture: Picture, name: str) -> Series:
    return next(one for one in picture.series if one.name == name)


@pytest.fixture(scope="module")
def drawn() -> tuple[Picture, ...]:
    test, truth = made_up()
    rules = rules_beside(test)
    found = evaluate(test, truth, baselines=rules, seed=1)
    importance = {f"feature_{number}": 1 / (number + 1) for number in range(30)}
    curve = LearningCurve(points_of(Law(0.82, 0.05, 0.5)), Law(0.82, 0.05, 0.5))
    return (
        *pictures(test, truth, evaluation=found, baselines=rules, importance=importance),
        of_backtest(weeks_of([0.84, 0.83, 0.815, 0.81, 0.80])),
        of_learning_curve(curve),
        of_base_rates([test]),
    )


def test_gains_count_the_churners_found():
    found = series(gains(CHURNED, {"model": SCORE}), "model")
    assert found.at == tuple(number / 8 for number in range(9))
    assert found.values == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3, 1, 1, 1, 1, 1])


def test_tied_users_share_their_churn_rate():
    found = series(gains(CHURNED, {"rule": np.zeros(8)}), "rule")
    assert found.values == pytest.approx(found.at)


def test_lift_is_the_rate_among_the_riskiest_over_that_of_all():
    churned, score = np.tile(CHURNED, 100), np.tile(SCORE, 100)
    found = series(lift(churned, {"model": score}), "model")
    assert dict(zip(found.at, found.values, strict=True))[0.25] == pytest.approx(1 / (3 / 8))
    assert found.values[-1] == pytest.approx(1)
    assert found.at[0] == pytest.approx(0.015)  # the first place with at least ten of the 800 users


def test_the_area_under_the_roc_is_the_auc():
    test, truth = made_up()
    found = series(roc(test.churned, {"model": truth}), "model")
    area = np.trapezoid(found.values, np.array(found.at, dtype=float))
    assert area == pytest.approx(auc(test.churned, truth), abs=0.002)


def test_the_dots_of_the_calibration_lie_on_the_diagonal_for_the_truth():
    random = np.random.default_rng(1)
    truth = random.random(100_000)
    picture = calibration(random.random(100_000) < truth, truth)
    model = series(picture, "model")
    assert model.values == pytest.approx(np.array(model.at, dtype=float), abs=0.02)
    assert all(end.low <= value <= end.high for value, end in zip(model.values, model.ends, strict=True))
    assert sum(series(picture, "share of the users").values) == pytest.approx(1)


def test_each_class_is_shown_whole():
    picture = by_class(CHURNED, SCORE)
    assert [sum(one.values) for one in picture.series] == pytest.approx([1, 1])
    assert dict(zip(picture.series[1].at, picture.series[1].values, strict=True))[0.925] == pytest.approx(1 / 3)


def test_the_strongest_features_come_first_and_no_more_than_twenty():
    found = of_importance({f"f{number:02}": float(number) for number in range(30)}).series[0]
    assert found.at == tuple(f"f{number:02}" for number in range(29, 9, -1))


def test_base_rates_are_by_cutoff():
    early, late = made_up(200, cutoff=date(2026, 5, 1))[0], made_up(100, seed=3)[0]
    found = of_base_rates([late, early]).series[0]
    assert found.at == (date(2026, 5, 1), date(2026, 6, 1))
    assert found.values == pytest.approx([early.churned.mean(), late.churned.mean()])
    assert all(end.low < value < end.high for value, end in zip(found.values, found.ends, strict=True))


def test_the_slices_stand_beside_all_users(drawn: tuple[Picture, ...]):
    picture = next(one for one in drawn if one.name == "slices")
    assert any(str(name).startswith("device: android  (") for name in series(picture, "slice").at)
    assert len(set(series(picture, "all users").values)) == 1


def test_every_picture_is_painted_twice_and_the_page_needs_no_network(drawn: tuple[Picture, ...], tmp_path: Path):
    draw(tmp_path, drawn)
    pngs = {path.stem: path.read_bytes() for path in tmp_path.glob("*.png")}
    assert set(pngs) == {
        *("calibration", "gains", "lift", "roc", "scores", "importance", "slices"),
        *("backtest", "learning_curve", "base_rates"),
    }
    assert all(content.startswith(b"\x89PNG") and len(content) > 5_000 for content in pngs.values())
    text = (tmp_path / "evaluation.html").read_text()
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", text) == []
    assert all(f'id="picture-{name}"' in text for name in pngs)
    assert text.count("Plotly.newPlot(") >= len(pngs)


def test_equal_pictures_give_equal_bytes(drawn: tuple[Picture, ...], tmp_path: Path):
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
        draw(folder, drawn[:1] + drawn[6:8])
    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert first == second


def test_words_of_the_log_are_no_html():
    names = Series("", ("<script>alert(1)</script>",), (0.5,), "dots", ends=(Interval(0.5, 0.4, 0.6),))
    text = page([Picture("slices", "<b>", "<i>", "", "AUC", (names,), lies=True)])
    assert "<script>alert(1)" not in text
    assert "<h2>&lt;b&gt;</h2><p>&lt;i&gt;</p>" in text
