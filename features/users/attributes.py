"""Open the tables of users: their attributes, and which ids are one person. Both as known at each cutoff."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from features.catalogue.definition import Unit
from features.errors import InputError
from features.expressions import NUMBER
from features.log.sources.values import FLOATS
from features.settings import ComputeSettings, IdentitiesSettings, UsersSettings
from features.users.identities import FOREVER, RESOLVED, resolve
from features.users.point_in_time import PointInTimeRows, PointInTimeTable

SENSITIVE = (
    *("age", "birth", "birthday", "birthdate", "birthyear", "dob", "gender", "sex", "pronouns", "orientation"),
    *("region", "city", "country", "state", "province", "district", "county", "address", "street", "location"),
    *("postcode", "postal", "zip", "zipcode", "plz", "latitude", "longitude", "birthplace"),
    *("occupation", "job", "profession", "employer", "income", "salary", "education"),
    *("religion", "belief", "ethnicity", "ethnic", "race", "nationality", "citizenship", "language"),
    *("health", "disability", "pregnant", "pregnancy", "marital", "children", "political"),
)
_MIN_SHARE_MET = 0.05
_TEXT = re.compile(r"VARCHAR|UUID|ENUM.*")


def is_sensitive(attribute: str) -> bool:
    """Tell whether a part of an attribute's name is among the sensitive words.

    Examples
    --------
    >>> is_sensitive("birth_year"), is_sensitive("home_city"), is_sensitive("plan"), is_sensitive("stage")
    (True, True, False, False)
    """
    return not set(attribute.split("_")).isdisjoint(SENSITIVE)


@dataclass(frozen=True)
class KnownUsers:
    """What is known of users besides their events.

    Attributes
    ----------
    attributes
        Attribute to the unit of its feature, in the order of the settings.
    relations
        FROM clause of ``users`` (``user_id, valid_from, version``) and ``identities`` (``alias_id, user_id, valid_from,
        valid_until``), where the project has them.
    rejected
        Section to the reasons and numbers of rejected rows.
    as_text
        Attributes whose numbers are too large for a double, and are handed on: to the field of a version that holds them as text.
    """

    attributes: dict[str, Unit] = field(default_factory=dict[str, Unit])
    relations: dict[str, str] = field(default_factory=dict[str, str])
    rejected: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    as_text: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def facts(self) -> frozenset[str]:
        """What features may need of them."""
        return frozenset(f"user attribute {name}" for name in self.attributes)

    @property
    def has_identities(self) -> bool:
        """True where several ids may be one person."""
        return "identities" in self.relations

    def allowed(self, allow_sensitive: Collection[str]) -> dict[str, Unit]:
        """Return the attributes that a model may read."""
        return {
            name: unit for name, unit in self.attributes.items() if not is_sensitive(name) or name in allow_sensitive
        }

    def withheld(self, allow_sensitive: Collection[str]) -> dict[str, str]:
        """Return the features of all other attributes, and why they are excluded."""
        return {
            f"user_{name}": f"it is sensitive, and [features] allow_sensitive does not name {name}"
            for name in self.attributes.keys() - self.allowed(allow_sensitive).keys()
        }

    def person_today(self, user_id: str) -> str:
        """Return the FROM clause of ``user_id, person``: whose an id of a SELECT is, by all that is known today."""
        return self._person(user_id, f"valid_until = {FOREVER}")

    def person_at(self, user_id: str, instant: str) -> str:
        """Return the FROM clause of ``user_id, person``: whose an id of a SELECT is, by what was known before an instant, given in SQL."""
        return self._person(user_id, f"valid_from < {instant} and valid_until >= {instant}")

    def _person(self, user_id: str, is_valid: str) -> str:
        known = f"(from {self.relations['identities']} where {is_valid})"
        return f"""(select ids.user_id, coalesce(i.user_id, ids.user_id) as person
            from ({user_id}) ids left join {known} i on i.alias_id = ids.user_id)"""

    def notes(self, connection: duckdb.DuckDBPyConnection, days: str) -> tuple[str, ...]:
        """Say where hardly any user of the log has attributes.

        Parameters
        ----------
        days
            FROM clause with the ``user_id`` of every event.
        """
        if "users" not in self.relations:
            return ()
        users = f"select distinct user_id from {days}"
        persons = self.person_today(users) if self.has_identities else f"(select user_id as person from ({users}))"
        known = f"(select distinct user_id from {self.relations['users']})"
        ((count, met),) = connection.execute(
            f"select count(*), count(k.user_id) from {persons} p left join {known} k on k.user_id = p.person"
        ).fetchall()
        if met > _MIN_SHARE_MET * count:
            return ()
        words = f"warning: [users] knows {met:,} of the {count:,} users of the log: check that both write ids alike"
        return (f"{words}; upper(), trim() or lpad() in [users.columns] user_id bring them together",)

    def persons(self, days: str) -> str:
        """Return the FROM clause of every ``user_id`` that a person may have."""
        return f"(select user_id from {days} union select user_id from {self.relations['identities']})"


@dataclass(frozen=True)
class AttributesSettings:
    """The sections of both tables, and what their dates and places mean.

    Attributes
    ----------
    zone, naive_zone
        Zone in which a date starts, and zone of timestamps that carry none.
    base
        Folder that a relative path starts from.
    id_column
        The attribute by which other tools know users; empty: there is none.
    carried
        Attributes that other tools are given.
    """

    users: UsersSettings = field(default_factory=UsersSettings)
    identities: IdentitiesSettings = field(default_factory=IdentitiesSettings)
    zone: str = "UTC"
    naive_zone: str = "UTC"
    base: Path = Path()
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    id_column: str = ""
    carried: tuple[str, ...] = ()

    @property
    def handed_on(self) -> tuple[str, ...]:
        """Attributes that other tools get, which may be ids; some may not be mapped."""
        return (self.id_column, *self.carried)

    def table(self, name: str) -> PointInTimeTable | None:
        """Return one of them; None: the project has none."""
        section: UsersSettings | IdentitiesSettings = getattr(self, name)
        if not section.path:
            return None
        found = PointInTimeTable(name, section, self.zone, self.naive_zone, self.base)
        if not isinstance(section, UsersSettings):
            return found
        handed_on = tuple(name for name in section.attributes if name in self.handed_on)
        return replace(found, trust_undated=section.trust_undated, kept_as_text=handed_on)


def open_known_users(
    connection: duckdb.DuckDBPyConnection, settings: AttributesSettings, *, rejected: Path
) -> KnownUsers:
    """Read both tables into a connection, and write their invalid rows into a folder.

    Raises
    ------
    InputError
        When one cannot be read, or an alias leads back to itself.
    """
    tables = {name: settings.table(name) for name in ("users", "identities")}
    found = {name: table.read(rejected, settings.compute) for name, table in tables.items() if table}
    attributes: dict[str, Unit] = {}
    as_text: dict[str, str] = {}
    if users := found.get("users"):
        attributes = _units(users, settings.users)
        handed_on = [name for name in attributes if name in settings.handed_on]
        large = [name for name in handed_on if _are_large(users, name, are_ids=name == settings.id_column)]
        as_text = {name: f"{name} as text" for name in large}  # no attribute has such a name
        users.move(_versions(attributes, as_text), connection, name="user_attributes")
    if identities := found.get("identities"):
        resolve(identities.connection)
        identities.move(RESOLVED, connection, name="identity_spans")
    names = {"users": "user_attributes", "identities": "identity_spans"}
    set_aside = {name: rows.rejected for name, rows in found.items()}
    return KnownUsers(attributes, {name: names[name] for name in found}, set_aside, as_text)


def _units(users: PointInTimeRows, settings: UsersSettings) -> dict[str, Unit]:
    return {name: _unit(name, users.kinds[name]) for name in settings.attributes}


def _unit(name: str, kind: str) -> Unit:
    if _TEXT.fullmatch(kind):
        return Unit.TEXT
    if NUMBER.fullmatch(kind):
        return Unit.NUMBER
    raise InputError(
        f"[users.columns] {name}: got {kind}, expected text, a number or a boolean",
        hint=f'make one of it with SQL, as in {name} = "year(...)"',
    )


def _are_large(users: PointInTimeRows, name: str, *, are_ids: bool) -> bool:
    """Tell whether some numbers of a column are so large that a double may be that of a neighbour.

    Parameters
    ----------
    are_ids
        No number that may be that of a neighbour is kept. Others stay numbers where they came as such, and have no text.
    """
    if users.kinds.get(name) != "DOUBLE":
        return False
    is_large = f'reason is null and abs("raw_{name}") >= {FLOATS["DOUBLE"]}'
    counts = users.connection.sql(f"select count(*), count(text_{name}) from checked where {is_large}").fetchall()
    large, written_out = counts[0]
    return large > 0 and (are_ids or written_out == large)


def _versions(attributes: dict[str, Unit], as_text: dict[str, str]) -> str:
    """Return the SELECT of the valid rows, all values of a row in one that is ordered by when it became valid."""
    values = "".join(f', "{name}": {_value(name, unit)}' for name, unit in attributes.items())
    values += "".join(
        f""", '{field}': case when "raw_{name}" is not null then text_{name} end""" for name, field in as_text.items()
    )
    return (
        f"select user_id, valid_from, {{'valid_from': valid_from{values}}} as version from checked where reason is null"
    )


def _value(name: str, unit: Unit) -> str:
    if unit is Unit.TEXT:
        return f'cast("raw_{name}" as varchar)'
    number = f'cast("raw_{name}" as double)'
    return f"case when isfinite({number}) then {number} end"
