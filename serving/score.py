"""From profiles to scores: one shape and one function for the batch, the list and the endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType
from numpy.typing import NDArray

from models.churn_model import ChurnModel
from models.encoding import Matrix, encode_rows
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
]
Profile = Mapping[str, object]
CHUNK_ROWS = 10_000
CUTOFF_AT = "cutoff_at"  # key of a profile that was built for an instant


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
    reasons: list[Reason] = []
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
    detail: Annotated[str | UnsetType, Meta(description="What is wrong with the events, and where.")] = UNSET


def score(model: ChurnModel, profiles: Sequence[Profile], *, bands: ScoringSettings) -> list[Score]:
    """Score profiles, in their order. No profile's score depends on another's.

    Parameters
    ----------
    profiles
        Each maps feature names to text, numbers or None, with ``user_id`` and ``cutoff`` where known.

    Returns
    -------
    One score for each profile: ``unscored`` with a code where the user is not eligible, or the profile lacks a feature of the model.
    """
    codes = _codes(model, profiles)
    chosen = [profile for profile, code in zip(profiles, codes, strict=True) if code is None]
    scored = iter(_scored(model, chosen, bands=bands))
    return [
        next(scored) if code is None else unscored(profile, code) for profile, code in zip(profiles, codes, strict=True)
    ]


def unscored(profile: Profile, code: Code) -> Score:
    """Return the score of a user who cannot be scored."""
    return Score(_user_id(profile), "unscored", code, as_of=_as_of(profile), cutoff_at=_cutoff_at(profile))


def _codes(model: ChurnModel, profiles: Sequence[Profile]) -> list[Code | None]:
    """Return for each profile why it cannot be scored; None where it can."""
    needed = frozenset(model.specification.feature_names)
    rule = model.eligibility
    eligible = rule.mask(*(_numbers(profiles, name) for name in rule.columns))
    return [
        "incomplete_profile" if not needed <= profile.keys() else None if is_eligible else "not_eligible"
        for profile, is_eligible in zip(profiles, eligible, strict=True)
    ]


def _numbers(profiles: Sequence[Profile], name: str) -> NDArray[np.float64]:
    values = (profile.get(name) for profile in profiles)
    return np.array([value if isinstance(value, int | float) else np.nan for value in values], dtype=np.float64)


def _scored(model: ChurnModel, profiles: Sequence[Profile], *, bands: ScoringSettings) -> Iterator[Score]:
    for start in range(0, len(profiles), CHUNK_ROWS):
        chunk = profiles[start : start + CHUNK_ROWS]
        matrix = encode_rows(chunk, model.specification)
        yield from _answers(model, chunk, matrix=matrix, bands=bands)


def _answers(
    model: ChurnModel, profiles: Sequence[Profile], *, matrix: Matrix, bands: ScoringSettings
) -> Iterator[Score]:
    raw, contributions = model.explain(matrix)
    probability, percentile = model.probability(raw), model.reference.percentile(raw)
    reasons, shown = model.narrator.explain(contributions, profiles), shown_percentile(percentile)
    for row, profile in enumerate(profiles):
        yield Score(
            _user_id(profile),
            "scored",
            churn_probability=float(probability[row]),
            percentile=float(shown[row]),
            risk_band=risk_band(float(percentile[row]), bands),
            as_of=_as_of(profile),
            reasons=reasons[row],
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
