"""What goes over HTTP: ``POST /v1/score``. The same :class:`Score` is a row of a batch.

These structs are the contract and its documentation: ``/docs.json`` is made from them.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.reasons import Reason

RiskBand = Literal["high", "medium", "low"]
Code = Literal["unknown_user", "not_eligible", "incomplete_profile"]


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to score: either a user id or a whole profile."""

    user_id: Annotated[str | None, Meta(description="Looked up in the profile store.")] = None
    profile: Annotated[
        dict[str, str | float | None] | None,
        Meta(
            description="Every feature of the model by name: text, a number or null. "
            "user_id and cutoff (a date) may stand beside them and come back as user_id and as_of."
        ),
    ] = None


class ScoreRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Users to score, at most as many as [serving] max_items."""

    items: Annotated[list[Item], Meta(min_length=1)]


class Score(msgspec.Struct, frozen=True):
    """The answer for one user: scored, or unscored with a code that says why."""

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
    as_of: Annotated[date | None, Meta(description="Cutoff of the profile: nothing later is known to the score.")] = (
        None
    )
    reasons: list[Reason] = []


class ModelInfo(msgspec.Struct, frozen=True):
    """Which model answered."""

    name: str
    version: str
    alias: str
    trained_through: Annotated[date, Meta(description="First day whose events no label of its training saw.")]


class ModelQuality(msgspec.Struct, frozen=True):
    """What the model showed on users and days it had not seen."""

    test_cutoff: date
    auc: float
    calibration_error: float
    users: int


class ScoreResponse(msgspec.Struct, frozen=True):
    """The results, in the order of the items, and the model they are from."""

    request_id: Annotated[str, Meta(description="X-Request-Id of the request, or a new one.")]
    model: ModelInfo
    quality: ModelQuality
    results: list[Score]


class Refusal(msgspec.Struct, frozen=True):
    """Why a request was not answered; it never repeats user ids or values."""

    error: Annotated[str, Meta(description="What is wrong, where, got against expected.")]
    hint: Annotated[str, Meta(description="The way out.")]
    request_id: str
