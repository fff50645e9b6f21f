"""Everything behind ``POST /v1/score`` that is not HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from features.eligibility import RECENT, TENURE
from features.errors import InputError
from models.churn_model import ChurnModel
from serving.http.contract import ModelInfo, ModelQuality, ScoreResponse
from serving.http.prometheus import Metrics
from serving.http.raw_events import EventProfiles, UserEvents
from serving.http.request import Asked, RequestReader
from serving.release.bundle import ServingBundle
from serving.score import Profile, Score, score
from serving.store.profile_store import ProfileStore
from serving.store.reload import StoreReload


class Endpoint:
    """A served model with its profile store.

    Raises
    ------
    InputError
        When the model cannot score a made-up profile.
    """

    def __init__(self, served: ServingBundle) -> None:
        model = served.model
        self._model = model
        self._bands = served.scoring
        self._reader = RequestReader(model.specification, served.serving)
        self._events = EventProfiles(model.specification, served.columns)
        self._info = ModelInfo(served.name, served.version, served.alias, model.quality.trained_through)
        self._quality = quality_of(model)
        self._meters = Metrics(self._info)
        self._stores = StoreReload(served.store, model.specification, on_refusal=self._meters.count_refused_store)
        self._encoder = msgspec.json.Encoder()
        self._try()
        if served.serving.keep_activity:  # then events are expected
            self._events.prepare(self._stores.current())

    def _try(self) -> None:
        """Score once before anybody asks: it proves the model and warms it up."""
        (tried,) = score(self._model, [made_up_profile(self._model)], bands=self._bands)
        if tried.status != "scored":
            raise InputError(f"the model cannot score a made-up profile: {tried.code}", hint="train again: churn train")

    @property
    def title(self) -> str:
        """Which model answers, in words."""
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
            When the body is not of the contract.
        """
        store = self._stores.current()
        if store is None:
            return None
        results = self._results(self._reader.read(body), store)
        self._meters.count(results)
        return self._encoder.encode(ScoreResponse(request_id, self._info, self._quality, results))

    def _results(self, asked: Sequence[Asked], store: ProfileStore) -> list[Score]:
        """Find all profiles together and score them together; results in the order of what was asked."""
        found = self._found(asked, store)
        scores = iter(score(self._model, [one for one in found if not isinstance(one, Score)], bands=self._bands))
        return [one if isinstance(one, Score) else next(scores) for one in found]

    def _found(self, asked: Sequence[Asked], store: ProfileStore) -> list[Profile | Score]:
        """Return the profile of each that was asked for, or the answer that says why there is none."""
        known = store.get([one for one in asked if isinstance(one, str)])
        told = [one for one in asked if isinstance(one, UserEvents)]
        built = iter(self._events.profiles(told, store) if told else ())
        return [
            (known.get(one) or Score(one, "unscored", "unknown_user"))
            if isinstance(one, str)
            else next(built)
            if isinstance(one, UserEvents)
            else one
            for one in asked
        ]


def quality_of(model: ChurnModel) -> ModelQuality:
    """Pick the figures that go with every answer."""
    figures = model.quality.metrics
    return ModelQuality(model.quality.test_cutoff, figures["auc"], figures["calibration_error"], int(figures["users"]))


def made_up_profile(model: ChurnModel) -> Profile:
    """Make an eligible profile with nothing else known."""
    profile: dict[str, Any] = dict.fromkeys(model.specification.feature_names)
    return profile | {RECENT: 1.0, TENURE: float(max(1, model.definition.min_tenure_days))}
