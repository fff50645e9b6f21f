"""The page of the account of past lists: verdicts in words first, then pictures, then tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from churn.results.outcomes import NUMBERS, PAGE, Outcomes
from features.storage.versions import Place
from models.charts import GREEN, ORANGE, Axis, Row, band, intervals, level, line, picture, svg, ticks
from models.evaluation.metrics import METRICS, Interval
from models.page import Page, Picture, Table, number, write_page
from serving.weekly.account.effect import Difference
from serving.weekly.account.effect_account import EffectAccount
from serving.weekly.account.model_account import Comparison, ModelAccount

_PERCENT = ".0%"


def write_account(found: Outcomes, place: Place) -> Outcomes:
    """Write page and numbers as a version of a place; the same account gives the same bytes."""
    numbers, page = found.to_json(), page_of(found).to_html()

    path = place.add(lambda draft: write_page(draft, page=(PAGE, page), numbers=(NUMBERS, numbers)))
    return replace(found, path=path)


def page_of(found: Outcomes) -> Page:
    """Return what the page says."""
    open_weeks = len(found.weeks) - found.final_weeks
    return Page(
        "Outcomes of past weekly lists",
        f"As known on {found.as_of}: {found.final_weeks} weeks are final, {open_weeks} are open.",
        {"Was the model right?": found.was_the_model_right, "Did contacting help?": found.did_contacting_help},
        found.notes,
        [*_model_pictures(found.model), *(one for each in found.effects[:1] for one in _effect_pictures(each))],
        [*_model_tables(found.model), *(one for each in found.effects for one in _effect_tables(each))],
    )


# --- Was the model right? --------------------------------------------------------------------------------------------


def _model_pictures(model: ModelAccount) -> Iterator[Picture]:
    if weeks := model.parts.get("week"):
        yield _weeks_picture(_rates(weeks))
    if model.quantiles:
        yield _calibration_picture(_rates(model.quantiles))
    for part, title in (("band", "by risk band"), ("device", "by main device"), ("channel", "by channel")):
        if groups := model.parts.get(part):
            yield _groups_picture(_rates(groups), title)
    if len(model.treated) > 1:
        yield _treated_picture(_rates(model.treated))


def _weeks_picture(rows: Sequence[Row]) -> Picture:
    x, actual = Axis("name", "cutoff", "date", "%d %b"), Axis("actual", "churn rate", format=_PERCENT)
    layers = (
        intervals(rows, x, y=actual, ends=("low", "high")),
        line(rows, x, y=Axis("expected", "churn rate", format=_PERCENT), colour=ORANGE),
    )
    words = "Users who were left alone. Blue: who churned, with intervals that hold for all rows together; orange: what the model expected."
    return Picture("Expected and actual churn over the weeks", svg(picture(*layers)), words)


def _calibration_picture(rows: Sequence[Row]) -> Picture:
    x, y = Axis("expected", "mean churn probability", format=_PERCENT), Axis("actual", "churn rate", format=_PERCENT)
    end = max(max(float(row["expected"]), float(row["high"])) for row in rows)
    diagonal = line([{"expected": at, "actual": at} for at in (0.0, end)], x, y=y, colour=ORANGE, dashed=True)
    words = (
        "Ten groups by churn probability. Groups on the diagonal are calibrated: of users near 30 %, three in ten left."
    )
    return Picture("Calibration", svg(picture(diagonal, intervals(rows, x, y=y, ends=("low", "high")))), words)


def _groups_picture(rows: Sequence[Row], by: str) -> Picture:
    words = "Users who were left alone. Blue: who churned, with intervals that hold for all rows together; orange: what the model expected."
    return Picture(f"Expected and actual churn {by}", _compared(rows), words)


def _treated_picture(rows: Sequence[Row]) -> Picture:
    words = (
        "Users on a list who were to be contacted. Blue: who churned; orange: what was expected if they had been left alone. "
        "The difference is not the effect of contacting, which needs the users who were held out."
    )
    return Picture("Users who were to be contacted", _compared(rows), words)


def _compared(rows: Sequence[Row]) -> str:
    y = Axis("name", "", "name")
    actual, expected = (Axis(name, "churn rate", format=_PERCENT) for name in ("actual", "expected"))
    layers = (intervals(rows, actual, y=y, ends=("low", "high")), ticks(rows, expected, y=y))
    return svg(picture(*layers, rows=len(rows)))


def _rates(found: Sequence[Comparison]) -> list[Row]:
    """Return comparisons as shares of their rows."""
    columns = ("expected", "actual", "low", "high")
    return [{"name": one.name} | {name: getattr(one, name) / one.rows for name in columns} for one in found]


def _model_tables(model: ModelAccount) -> Iterator[Table]:
    if model.metrics:
        yield _metrics_table(model)
    titles = {
        "week": "Expected and actual churners by week",
        "band": "By risk band",
        "decile": "By decile of the score, 1 the riskiest",
        "device": "By main device",
        "channel": "By channel",
    }
    words = "Users who were left alone. The intervals of a table hold for all its rows together, with 95 %, however often they are read."
    for part, title in titles.items():
        if groups := model.parts.get(part):
            yield Table(title, _comparison_rows(groups), words)
    if model.quantiles:
        yield Table("Calibration by churn probability", _comparison_rows(model.quantiles), words)
    if model.treated:
        rows = _comparison_rows(model.treated, expected="expected if left alone", actual="churned")
        yield Table("Users who were to be contacted", rows, "They are no part of anything above.")


def _metrics_table(model: ModelAccount) -> Table:
    ratio = ("score over base rate", "Mean churn probability over churn rate; 1 is ideal.", model.score_over_base_rate)
    rows = [ratio, *((name, METRICS[name].meaning, found) for name, found in model.metrics.items())]
    return Table("Metrics on users who were left alone", [_metric_row(*one) for one in rows], "With 95 % intervals.")


def _metric_row(name: str, meaning: str, found: Interval) -> Row:
    between = f"{number(found.low, 3)} to {number(found.high, 3)}"
    return {"metric": name.replace("_", " "), "value": number(found.value, 3), "interval": between, "meaning": meaning}


def _comparison_rows(
    found: Sequence[Comparison], *, expected: str = "expected churners", actual: str = "actual churners"
) -> list[Row]:
    return [
        {
            "": one.name,
            "users": number(one.users),
            "scores": number(one.rows),
            expected: number(one.expected, 1),
            actual: number(one.actual),
            "interval": f"{number(one.low, 1)} to {number(one.high, 1)}",
            "note": "too few to say" if one.is_too_small else "" if one.agrees else "differs",
        }
        for one in found
    ]


# --- Did contacting help? --------------------------------------------------------------------------------------------


def _effect_pictures(found: EffectAccount) -> Iterator[Picture]:
    if looks := _look_rows(found):
        x = Axis("day", "as known on", "date", "%d %b")
        low, estimate = (Axis(name, "difference in churn rate, points") for name in ("low", "estimate"))
        layers = (band(looks, x, low=low, high="high"), level(0), line(looks, x, y=estimate))
        words = (
            "Treated less held out, as each week showed it; below 0 contacting helps. The interval may be read every week: "
            "it covers the effect at all looks together in at least 95 % of seasons."
        )
        yield Picture("The effect of contacting, with its interval", svg(picture(*layers)), words)
    if rows := _band_rows(found):
        x, y = Axis("estimate", "difference in churn rate, points"), Axis("name", "", "name")
        layers = (level(0, is_horizontal=False), intervals(rows, x, y=y, ends=("low", "high"), colour=GREEN))
        words = "Each with its own interval, which is wider, so that one band among three is not shown by chance."
        yield Picture("The effect of contacting by risk band", svg(picture(*layers, rows=len(rows))), words)


def _look_rows(found: EffectAccount) -> list[Row]:
    known = [one for one in found.looks if not math.isnan(one.difference.estimate)]
    return [{"day": str(one.day)} | _points(one.difference) for one in known]


def _band_rows(found: EffectAccount) -> list[Row]:
    bands = found.effect.bands.items()
    return [{"name": name} | _points(one) for name, one in bands if not math.isnan(one.estimate)]


def _points(one: Difference) -> dict[str, float]:
    return {name: 100 * getattr(one, name) for name in ("estimate", "low", "high")}


def _effect_tables(found: EffectAccount) -> Iterator[Table]:
    about = f"{' and '.join(found.epochs)}, {found.share:.0%} held out"
    rows = {"all": found.effect.overall} | dict(found.effect.bands)
    words = "Points of churn rate, treated less held out, at the first entry to any list in an epoch; below 0 contacting helps."
    yield Table(f"Effect of contacting: {about}", [_difference_row(name, one) for name, one in rows.items()], words)
    yield Table(f"Checks: {about}", _check_rows(found))


def _difference_row(name: str, one: Difference) -> Row:
    between = f"{number(100 * one.low, 1)} to {number(100 * one.high, 1)}"
    return {
        "risk band": name,
        "treated": number(one.treated),
        "held out": number(one.held_out),
        "difference": number(100 * one.estimate, 1),
        "interval": between,
        "result": one.status,
    }


def _check_rows(found: EffectAccount) -> list[Row]:
    arms, leaks, said = found.mismatch, found.contamination, found.verdict
    loss = "none" if math.isnan(arms.detectable_loss) else f"{arms.detectable_loss:.0%}"
    rows = {
        "users at their first entry": number(found.first_entries),
        "of them with a known outcome": number(found.effect.overall.users),
        "not counted: arm of an earlier epoch, or of several ids": number(found.not_counted),
        "arms as large as planned": f"{'no' if arms.rings else 'yes'} (p = {arms.p_value:.2g}; would find a loss of {loss})",
        "held-out users contacted": f"{leaks.words}: {leaks.status}",
        "treated users contacted": number(100 * found.effect.contacted_share, 1) + " %",
        "contacts per treated user": number(found.effect.contacts_per_user, 1),
    }
    for name, value in (("fewer leavers", said.fewer_leavers), ("money", said.money)):
        if value:
            rows[name] = f"{number(value.value)} ({number(value.low)} to {number(value.high)})"
    return [{"check": name, "result": value} for name, value in rows.items()]
