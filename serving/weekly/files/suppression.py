"""Whom a tool must not be given, by the ids that it matches users by: several users may have the same one, as a couple with one address."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


def id_key(one: str) -> str:
    """Return what a tool compares: an e-mail address without its case and the blanks around it, any other id as it is.

    Examples
    --------
    >>> id_key(" Anna@Example.org"), id_key("Anna")
    ('anna@example.org', 'Anna')
    """
    return one.strip().lower() if "@" in one else one


def id_keys(ids: Iterable[str | None]) -> set[str]:
    """Return what a tool compares of some ids; a missing one is passed over."""
    return {id_key(one) for one in ids if one}


@dataclass(frozen=True)
class Suppression:
    """Ids that are not uploaded, whoever on the list has them.

    Attributes
    ----------
    held_out
        Of everybody who is held out, on the list or not.
    held_out_since
        Of users in last week's upload who are held out now, on the list or not; an id that is uploaded now is passed over.
    excluded
        Of everybody who opted out, or was contacted within the cool-down.
    """

    held_out: Collection[str] = ()
    held_out_since: Collection[str] = ()
    excluded: Collection[str] = ()


NOTHING_SUPPRESSED = Suppression()
