"""The part of ``POST /v1/score`` that is not HTTP: from a body to scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import structs

from features.eligibility import RECENT, TENURE
from features.errors import InputError
from models.churn_model import ChurnModel
from serving.http.contract import ModelInfo, ModelQuality, ScoreResponse
from serving.http.prometheus import Metrics
from serving.http.raw_events import EventProfiles, UserEvents
from serving.http.request import RequestReader, ScoreInput
from serving.release.bundle import ServingBundle
from serving.score import Profile, Score, score
from serving.store.profile_store import ProfileStore
from serving.store.reload import StoreReload


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

    def answer(self, body: bytes, *, request_id: str) -> bytes | None:
        """Return the answer as JSON; None while there is no store.

        Raises
        ------
        InputError
            When the body breaks the contract.
        """
        store = self._stores.current()
        if store is None:
            return None
        results = self._results(self._reader.read(body), store)
        self._metrics.count(results)
        return self._encoder.encode(ScoreResponse(request_id, self._info, self._quality, results))

    def _results(self, inputs: Sequence[ScoreInput], store: ProfileStore) -> list[Score]:
        """Find all profiles together and score them together; results in the order of the items."""
        found = self._found(inputs, store)
        profiles = [one for one in found if not isinstance(one, Score)]
        scores = iter(score(self._model_with(store), profiles, bands=self._bands))
        return _with_arms([one if isinstance(one, Score) else next(scores) for one in found], store)

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

    def _found(self, inputs: Sequence[ScoreInput], store: ProfileStore) -> list[Profile | Score]:
        """Return for each item the profile, or the score that says why there is none."""
        known = store.get([one for one in inputs if isinstance(one, str)])
        with_events = [one for one in inputs if isinstance(one, UserEvents)]
        built = iter(self._events.profiles(with_events, store) if with_events else ())
        return [
            (known.get(one) or Score(one, "unscored", "unknown_user"))
            if isinstance(one, str)
            else next(built)
            if isinstance(one, UserEvents)
            else one
            for one in inputs
        ]


def _with_arms(results: list[Score], store: ProfileStore) -> list[Score]:
    """Add the arm of each user whom the store knows, so that an app leaves the held out alone, too."""
    arms, epoch = store.arms({one.user_id for one in results if one.user_id is not None}), store.info.epoch
    return [structs.replace(one, arm=arms[one.user_id], epoch=epoch) if one.user_id in arms else one for one in results]


def quality_of(model: ChurnModel) -> ModelQuality:
    """Pick the metrics that go with every answer."""
    metrics = model.quality.metrics
    return ModelQuality(model.quality.test_cutoff, metrics["auc"], metrics["calibration_error"], int(metrics["users"]))


def synthetic_profile(model: ChurnModel) -> Profile:
    """Build a profile that is eligible and has no other value."""
    profile: dict[str, Any] = dict.fromkeys(model.specification.feature_names)
    return profile | {RECENT: 1.0, TENURE: float(max(1, model.definition.min_tenure_days))}
