"""Charts: the data of each, and that rendering them twice gives the same bytes."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from models.evaluation.metrics import Interval, auc
from tests.training.evaluation.test_backtest import weeks_of
from tests.training.evaluation.test_learning_curve import points_of
from tests.training.tested import made_up, rule_baselines
from training.evaluation.evaluate import evaluate
from training.evaluation.learning_curve import Law, LearningCurve
from training.report.charts import (
    backtest_chart,
    base_rate_chart,
    calibration_chart,
    draw,
    evaluation_charts,
    gains_chart,
    importance_chart,
    learning_curve_chart,
    lift_chart,
    roc_chart,
    score_chart,
)
from training.report.rendering import Chart, Series, drawn, page

CHURNED = np.array([True, True, False, True, False, False, False, False])
SCORE = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])


def series(chart: Chart, name: str) -> Series:
    return next(one for one in chart.series if one.name == name)


@pytest.fixture(scope="module")
def charts() -> tuple[Chart, ...]:
    test, truth = made_up()
    rules = rule_baselines(test)
    found = evaluate(test, truth, baselines=rules, seed=1)
    importance = {f"feature_{number}": 1 / (number + 1) for number in range(30)}
    curve = LearningCurve(points_of(Law(0.82, 0.05, 0.5)), Law(0.82, 0.05, 0.5))
    return (
        *evaluation_charts(test, truth, evaluation=found, baselines=rules, importance=importance),
        backtest_chart(weeks_of([0.84, 0.83, 0.815, 0.81, 0.80])),
        learning_curve_chart(curve),
        base_rate_chart([test]),
    )


def test_gains_count_the_churners_found():
    found = series(gains_chart(CHURNED, {"model": SCORE}), "model")
    assert found.positions == tuple(number / 8 for number in range(9))
    assert found.values == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3, 1, 1, 1, 1, 1])


def test_tied_users_share_their_churn_rate():
    found = series(gains_chart(CHURNED, {"rule": np.zeros(8)}), "rule")
    assert found.values == pytest.approx(found.positions)


def test_lift_is_the_rate_among_the_riskiest_over_that_of_all():
    churned, score = np.tile(CHURNED, 100), np.tile(SCORE, 100)
    found = series(lift_chart(churned, {"model": score}), "model")
    assert dict(zip(found.positions, found.values, strict=True))[0.25] == pytest.approx(1 / (3 / 8))
    assert found.values[-1] == pytest.approx(1)
    assert found.positions[0] == pytest.approx(0.015)  # the first point with at least ten of the 800 users


def test_the_area_under_the_roc_is_the_auc():
    test, truth = made_up()
    found = series(roc_chart(test.churned, {"model": truth}), "model")
    area = np.trapezoid(found.values, np.array(found.positions, dtype=float))
    assert area == pytest.approx(auc(test.churned, truth), abs=0.002)


def test_the_calibration_of_the_true_probabilities_is_on_the_diagonal():
    random = np.random.default_rng(1)
    truth = random.random(100_000)
    chart = calibration_chart(random.random(100_000) < truth, truth)
    model = series(chart, "model")
    assert model.values == pytest.approx(np.array(model.positions, dtype=float), abs=0.02)
    assert all(end.low <= value <= end.high for value, end in zip(model.values, model.intervals, strict=True))
    assert sum(series(chart, "share of the users").values) == pytest.approx(1)


def test_the_scores_of_each_class_add_up_to_one():
    chart = score_chart(CHURNED, SCORE)
    assert [sum(one.values) for one in chart.series] == pytest.approx([1, 1])
    assert dict(zip(chart.series[1].positions, chart.series[1].values, strict=True))[0.925] == pytest.approx(1 / 3)


def test_the_strongest_features_come_first_and_no_more_than_twenty():
    found = importance_chart({f"f{number:02}": float(number) for number in range(30)}).series[0]
    assert found.positions == tuple(f"f{number:02}" for number in range(29, 9, -1))


def test_base_rates_are_by_cutoff():
    early, late = made_up(200, cutoff=date(2026, 5, 1))[0], made_up(100, seed=3)[0]
    found = base_rate_chart([late, early]).series[0]
    assert found.positions == (date(2026, 5, 1), date(2026, 6, 1))
    assert found.values == pytest.approx([early.churned.mean(), late.churned.mean()])
    assert all(end.low < value < end.high for value, end in zip(found.values, found.intervals, strict=True))


def test_the_slices_are_shown_with_all_users(charts: tuple[Chart, ...]):
    chart = next(one for one in charts if one.name == "slices")
    assert any(str(name).startswith("device: android  (") for name in series(chart, "slice").positions)
    assert len(set(series(chart, "all users").values)) == 1


@pytest.fixture(scope="module")
def drawing(charts: tuple[Chart, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all of them."""
    folder = tmp_path_factory.mktemp("drawing")
    draw(folder, charts)
    return folder


def test_every_chart_is_rendered_twice_and_the_page_needs_no_network(charts: tuple[Chart, ...], drawing: Path):
    pngs = {path.stem: path.read_bytes() for path in drawing.glob("*.png")}
    assert set(pngs) == {
        *("calibration", "gains", "lift", "roc", "scores", "importance", "slices"),
        *("backtest", "learning_curve", "base_rates"),
    }
    assert all(content.startswith(b"\x89PNG") and len(content) > 5_000 for content in pngs.values())
    text = (drawing / "evaluation.html").read_text()
    outside = re.sub(r"(<script>).*?</script>", r"\\1", text, flags=re.DOTALL)
    assert re.findall(r"<[^>]+(?:src|href)=(?!\"#)", outside) == []
    found = re.search(r'id="pictures">(.*?)</script>', text)
    assert found is not None
    pictures = json.loads(found.group(1))
    assert set(pictures) == set(pngs)
    # drawing does not compare them with the schema of Vega-Lite: here all of them are
    assert pictures == {chart.name: drawn(chart).to_dict(validate=True) for chart in charts}


def test_equal_charts_give_equal_bytes(charts: tuple[Chart, ...], drawing: Path, tmp_path: Path):
    again = charts[:1] + charts[6:8]
    draw(tmp_path, again)
    pictures = {path.name: path.read_bytes() for path in tmp_path.glob("*.png")}
    assert pictures == {f"{chart.name}.png": (drawing / f"{chart.name}.png").read_bytes() for chart in again}
    assert page(charts).encode() == (drawing / "evaluation.html").read_bytes()


def test_text_from_the_log_is_escaped_in_html():
    names = Series("", ("<script>alert(1)</script>",), (0.5,), "dots", intervals=(Interval(0.5, 0.4, 0.6),))
    text = page([Chart("slices", "<b>", "<i>", "", "AUC", (names,), is_horizontal=True)])
    assert "<script>alert(1)" not in text
    assert "<h2>&lt;b&gt;</h2><p>&lt;i&gt;</p>" in text


# --- Rows that stand for several users -------------------------------------------------------------------------------


def test_a_row_with_a_weight_is_drawn_as_so_many_users():
    chance = np.random.default_rng(5)
    probability = chance.beta(2, 5, 3_000)
    churned = chance.random(3_000) < probability
    copies = np.where(probability > np.quantile(probability, 0.7), 4, 1)
    weights = copies / copies.mean()
    many = (np.repeat(churned, copies), np.repeat(probability, copies))
    for draw_chart in (gains_chart, lift_chart, roc_chart):
        weighted = series(draw_chart(churned, {"model": probability}, weights=weights), "model")
        expected = series(draw_chart(many[0], {"model": many[1]}), "model")
        at = np.linspace(0.1, 1, 19)  # the points of both lie elsewhere
        lines = [np.interp(at, np.asarray(one.positions, float), one.values) for one in (weighted, expected)]
        assert lines[0] == pytest.approx(lines[1], abs=0.02), draw_chart.__name__
    roc = series(roc_chart(churned, {"model": probability}, weights=weights), "model")
    area = np.trapezoid(roc.values, np.asarray(roc.positions, float))
    assert area == pytest.approx(auc(churned, probability, weights=weights), abs=0.003)
    assert area != pytest.approx(auc(churned, probability), abs=0.003)
    for name in ("retained", "churned"):
        found = series(score_chart(churned, probability, weights=weights), name).values
        assert found == pytest.approx(series(score_chart(*many), name).values)
    found, expected = (
        series(one, "model")
        for one in (calibration_chart(churned, probability, weights=weights), calibration_chart(*many))
    )
    assert found.values == pytest.approx(expected.values, abs=0.02)
    assert found.positions == pytest.approx(expected.positions, abs=0.01)


def test_base_rates_are_of_the_users_for_whom_the_rows_stand():
    test, _ = made_up()
    weights = np.where(test.churned, 3.0, 1.0)
    (found,) = base_rate_chart([test.with_weights(weights / weights.mean())]).series
    days = test.cutoffs
    for day, rate in zip(found.positions, found.values, strict=True):
        of = days == np.datetime64(str(day))
        assert rate == pytest.approx(np.average(test.churned[of], weights=weights[of]))
