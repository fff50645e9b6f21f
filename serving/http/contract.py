"""The contract of ``POST /v1/score`` and ``POST /v1/explain``.

The answer for a user is the :class:`serving.score.Score` that a batch holds too.

These structs are the contract and its documentation: ``/docs.json`` is generated from them.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.reasons import Reason
from serving.score import Score

Value = str | int | float | None
Status = Literal["ok", "degraded", "stale"]
STATUSES: tuple[Status, ...] = ("ok", "degraded", "stale")
Instant = Annotated[datetime, Meta(tz=True)]


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """An event of the item's user, in the columns of the event contract."""

    event_time: Annotated[Instant, Meta(description="When it happened, with its offset from UTC.")]
    event_type: Annotated[str, Meta(description="What happened, as the log names it.")]
    count: int | None = None
    session_id: str | None = None
    duration_seconds: float | None = None
    device_os: str | None = None
    device_model: str | None = None
    app_version: str | None = None
    network: str | None = None
    channel: str | None = None
    amount: float | None = None
    ingested_at: Instant | None = None
    order_id: str | None = None
    order_status: str | None = None
    item_id: str | None = None
    item_category: str | None = None


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user to score: a user id, a complete profile, or a user id with events and as_of."""

    user_id: Annotated[
        str | int | None,
        Meta(description="Looked up in the profile store, unless events come with it. An integer is read as text."),
    ] = None
    profile: Annotated[
        dict[str, str | int | float | None] | None,
        Meta(
            description="Every feature of the model by name: text, a number or null. "
            "user_id and cutoff (a date) may be given too and come back as user_id and as_of."
        ),
    ] = None
    events: Annotated[
        list[Event] | None,
        Meta(
            description="All events of the user: the profile is built from these events only. Those at or after as_of are ignored."
        ),
    ] = None
    events_since: Annotated[
        list[Event] | None,
        Meta(description="Events since the cutoff of the profile store, added to the user's kept activity."),
    ] = None
    as_of: Annotated[
        Instant | None,
        Meta(
            description="The cutoff: events before it count, excluded. Required with events, whose days then start at its time "
            "of day, and with events_since, where it must be a local midnight."
        ),
    ] = None


class ScoreRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Users to score, at most [serving] max_items."""

    items: Annotated[list[Item], Meta(min_length=1)]
    reasons: Annotated[
        bool, Meta(description="false: without reasons, which is faster where answers are computed.")
    ] = True
    curve: Annotated[
        bool,
        Meta(description="true: with the churn probability at other horizons, and the expected day; always computed."),
    ] = False


class ModelInfo(msgspec.Struct, frozen=True):
    """The model that answered."""

    name: str
    version: str
    alias: str
    trained_through: Annotated[date, Meta(description="First day whose events no training label saw.")]


class ModelQuality(msgspec.Struct, frozen=True):
    """Test metrics of the model, on users and days it had not seen."""

    test_cutoff: date
    auc: float
    calibration_error: float
    users: int
    status: Annotated[
        Status,
        Meta(
            description="How far answers can be relied on now. degraded: the stored profiles are older than [serving] "
            "degraded_after_days, or a newer release was refused; stale: older than stale_after_days."
        ),
    ] = "ok"
    why: Annotated[str, Meta(description="Why it is not ok.")] = ""


class ScoreResponse(msgspec.Struct, frozen=True):
    """The results, in the order of the items, and the model that gave them."""

    request_id: Annotated[str, Meta(description="X-Request-Id of the request, or a new one.")]
    model: ModelInfo
    quality: ModelQuality
    results: list[Score]


class ExplainRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user to explain, by id or by profile, and what to change in the profile."""

    user_id: Annotated[str | int | None, Meta(description="Looked up in the profile store.")] = None
    profile: Annotated[dict[str, Value] | None, Meta(description="Every feature of the model by name.")] = None
    changes: Annotated[
        dict[str, Value],
        Meta(description="Features to change, by name; those that are derived from them are computed again."),
    ] = {}


class FeatureValue(msgspec.Struct, frozen=True):
    """A feature of the profile."""

    name: str
    family: str
    unit: str
    description: str
    value: Value
    is_derived: Annotated[bool, Meta(description="It follows from others, and cannot be changed by itself.")]
    low: float | None
    high: float | None
    known: Annotated[list[str], Meta(description="Values that the model knows, where it is text.")]


class Explanation(msgspec.Struct, frozen=True):
    """The answer of the model on one user.

    With ``changes`` it is the model's answer on the changed profile, not what would happen if somebody changed.
    """

    request_id: str
    model: ModelInfo
    quality: ModelQuality
    result: Score
    before: Annotated[Score | None, Meta(description="The result without the changes; null where there are none.")]
    recomputed: Annotated[list[str], Meta(description="Derived features that the changes changed.")]
    high_percentile: float
    medium_percentile: float
    base: Annotated[float | None, Meta(description="Log-odds before any feature speaks; null where there is no score.")]
    reasons: Annotated[
        list[Reason],
        Meta(
            description="Of every family, the largest first: with base they add up to the log-odds of the probability."
        ),
    ]
    features: list[FeatureValue]


class Refusal(msgspec.Struct, frozen=True):
    """Why a request was refused, as a problem document of RFC 9457; user ids and values are never repeated.

    ``error``, ``hint`` and ``request_id`` are extension members: ``error`` is ``detail``, under the name that it always had.
    """

    type: Annotated[str, Meta(description="Kind of problem; stable.")]
    title: Annotated[str, Meta(description="The kind in words.")]
    status: Annotated[int, Meta(description="Status code of the answer.")]
    detail: Annotated[str, Meta(description="The same as error.")]
    error: Annotated[str, Meta(description="What is wrong, where, what was received and what was expected.")]
    hint: Annotated[str, Meta(description="What to do about it.")]
    request_id: str
