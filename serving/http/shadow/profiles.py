"""The profile that a challenger needs of a user whom the champion has scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from features.catalogue.definition import Derived
from features.errors import InputError
from features.profiles.derived import DerivedFeatures
from features.profiles.specification import Specification
from serving.http.raw_events import EventProfiles, UserEvents
from serving.score import Profile, Score
from serving.store.profile_store import ProfileStore


class ChallengerProfiles:
    """Makes profiles of a challenger's specification out of what the champion was asked about.

    Raw events give a profile anew. In a profile, what is counted is the same for both models, and what is derived from it is computed
    again where the challenger has other constants, as the parameters of BG/NBD; the engine is loaded with the first such user.

    Parameters
    ----------
    served
        Specification of the champion.
    columns
        Contract columns of the log, as of :class:`serving.http.raw_events.EventProfiles`.
    """

    def __init__(self, specification: Specification, *, served: Specification, columns: tuple[str, ...]) -> None:
        known = {one.name: one for one in served.features}
        self._specification = specification
        self._is_same_kind = not specification.differing(served, besides="observation_days")
        counted = [one for one in specification.features if not isinstance(one, Derived)]
        self._lacking = [one.name for one in counted if known.get(one.name) != one]
        self._counted = [one.name for one in counted]
        self._is_derived_anew = any(known.get(one.name) != one for one in specification.features)
        self._events = EventProfiles(specification, columns)
        self._derived: DerivedFeatures | None = None

    def profile(self, asked: UserEvents | Profile, store: ProfileStore) -> Profile | Score:
        """Return the challenger's profile, or the score that says why there is none.

        Raises
        ------
        InputError
            When the champion's profile does not hold what the challenger's is made of.
        """
        if isinstance(asked, UserEvents):
            (found,) = self._events.profiles([asked], store)
            return found
        if not self._is_same_kind or self._lacking:
            raise InputError("the challenger counts other things than the champion", hint="compare them: churn promote")
        return {**asked, **self._derived_anew(asked)} if self._is_derived_anew else asked

    def _derived_anew(self, profile: Profile) -> Mapping[str, Any]:
        if profile.get("cutoff") is None:
            raise InputError("a profile without cutoff cannot be derived anew", hint="send its cutoff, too")
        self._derived = self._derived or DerivedFeatures(self._specification)
        return self._derived.recompute(profile, changed=self._counted)
