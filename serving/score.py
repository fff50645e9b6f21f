"""From profiles to scores: one shape and one function for the batch, the list and the endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from math import isnan
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType, structs
from numpy.typing import NDArray

from models.arrays import Matrix, Values
from models.churn_model import ChurnModel
from models.encoding import encode_rows
from models.reasons import Reason
from serving.settings import ScoringSettings

RiskBand = Literal["high", "medium", "low"]
RISK_BANDS: tuple[RiskBand, ...] = ("high", "medium", "low")  # the riskiest first
Code = Literal[
    "unknown_user",
    "not_eligible",
    "incomplete_profile",
    "invalid_event",
    "no_events",
    "no_kept_activity",
    "not_midnight",
    "unsupported",
    "invalid",
]
Profile = Mapping[str, object]
CHUNK_ROWS = 10_000
_NAMED = 5  # features that a message names
SCORED_BY = "scored_by"  # field of a score, and column of scores where there is a model of new users
CUTOFF_AT = "cutoff_at"  # key of a profile that was built for an instant


class Curve(msgspec.Struct, frozen=True):
    """How the churn probability of one user depends on the horizon: monotone, and churn_probability at the model's own horizon."""

    days: Annotated[list[int], Meta(description="Horizons in days, ascending; the model's own is one of them.")]
    churn_probability: Annotated[
        list[float],
        Meta(description="At each of the days: rising where churn is an event, falling where it is inactivity."),
    ]
    expected_days: Annotated[
        float | None,
        Meta(
            description="Days from the start of the horizon by which it is as likely as not that the user has left or, where churn is "
            "inactivity, is back; null: later than the last of the days."
        ),
    ]


class Score(msgspec.Struct, frozen=True):
    """The result for one user: scored, or unscored with a code that says why."""

    user_id: str | None
    status: Literal["scored", "unscored"]
    code: Annotated[Code | None, Meta(description="Why there is no score; null where there is one.")] = None
    churn_probability: Annotated[float | None, Meta(description="Calibrated, in (0, 1).")] = None
    percentile: Annotated[
        float | None,
        Meta(
            description="0 to 100 among the raw scores of the model's reference population, 100 the riskiest; "
            "not a probability."
        ),
    ] = None
    risk_band: RiskBand | None = None
    as_of: Annotated[date | None, Meta(description="Cutoff of the profile: the score knows nothing later.")] = None
    reasons: Annotated[list[Reason], Meta(description="What moved the score most; empty with reasons: false.")] = []
    cutoff_at: Annotated[
        datetime | UnsetType,
        Meta(description="as_of of the item; only for items with events."),
    ] = UNSET
    arm: Annotated[
        Literal["treated", "held_out"] | UnsetType,
        Meta(
            description="held_out: leave this user alone, so that the effect of contacting can be measured; absent where unknown."
        ),
    ] = UNSET
    epoch: Annotated[str | UnsetType, Meta(description="The period for which the arm holds.")] = UNSET
    detail: Annotated[
        str | UnsetType, Meta(description="What is wrong with the item, and where; why the user is not eligible.")
    ] = UNSET
    scored_by: Annotated[
        str | UnsetType,
        Meta(
            description="name/version of the model that scored this user, where it is another: that of new users. Its percentile is "
            "among new users."
        ),
    ] = UNSET
    curve: Annotated[
        Curve | UnsetType | None,
        Meta(
            description="Only with curve: true, of whom the champion scores; null where the model in service has no curves."
        ),
    ] = UNSET

    @property
    def outcome(self) -> str:
        """``scored``, or the code that says why not."""
        return self.code or self.status

    @property
    def scored(self) -> tuple[str, float] | None:
        """Band and probability; None where there is no score, or it is not the champion's."""
        if self.churn_probability is None or self.scored_by:
            return None
        return self.risk_band or "", self.churn_probability


def score(
    model: ChurnModel,
    profiles: Sequence[Profile],
    *,
    bands: ScoringSettings,
    with_reasons: bool = True,
    with_curve: bool = False,
) -> list[Score]:
    """Score profiles, in their order. No profile's score depends on another's.

    Parameters
    ----------
    profiles
        Each maps feature names to text, numbers or None, with ``user_id`` and ``cutoff`` where known.
    with_reasons
        False: nobody gets any, which takes a third of the time.
    with_curve
        True: who is scored has a curve; None where the model has none.

    Returns
    -------
    One score for each profile: ``unscored`` with a code where the user is not eligible, or the profile lacks a feature of the model.
    """
    refused = _refused(model, profiles)
    chosen = [profile for profile, why in zip(profiles, refused, strict=True) if why is None]
    scored = iter(_scored(model, chosen, bands=bands, with_reasons=with_reasons, with_curve=with_curve))
    return [next(scored) if why is None else why for why in refused]


def unscored(profile: Profile, code: Code, *, detail: str) -> Score:
    """Return the score of a user who cannot be scored."""
    return Score(
        _user_id(profile), "unscored", code, as_of=_as_of(profile), cutoff_at=_cutoff_at(profile), detail=detail
    )


def _refused(model: ChurnModel, profiles: Sequence[Profile]) -> list[Score | None]:
    """Return for each profile the score that says why it cannot be scored; None where it can."""
    names, rule = model.specification.feature_names, model.eligibility
    needed = frozenset(names)
    columns = [_numbers(profiles, name) for name in rule.columns]
    found: list[Score | None] = [None] * len(profiles)
    for place, is_eligible in enumerate(rule.mask(*columns).tolist()):
        profile = profiles[place]
        if not needed <= profile.keys():
            found[place] = unscored(profile, "incomplete_profile", detail=_lacking(profile, names))
        elif not is_eligible:
            why = rule.why_not(*(float(column[place]) for column in columns))
            found[place] = unscored(profile, "not_eligible", detail=why)
    return found


def _lacking(profile: Profile, names: Sequence[str]) -> str:
    """Name the features that a profile lacks, as many as one can read."""
    missing = [name for name in names if name not in profile]
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return f"the profile lacks {len(missing)} of the model's {len(names)} features: {', '.join(missing[:_NAMED])}{more}"


def _numbers(profiles: Sequence[Profile], name: str) -> NDArray[np.float64]:
    values = (profile.get(name) for profile in profiles)
    return np.array([value if isinstance(value, int | float) else np.nan for value in values], dtype=np.float64)


def _scored(
    model: ChurnModel, profiles: Sequence[Profile], *, bands: ScoringSettings, with_reasons: bool, with_curve: bool
) -> Iterator[Score]:
    for start in range(0, len(profiles), CHUNK_ROWS):
        chunk = profiles[start : start + CHUNK_ROWS]
        matrix = encode_rows(chunk, model.specification)
        raw, reasons = (
            _explained(model, chunk, matrix=matrix) if with_reasons else (model.raw(matrix), [[]] * len(chunk))
        )
        answers = _answers(model, chunk, raw=raw, reasons=reasons, bands=bands)
        yield from _with_curves(answers, model, matrix=matrix, raw=raw) if with_curve else answers


def _with_curves(answers: Iterable[Score], model: ChurnModel, *, matrix: Matrix, raw: Values) -> Iterator[Score]:
    if model.hazard is None:
        yield from (structs.replace(answer, curve=None) for answer in answers)
        return
    found = model.curves(matrix, model.probability(raw))
    days, rows = list(found.days), zip(found.probabilities.tolist(), found.median_days.tolist(), strict=True)
    for answer, (probabilities, median) in zip(answers, rows, strict=True):
        yield structs.replace(answer, curve=Curve(days, probabilities, None if isnan(median) else median))


def _explained(model: ChurnModel, profiles: Sequence[Profile], *, matrix: Matrix) -> tuple[Values, list[list[Reason]]]:
    raw, contributions = model.explain(matrix)
    return raw, model.narrator.explain(contributions, profiles)


def _answers(
    model: ChurnModel, profiles: Sequence[Profile], *, raw: Values, reasons: list[list[Reason]], bands: ScoringSettings
) -> Iterator[Score]:
    percentile = model.reference.percentile(raw)
    numbers = (model.probability(raw), shown_percentile(percentile), percentile)
    for profile, why, *one in zip(profiles, reasons, *(column.tolist() for column in numbers), strict=True):
        probability, shown, exact = one
        yield Score(
            _user_id(profile),
            "scored",
            churn_probability=probability,
            percentile=shown,
            risk_band=risk_band(exact, bands),
            as_of=_as_of(profile),
            reasons=why,
            cutoff_at=_cutoff_at(profile),
        )


def shown_percentile(percentile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round percentiles to one decimal; bands are cut from those that are not rounded."""
    return np.round(percentile, 1)


def risk_band(percentile: float, bands: ScoringSettings) -> RiskBand:
    """High, medium or low, by the configured percentiles."""
    if percentile >= bands.high_percentile:
        return "high"
    return "medium" if percentile >= bands.medium_percentile else "low"


def _user_id(profile: Profile) -> str | None:
    user_id = profile.get("user_id")
    return None if user_id is None else str(user_id)


def _as_of(profile: Profile) -> date | None:
    cutoff = profile.get("cutoff")
    return cutoff if isinstance(cutoff, date) else None


def _cutoff_at(profile: Profile) -> datetime | UnsetType:
    at = profile.get(CUTOFF_AT)
    return at if isinstance(at, datetime) else UNSET
