"""``GET /v1/model`` and ``GET /v1/reasons``: what is in service, and what its reasons are about."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from serving.batch.difference import Difference
from serving.http.contract import Status
from serving.http.standing import Standing

if TYPE_CHECKING:  # the process that supervises the workers reads this file too, and needs no LightGBM
    from models.churn_model import ChurnModel
    from serving.release.bundle import ServingBundle
    from serving.store.profile_store import StoreInfo

REASON_UNIT = "log-odds of the churn probability"


class ShadowDocument(msgspec.Struct, frozen=True):
    """A challenger that is compared with the model in service, and answers nobody."""

    version: str
    alias: str
    difference: Annotated[
        Difference, Meta(description="Between the scores of all stored users, when the release was written.")
    ]


class ModelDocument(msgspec.Struct, frozen=True):
    """The model in service, and the store that it answers from."""

    name: str
    version: str
    alias: str
    status: Annotated[
        Status,
        Meta(
            description="degraded: a newer release was refused, and this one goes on, or its profiles are older than [serving] "
            "degraded_after_days; stale: older than stale_after_days."
        ),
    ]
    why: Annotated[str, Meta(description="Why it is not ok.")]
    trained_through: date
    test_cutoff: date
    metrics: dict[str, float]
    horizon_days: int
    gap_days: int
    active_within_days: Annotated[int, Meta(description="Who was active within so many days is scored; 0: everyone.")]
    min_tenure_days: int
    high_percentile: float
    medium_percentile: float
    features: list[str]
    as_of: Annotated[date, Meta(description="Cutoff of the stored profiles.")]
    users: Annotated[int, Meta(description="Stored users.")]
    shadow: Annotated[
        ShadowDocument | None, Meta(description="null where none is compared, or it is broken: the log says why.")
    ] = None


class ReasonFeature(msgspec.Struct, frozen=True):
    """A feature that a reason may name."""

    name: str
    unit: str
    description: str


class ReasonFamily(msgspec.Struct, frozen=True):
    """A code of reasons, with the features that are summed up in it."""

    code: str
    features: list[ReasonFeature]


class ReasonsDocument(msgspec.Struct, frozen=True):
    """Every reason that the model can give."""

    unit: Annotated[str, Meta(description="Of the contribution of a reason.")]
    reasons: list[ReasonFamily]


def model_document(bundle: ServingBundle, info: StoreInfo, *, standing: Standing) -> ModelDocument:
    """Describe what is in service: a model, and a store by what it says of itself."""
    model, bands, shadow = bundle.model, bundle.scoring, bundle.shadow
    return ModelDocument(
        bundle.name,
        bundle.version,
        bundle.alias,
        standing.status,
        standing.why,
        model.quality.trained_through,
        model.quality.test_cutoff,
        model.quality.metrics,
        model.definition.horizon_days,
        model.definition.gap_days,
        model.definition.active_within_days,
        model.definition.min_tenure_days,
        bands.high_percentile,
        bands.medium_percentile,
        list(model.specification.feature_names),
        info.cutoff,
        info.users,
        shadow and ShadowDocument(shadow.version, shadow.alias, shadow.difference),
    )


def reasons_document(model: ChurnModel) -> ReasonsDocument:
    """List the codes of a model's reasons, in the order of their names."""
    families: dict[str, list[ReasonFeature]] = {}
    for one in model.specification.features:
        families.setdefault(one.family, []).append(ReasonFeature(one.name, one.unit.value, one.description))
    return ReasonsDocument(REASON_UNIT, [ReasonFamily(code, families[code]) for code in sorted(families)])
