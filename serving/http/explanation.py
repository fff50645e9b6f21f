"""``POST /v1/explain``: the score of one user with all that it is made of, and what the model says of a profile that was changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isinf, log
from typing import Any, NamedTuple

import msgspec

from features.catalogue.bounds import bounds_of
from features.catalogue.consistency import contradictions
from features.catalogue.definition import Derived, Feature
from features.errors import InputError
from features.profiles.derived import DerivedFeatures, check_not_derived
from features.profiles.specification import Specification
from models.churn_model import ChurnModel
from models.encoding import encode_rows
from models.reasons import Reason
from serving.http.contract import Explanation, FeatureValue, ModelInfo, ModelQuality, Value
from serving.http.problems import IMPOSSIBLE, RequestProblem
from serving.score import Profile, Score, score
from serving.settings import ScoringSettings

_LARGEST = 1e15  # of a value that a feature can be changed to: larger ones have no meaning, and no exact sums


class Header(NamedTuple):
    """What every answer begins with."""

    request_id: str
    model: ModelInfo
    quality: ModelQuality


class Explainer:
    """Explains the scores of one model; the engine is loaded with the first change."""

    def __init__(self, model: ChurnModel, bands: ScoringSettings) -> None:
        self._model, self._bands = model, bands
        self._derived: DerivedFeatures | None = None

    def explain(
        self,
        found: Profile | Score,
        changes: Mapping[str, Value],
        *,
        header: Header,
    ) -> Explanation:
        """Explain a profile, after some changes; or say why there is none.

        Raises
        ------
        RequestProblem
            When a feature cannot be changed, or the changed profile contradicts itself.
        """
        if isinstance(found, Score):
            return self._explanation(header, found)
        profile, recomputed = self._changed_or_refused(found, changes) if changes else (found, [])
        result = self._result(profile)
        base, reasons = self._reasons(profile, result.churn_probability)
        return msgspec.structs.replace(
            self._explanation(header, result),
            before=self._result(found) if changes else None,
            recomputed=recomputed,
            base=base,
            reasons=reasons,
            features=values_of(self._model.specification, profile),
        )

    def _explanation(self, header: Header, result: Score) -> Explanation:
        """Return an explanation that says no more than the result."""
        return Explanation(
            request_id=header.request_id,
            model=header.model,
            quality=header.quality,
            result=result,
            before=None,
            recomputed=[],
            high_percentile=self._bands.high_percentile,
            medium_percentile=self._bands.medium_percentile,
            base=None,
            reasons=[],
            features=[],
        )

    def _changed_or_refused(self, profile: Profile, changes: Mapping[str, Value]) -> tuple[Profile, list[str]]:
        try:
            return self._changed(profile, changes)
        except InputError as error:
            raise RequestProblem(error.message, kind=IMPOSSIBLE, hint=error.hint) from error

    def _changed(self, profile: Profile, changes: Mapping[str, Value]) -> tuple[Profile, list[str]]:
        """Return a profile with changes, and the derived features that followed."""
        specification = self._model.specification
        if not profile.keys() >= set(specification.feature_names):
            raise InputError("changes: the profile lacks features", hint="send a complete profile, or a user_id")
        check_not_derived(specification, changes)
        known = {one.name: one for one in specification.features}
        wanted = dict(profile) | {name: _checked(known[name], value) for name, value in changes.items()}
        if found := contradictions(specification.features, wanted, changed=changes):
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            raise InputError(
                f"changes: {found[0].why}{more}", hint="nobody can have such a profile: change the other too"
            )
        self._derived = self._derived or DerivedFeatures(specification)
        followed = self._derived.recompute(wanted, changed=changes)
        return wanted | followed, [name for name, value in followed.items() if value != profile[name]]

    def _result(self, profile: Profile) -> Score:
        (found,) = score(self._model, [profile], bands=self._bands)
        return found

    def _reasons(self, profile: Profile, probability: float | None) -> tuple[float | None, list[Reason]]:
        """Return the log-odds before any feature speaks, and what each family adds to them; nothing without a score."""
        if probability is None:
            return None, []
        explanation = self._model.explain(encode_rows([profile], self._model.specification))
        narrator = self._model.narrator
        families = len({one.family for one in narrator.features})
        (found,) = narrator.explain(explanation.contributions, [profile], number=families)
        return log(probability / (1 - probability)) - float(explanation.contributions.sum()), found


def values_of(specification: Specification, profile: Profile) -> list[FeatureValue]:
    """Return the features of a profile, in their order."""
    return [_value_of(one, profile, known=specification.categories.get(one.name, ())) for one in specification.features]


def _value_of(feature: Feature, profile: Profile, *, known: Sequence[str]) -> FeatureValue:
    low, high = (None if isinf(bound) else bound for bound in bounds_of(feature))
    value: Any = profile.get(feature.name)
    return FeatureValue(
        feature.name,
        feature.family,
        feature.unit.value,
        feature.description,
        value=value,
        is_derived=isinstance(feature, Derived),
        low=low,
        high=high,
        known=list(known),
    )


def _checked(feature: Feature, value: Value) -> Value:
    """Return a value as the profile holds it.

    Raises
    ------
    InputError
        When it is of another kind than the feature.
    """
    is_fitting = value is None or isinstance(value, str) == feature.is_text
    if not is_fitting or (isinstance(value, int | float) and not abs(value) <= _LARGEST):
        expected = "text or null" if feature.is_text else "a number or null"
        raise InputError(f"changes.{feature.name}: expected {expected}", hint="GET /v1/reasons lists the units")
    if value is None and feature.when_absent is not None:
        raise InputError(f"changes.{feature.name}: expected a number, it is known of everybody", hint="0 is none")
    return float(value) if isinstance(value, int) else value
