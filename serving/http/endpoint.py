"""The part of ``POST /v1/score`` that is not HTTP: from a body to scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec
from msgspec import structs

from features.eligibility import RECENT, TENURE
from features.errors import InputError
from models.churn_model import ChurnModel
from serving.http.contract import ModelInfo, ModelQuality
from serving.http.problems import not_ready
from serving.http.prometheus import Metrics
from serving.http.raw_events import EventProfiles, UserEvents
from serving.http.request import ReadRequest, RequestReader, ScoreInput
from serving.release.bundle import ServingBundle
from serving.score import Profile, Score, score
from serving.store.answers import StoredAnswer
from serving.store.profile_store import ProfileStore
from serving.store.reload import StoreReload

FoundItem = StoredAnswer | Score | Profile


@dataclass(frozen=True)
class FoundItems:
    """The items of a request with what is known of each: an answer, a profile to score, or the score that says why there is none."""

    request: ReadRequest
    store: ProfileStore
    found: Sequence[FoundItem]

    @cached_property
    def profiles(self) -> list[Profile]:
        """What is to be scored."""
        return [one for one in self.found if not isinstance(one, StoredAnswer | Score)]

    @property
    def to_compute(self) -> int:
        """Number of items to score."""
        return len(self.profiles)


class _Response(msgspec.Struct):
    """A :class:`serving.http.contract.ScoreResponse` some of whose results are bytes already."""

    request_id: str
    model: ModelInfo
    quality: ModelQuality
    results: list[Score | msgspec.Raw]


class Endpoint:
    """A model in service, with its profile store.

    Raises
    ------
    InputError
        When the model cannot score a synthetic profile.
    """

    def __init__(self, bundle: ServingBundle) -> None:
        model = bundle.model
        self._model = model
        self._bands = bundle.scoring
        self._reader = RequestReader(model.specification, bundle.serving)
        self._events = EventProfiles(model.specification, bundle.columns)
        self._info = ModelInfo(bundle.name, bundle.version, bundle.alias, model.quality.trained_through)
        self._quality = quality_of(model)
        self._metrics = Metrics(self._info)
        refused, places = (
            self._metrics.count_refused_store,
            {"folder": bundle.newer or bundle.store, "first": bundle.store},
        )
        self._stores = StoreReload(specification=model.specification, on_refusal=refused, **places)
        self._shifted: tuple[ProfileStore | None, ChurnModel] = (None, model)
        self._answers_of = bundle.answers_of if bundle.digest else None
        self._encoder = msgspec.json.Encoder()
        self._try()
        if bundle.serving.keep_activity:  # then events are expected
            self._events.prepare(self._stores.current())

    def _try(self) -> None:
        """Score once before the first request: it checks the model and warms it up."""
        (trial,) = score(self._model, [synthetic_profile(self._model)], bands=self._bands)
        if trial.status != "scored":
            raise InputError(
                f"the model cannot score a synthetic profile: {trial.code}", hint="train again: churn train"
            )

    @property
    def title(self) -> str:
        """Name, version and alias of the model, for a line of the log."""
        return f"{self._info.name} version {self._info.version} ({self._info.alias})"

    @property
    def is_ready(self) -> bool:
        """Whether there is a profile store that fits the model."""
        return self._stores.current() is not None

    def answer(self, body: bytes, *, request_id: str) -> bytes:
        """Return the answer as JSON.

        Raises
        ------
        InputError
            When the body breaks the contract, or there is no store.
        """
        return self.finish(self.find(body), request_id=request_id)

    def find(self, body: bytes) -> FoundItems:
        """Read a request and look up what the store has.

        Raises
        ------
        InputError
            When the body breaks the contract, or there is no store.
        """
        store = self._stores.current()
        if store is None:
            raise not_ready()
        request = self._reader.read(body)
        return FoundItems(request, store, self._found(request.inputs, store))

    def finish(self, items: FoundItems, *, request_id: str) -> bytes:
        """Compute what was not found, all of it together; return the answer as JSON, results in the order of the items."""
        scores = iter(self._computed(items) if items.to_compute else ())
        with_reasons = items.request.reasons
        answers = [one if isinstance(one, StoredAnswer | Score) else next(scores) for one in items.found]
        self._metrics.count([one.outcome for one in answers])
        results = [
            msgspec.Raw(one.json(with_reasons=with_reasons)) if isinstance(one, StoredAnswer) else one
            for one in answers
        ]
        return self._encoder.encode(_Response(request_id, self._info, self._quality, results))

    def _computed(self, items: FoundItems) -> list[Score]:
        """Score the profiles that were found, each with its arm."""
        model, with_reasons = self._model_with(items.store), items.request.reasons
        return _with_arms(score(model, items.profiles, bands=self._bands, with_reasons=with_reasons), items.store)

    def _model_with(self, store: ProfileStore) -> ChurnModel:
        """Return the model with the shift of its base rate that was estimated when the store was written."""
        known, model = self._shifted
        if known is not store:
            shift = store.info.shift
            model = (
                replace(self._model, shift=shift.shift)
                if shift and shift.version == self._info.version
                else self._model
            )
            self._shifted = store, model
        return model

    def _found(self, inputs: Sequence[ScoreInput], store: ProfileStore) -> list[FoundItem]:
        """Return for each item the finished answer, the profile, or the score that says why there is none."""
        ids = [one for one in inputs if isinstance(one, str)]
        known = iter(self._known(ids, store))
        with_events = [one for one in inputs if isinstance(one, UserEvents)]
        built = iter(_with_arms(self._events.profiles(with_events, store), store) if with_events else ())
        return [
            next(known) if isinstance(one, str) else next(built) if isinstance(one, UserEvents) else one
            for one in inputs
        ]

    def _known(self, ids: Sequence[str], store: ProfileStore) -> Sequence[FoundItem]:
        """Look users up: finished answers where they are this model's, else profiles."""
        if self._answers_of and store.info.answers == self._answers_of:
            return [found or _unknown(one) for one, found in zip(ids, store.answers(ids), strict=True)]
        profiles = store.get(ids)
        return [profiles.get(one) or _unknown(one) for one in ids]


def _unknown(user_id: str) -> Score:
    return Score(user_id, "unscored", "unknown_user")


def _with_arms(results: Sequence[FoundItem], store: ProfileStore) -> list[Any]:
    """Add the arm of each user whom the store knows, so that an app leaves the held out alone, too."""
    scores = [one for one in results if isinstance(one, Score)]
    arms, epoch = store.arms({one.user_id for one in scores if one.user_id is not None}), store.info.epoch
    return [
        structs.replace(one, arm=arms[one.user_id], epoch=epoch)
        if isinstance(one, Score) and one.user_id in arms
        else one
        for one in results
    ]


def quality_of(model: ChurnModel) -> ModelQuality:
    """Pick the metrics that go with every answer."""
    metrics = model.quality.metrics
    return ModelQuality(model.quality.test_cutoff, metrics["auc"], metrics["calibration_error"], int(metrics["users"]))


def synthetic_profile(model: ChurnModel) -> Profile:
    """Build a profile that is eligible and has no other value."""
    profile: dict[str, Any] = dict.fromkeys(model.specification.feature_names)
    return profile | {RECENT: 1.0, TENURE: float(max(1, model.definition.min_tenure_days))}
