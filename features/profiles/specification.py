"""What is frozen with a model, so that a profile built anywhere and at any time means the same."""

from __future__ import annotations

from functools import cached_property

import duckdb
import msgspec

from features.catalogue.catalogue import CUSTOM, catalogue
from features.catalogue.custom import CustomFeature
from features.catalogue.definition import Derived, Feature
from features.catalogue.fitted import FittedConstants
from features.errors import SettingsError
from features.expressions import NUMBER, check_single_user

_COUNTING = ("timezone", "naive_zone", "qualifying", "event", "session_gap_minutes")


class Specification(msgspec.Struct, frozen=True, dict=True, rename={"fitted": "learnt", "custom": "own"}):
    """The frozen profile specification, saved under the keys of its first format (``learnt``, ``own``).

    Attributes
    ----------
    feature_names
        The columns of a profile, in order.
    fitted
        What was fitted across users, before the earliest cutoff of validation.
    categories
        Text feature to its known values, most frequent first; the code of a value is its place.
    custom
        The features that the project added.
    sensitive
        The attributes that the model reads only because ``[features] allow_sensitive`` names them: gender, age and the like.
    qualifying, event
        SQL over the contract, as configured.
    naive_zone
        Zone of the log's timestamps that carry none: conditions and daily expressions that read the clock of an instant
        read it in this zone, in the batch, in Spark and online.
    unused
        Columns of the profile that the model does not use.
    """

    feature_names: tuple[str, ...]
    windows_days: tuple[int, ...]
    fitted: FittedConstants = msgspec.field(default_factory=FittedConstants)
    custom: tuple[CustomFeature, ...] = ()
    sensitive: tuple[str, ...] = ()
    observation_days: int | None = None
    timezone: str = "UTC"
    session_gap_minutes: int = 30
    qualifying: str = ""
    event: str = ""
    naive_zone: str = "UTC"
    categories: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])
    unused: tuple[str, ...] = ()

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The literals behind the names, in order."""
        known = {feature.name: feature for feature in catalogue(self.windows_days, self.fitted, custom=self.custom)}
        return tuple(known[name] for name in self.feature_names)

    @property
    def used_names(self) -> tuple[str, ...]:
        """The columns of the profile that the model uses, in order."""
        return tuple(name for name in self.feature_names if name not in self.unused)

    def differing(self, other: Specification, *, besides: str) -> str:
        """Name the first setting that makes what is counted of a user another thing here than there; empty where none does.

        Parameters
        ----------
        besides
            One more attribute to compare.
        """
        differing = (name for name in (*_COUNTING, besides) if getattr(self, name) != getattr(other, name))
        return next(differing, "")

    def check_custom(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Try each custom derived feature on a profile of nulls, as the kernel evaluates it.

        Raises
        ------
        SettingsError
            When its expression fails, is not a number or a boolean, or reads more than its profile.
        """
        known = ["cast(null as date) as cutoff"]
        for feature in self.features:
            if feature.family == CUSTOM and isinstance(feature, Derived):
                _check_derived(feature, connection, profile=f"select {', '.join(known)}")
            known.append(f"cast(null as {'varchar' if feature.is_text else 'double'}) as {feature.name}")


def _check_derived(feature: Feature, connection: duckdb.DuckDBPyConnection, *, profile: str) -> None:
    what = f"[[features.custom]] {feature.name}: sql = {feature.sql!r}"
    check_single_user(what, feature.sql)
    try:
        *_, kind = connection.sql(f"select *, {feature.sql} from ({profile})").types
        if not NUMBER.fullmatch(str(kind)):
            raise SettingsError(
                f"{what} is of type {kind}, expected a number or a boolean",
                hint="make one of it with SQL, as in last_device_os = 'ios'",
            )
        connection.sql(f"select *, cast({feature.sql} as double) from ({profile})").fetchall()
    except duckdb.Error as error:
        raise SettingsError(
            f"{what} fails: {error}",
            hint="write an expression over features that come before it in the profile; see churn features",
        ) from error
