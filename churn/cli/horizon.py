"""Verbs that advise before anything is trained: horizon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from churn.cli import console
from churn.cli.verb import shown_by, verb
from churn.progress import Progress
from churn.project import Project
from churn.results import Horizon
from features.errors import SettingsError

if TYPE_CHECKING:
    from training.horizon.advice import Advice
    from training.horizon.survival import Share

_WEEK, _WEEKS_UP_TO = 7, 56


def _next(_: Project, found: Horizon) -> tuple[str, ...]:
    days, within = found.recommended_days, found.advice.active_within_days
    if days is None:
        return ()  # a training would be refused
    if found.is_set:
        return ("train",)
    return ("train", "--set", f"churn.horizon_days={days}", "--set", f"churn.active_within_days={within}")


@verb(steps=2, then=_next)
def horizon(
    project: Project,
    say: Progress,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the curves, with the candidates marked.")
    ] = None,
) -> Horizon:
    """Recommend after how many idle days a user counts as churned.

    Shows who comes back after how many idle days, and what each horizon would give.

    Example:

        churn horizon --config world/churn.toml --picture horizon.png

        churn horizon --set advice.return_share=0.2 --json
    """
    if picture and picture.suffix != ".png":
        raise SettingsError(
            f"--picture: got {picture}, expected a name that ends in .png", hint="--picture horizon.png"
        )
    found = project.horizon(say=say)
    if picture:
        found.draw(picture)
    return found


@shown_by(Horizon)
def _show(found: Horizon) -> None:
    advice = found.advice
    if advice.rows:
        title = f"Idle spells: who comes back, within the {advice.reach_days} days that the log reaches"
        console.print_table(title, _idle(advice))
        console.out.print("every day between: --json and --picture\n", markup=False)
    console.print_table("What each horizon would give", _choices(advice))
    for line in _words(advice):
        console.out.print(line, markup=False)


def _words(advice: Advice) -> list[str]:
    days = (
        "none"
        if advice.recommended is None
        else f"{advice.recommended} days, of users active within {advice.active_within_days}"
    )
    return [
        "Shares with 95 % intervals: users are resampled, each with all that is known of them.",
        *_against(advice),
        f"Rule: {advice.rule}",
        f"Recommended: {days}; {advice.why}",
        *(f"Warning: {warning}" for warning in advice.warnings),
    ]


def _against(advice: Advice) -> list[str]:
    """Say once what speaks against several candidates."""
    reasons = {choice.against: "" for choice in advice.choices if choice.against}
    named = {
        why: ", ".join(str(choice.horizon_days) for choice in advice.choices if choice.against == why)
        for why in reasons
    }
    return [f"Against {days} days: {'; '.join(why)}" for why, days in named.items()]


def _idle(advice: Advice) -> list[dict[str, Any]]:
    """Return the first week day by day, eight weeks, and the candidates."""
    shown = {
        *range(1, _WEEK),
        *range(_WEEK, _WEEKS_UP_TO + 1, _WEEK),
        *(choice.horizon_days for choice in advice.choices),
    }
    return [
        {
            "idle\ndays": row.idle_days,
            "spells": row.spells,
            "still\naway": row.away.value,
            "come\nback": row.returns.value,
            **_interval(row.returns),
            "half\nwithin": row.half_back_days,
            "90%\nwithin": row.most_back_days,
        }
        for row in advice.rows
        if row.idle_days in shown
    ]


def _choices(advice: Advice) -> list[dict[str, Any]]:
    return [
        {
            "days": choice.horizon_days,
            "snapshots": choice.snapshots,
            "smaller\nclass": choice.smaller_class,
            "churn\nrate": choice.churn_rate.value,
            "seen\nagain": choice.returned,
            "back\nsoon": _value(choice.back_soon),
            "back\never": _value(choice.back_ever),
            **_interval(choice.back_ever),
        }
        for choice in advice.choices
    ]


def _value(share: Share | None) -> float | None:
    return share.value if share else None


def _interval(share: Share | None) -> dict[str, float | None]:
    return {"low": share.low if share else None, "high": share.high if share else None}
