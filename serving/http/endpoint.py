"""The part of ``POST /v1/score`` that is not HTTP: from a body to scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from math import isclose
from typing import Any

import msgspec
from msgspec import structs

from features.eligibility import RECENT, TENURE
from features.errors import InputError
from features.log.sources.values import plain_id
from models.churn_model import ChurnModel
from serving.http.contract import ExplainRequest, ModelInfo, ModelQuality
from serving.http.explanation import Explainer, Header
from serving.http.prometheus import Metrics
from serving.http.raw_events import EventProfiles, NewUserScorer, UserEvents
from serving.http.request import ReadRequest, RequestReader, ScoreInput
from serving.http.shadow.shadow import ShadowScoring
from serving.http.standing import Standing
from serving.release.bundle import ServingBundle, check_golden
from serving.score import Profile, Score, score
from serving.settings import ServingSettings
from serving.store.answers import StoredAnswer
from serving.store.profile_store import ProfileStore, open_store

BLOCK, BLOCK_WITHOUT_REASONS = 10, 40  # items that are computed at once: two milliseconds or three
FoundItem = StoredAnswer | Score | Profile
_ANSWERS = (StoredAnswer, Score)


class FoundItems(msgspec.Struct, frozen=True):
    """The items of a request with what is known of each: an answer, a profile to score, or the score that says why there is none.

    Attributes
    ----------
    profiles
        What is to be scored.
    """

    request: ReadRequest
    found: Sequence[FoundItem]
    profiles: list[Profile]

    @property
    def sent(self) -> list[tuple[ScoreInput, Profile]]:
        """What was sent for each profile, with it."""
        both = zip(self.request.inputs, self.found, strict=True)
        return [(item, one) for item, one in both if not isinstance(one, _ANSWERS)]

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
    """A model in service, with the store of its answers.

    Parameters
    ----------
    store
        Default: the one that the bundle names.
    metrics
        Of the worker; default: new ones.

    Attributes
    ----------
    shadow
        Compares what is computed with the scores of a challenger; None: nothing is compared.

    Raises
    ------
    InputError
        When there is no store that fits, or the model does not give the scores that it gave when its release was written.
    """

    def __init__(
        self, bundle: ServingBundle, store: ProfileStore | None = None, *, metrics: Metrics | None = None
    ) -> None:
        model = bundle.model
        self._bundle = bundle
        self._store = store or open_store(bundle.store, model.specification)
        self._reader = RequestReader(model.specification, bundle.serving)
        self._events = EventProfiles(model.specification, bundle.columns)
        self.info = ModelInfo(bundle.name, bundle.version, bundle.alias, model.quality.trained_through)
        self.model_id = f"{bundle.name}/{bundle.version}"  # as a caller may pin it
        self._quality = quality_of(model)
        self._metrics = metrics or Metrics()
        self._model = _shifted(model, self._store, version=bundle.version)
        self._explainer = Explainer(self._model, bundle.scoring)
        self._new_users = NewUserScorer(bundle, bundle.new_users) if bundle.new_users else None
        self._has_answers = bool(bundle.digest) and self._store.info.answers == bundle.answers_of
        self._encoder = msgspec.json.Encoder()
        self.shadow: ShadowScoring | None = None
        check_golden(bundle)
        self._try()
        if bundle.serving.keep_activity:  # then events are expected
            self._events.prepare(self._store)
            if self._new_users:
                self._new_users.prepare(self._store)

    def _try(self) -> None:
        """Score before the first request: it checks the model, that the store's answers are its own, and warms both up."""
        (trial,) = score(self._model, [synthetic_profile(self._model)], bands=self._bundle.scoring)
        if trial.status != "scored":
            raise InputError(
                f"the model cannot score a synthetic profile: {trial.code}", hint="train again: churn train"
            )
        for user_id, answer in self._store.some_answers() if self._has_answers else ():
            computed = score(self._model, list(self._store.get([user_id]).values()), bands=self._bundle.scoring)
            if not _is_same(computed, answer):
                raise InputError("the answers of the store are not the model's", hint="churn score --as-of DATE")

    @property
    def title(self) -> str:
        """Name, version and alias of the model, for a line of the log."""
        return f"{self.info.name} version {self.info.version} ({self.info.alias})"

    def stand(self, found: Standing) -> None:
        """Say with every answer how far it can be relied on."""
        if (self._quality.status, self._quality.why) != found:
            self._quality = structs.replace(self._quality, status=found.status, why=found.why)

    @property
    def bundle(self) -> ServingBundle:
        """The model and its settings."""
        return self._bundle

    @property
    def store(self) -> ProfileStore:
        """The store of its answers."""
        return self._store

    @property
    def limits(self) -> ServingSettings:
        """Limits of the service."""
        return self._bundle.serving

    @property
    def as_of(self) -> date:
        """Cutoff of the stored profiles."""
        return self._store.info.cutoff

    def answer(self, body: bytes, *, request_id: str, pause: Callable[[], object] = lambda: None) -> bytes:
        """Return the answer as JSON; ``pause`` is that of :meth:`finish`.

        Raises
        ------
        InputError
            When the body breaks the contract.
        """
        return self.finish(self.find(self.read(body)), request_id=request_id, pause=pause)

    def explain(self, body: bytes, *, request_id: str) -> bytes:
        """Return the explanation of one user as JSON.

        Raises
        ------
        InputError
            When the body breaks the contract, or a change cannot be.
        """
        asked = self._reader.read_explain(body)
        header = Header(request_id, self.info, self._quality)
        found = self._explainer.explain(self._profile_of(asked), asked.changes, header=header)
        (result,) = _with_arms([found.result], self._store)
        return self._encoder.encode(structs.replace(found, result=result))

    def _profile_of(self, asked: ExplainRequest) -> Profile | Score:
        """Return the profile to explain, or the score that says why there is none."""
        if asked.profile is not None:
            return asked.profile
        user_id = plain_id(str(asked.user_id))
        return self._store.get([user_id]).get(user_id) or _unknown(user_id)

    def read(self, body: bytes) -> ReadRequest:
        """Read a request.

        Raises
        ------
        InputError
            When the body breaks the contract.
        """
        return self._reader.read(body)

    def find(self, request: ReadRequest) -> FoundItems:
        """Look up what the store has of each item."""
        found = self._found(request)
        profiles = [one for one in found if not isinstance(one, _ANSWERS)]
        return FoundItems(request, found, profiles)

    def finish(self, items: FoundItems, *, request_id: str, pause: Callable[[], object] = lambda: None) -> bytes:
        """Compute what was not found; return the answer as JSON, results in the order of the items.

        Parameters
        ----------
        pause
            Called between blocks of :data:`BLOCK` items, or of :data:`BLOCK_WITHOUT_REASONS`.
        """
        answers, with_reasons = self._answers(items, pause), items.request.reasons
        self._metrics.count([one.outcome for one in answers])
        self._metrics.count_scores([one.scored for one in answers], model=self.model_id)
        if self.shadow:
            self.shadow.compare(_computed_users(items, answers))
        results = [
            msgspec.Raw(one.json(with_reasons=with_reasons)) if isinstance(one, StoredAnswer) else one
            for one in answers
        ]
        return self._encoder.encode(_Response(request_id, self.info, self._quality, results))

    def _answers(self, items: FoundItems, pause: Callable[[], object]) -> list[StoredAnswer | Score]:
        """Return what was found or computed, in the order of the items."""
        scores = iter(self._computed(items, pause) if items.profiles else ())
        return [one if isinstance(one, _ANSWERS) else next(scores) for one in items.found]

    def _computed(self, items: FoundItems, pause: Callable[[], object]) -> list[Score]:
        """Score the profiles that were found, each with its arm."""
        request, found = items.request, list[Score]()
        block = BLOCK if request.reasons else BLOCK_WITHOUT_REASONS
        for start in range(0, items.to_compute, block):
            if start:
                pause()
            found += score(
                self._model,
                items.profiles[start : start + block],
                bands=self._bundle.scoring,
                with_reasons=request.reasons,
                with_curve=request.curve,
            )
        if self._new_users:
            found = self._new_users.rescored(found, items.sent, store=self._store, with_reasons=request.reasons)
        return _with_arms(found, self._store)

    def _found(self, request: ReadRequest) -> list[FoundItem]:
        """Return for each item the finished answer, the profile, or the score that says why there is none."""
        inputs = request.inputs
        ids = [one for one in inputs if isinstance(one, str)]
        if len(ids) == len(inputs):
            return list(self._known(ids, finished=not request.curve))
        known = iter(self._known(ids, finished=not request.curve))
        built = iter(self._built([one for one in inputs if isinstance(one, UserEvents)]))
        return [
            next(known) if isinstance(one, str) else next(built) if isinstance(one, UserEvents) else one
            for one in inputs
        ]

    def _built(self, items: Sequence[UserEvents]) -> list[Any]:
        """Build the profiles of users with events."""
        return _with_arms(self._events.profiles(items, self._store), self._store) if items else []

    def _known(self, ids: Sequence[str], *, finished: bool) -> Sequence[FoundItem]:
        """Look users up: finished answers where they are this model's and will do, or another model scored, else profiles."""
        if self._has_answers and finished:
            return [found or _unknown(one) for one, found in zip(ids, self._store.answers(ids), strict=True)]
        profiles = self._store.get(ids)
        answers = self._store.answers(ids) if self._has_answers else [None] * len(ids)
        new = {one: found for one, found in zip(ids, answers, strict=True) if found and found.scored_by}
        return [new.get(one) or profiles.get(one) or _unknown(one) for one in ids]


def _computed_users(
    items: FoundItems, answers: Sequence[StoredAnswer | Score]
) -> list[tuple[UserEvents | Profile, Score]]:
    """Return what was asked of each user who was not simply looked up, and the answer."""
    return [
        (asked if isinstance(asked, UserEvents) else found, answer)
        for asked, found, answer in zip(items.request.inputs, items.found, answers, strict=True)
        if not isinstance(found, _ANSWERS) and isinstance(answer, Score)
    ]


def _shifted(model: ChurnModel, store: ProfileStore, *, version: str) -> ChurnModel:
    """Return the model with the shift of its base rate that was estimated when the store was written."""
    shift = store.info.shift
    return replace(model, shift=shift.shift) if shift and shift.version == version else model


def _is_same(computed: Sequence[Score], answer: bytes) -> bool:
    """Compare a score with a finished answer."""
    stored = msgspec.json.decode(answer, type=Score).churn_probability
    found = computed[0].churn_probability if computed else None
    return found is not None and stored is not None and isclose(found, stored, abs_tol=1e-9)


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
