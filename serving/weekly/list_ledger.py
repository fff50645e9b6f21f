"""The account of every past list: who was entered, of both arms, with their scores, kept for good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import InputError, translated
from features.storage.versions import Place, current_of, is_damaged, versions_of
from serving.batch.scored_batch import FORMAT_VERSION, Batch, read_manifest, write_tables
from serving.weekly.arms import HELD_OUT, TREATED

ENTRIES = "entries.parquet"


@dataclass(frozen=True)
class KnownUntil:
    """The latest data that an export knew of who is not to be contacted; each empty where there was none.

    Attributes
    ----------
    users
        When the latest row of ``[users]`` became valid, in UTC.
    contacts
        The instant of the latest recorded contact.
    lists
        The latest cutoff of another list.
    """

    users: str = ""
    contacts: str = ""
    lists: str = ""


@dataclass(frozen=True)
class ListEntry:
    """What a list was made of: the batch behind it, its name and id, the epoch and share of its arms, and what suppression knew."""

    list: str
    export_id: str
    epoch: str
    share: float
    known_until: KnownUntil | None = None


@dataclass(frozen=True)
class PastList:
    """A list that was exported.

    Attributes
    ----------
    entries
        ``user_id, arm, raw_score, churn_probability, risk_band, value`` of all who were entered, the riskiest first; where the list was
        exported several times, then of those whom only earlier versions had: they may have been contacted.
    digest
        Of the files of the ledger; empty where it is not read from there.
    current_size
        Number of entries in the current version; None: there is no other.
    known_until
        What suppression knew; None: what was known at the cutoff.
    """

    cutoff: date
    name: str
    epoch: str
    share: float
    entries: pa.Table
    digest: str = ""
    current_size: int | None = None
    known_until: KnownUntil | None = None

    @property
    def as_current(self) -> PastList:
        """The same without those whom only earlier versions had."""
        return replace(self, entries=self.entries.slice(0, self.current_size))

    def arms(self) -> dict[str, str]:
        """User to arm."""
        columns = (self.entries.column(name).to_pylist() for name in ("user_id", "arm"))
        return dict(zip(*columns, strict=True))


def write_entries(batch: Batch, entry: ListEntry, *, entries: pa.Table, place: Place) -> Path:
    """Write who was entered as a version of the place of a list; return its folder."""
    return write_tables(place, {ENTRIES: entries}, about=batch.about | asdict(entry))


def past_lists(folder: Path, *, before: date) -> list[PastList]:
    """Return the lists of earlier cutoffs, in order of time and name.

    Raises
    ------
    InputError
        When one was written by a newer version of churn, or is damaged.
    """
    return sorted(_past_lists(folder, before), key=lambda one: (one.cutoff, one.name))


def _past_lists(folder: Path, before: date) -> Iterator[PastList]:
    for place in sorted(folder.glob("*/*")):
        if version := current_of(place):
            found = _past_list(version)
            if found.cutoff < before:
                yield _with_earlier_versions(found, place)


def _with_earlier_versions(found: PastList, place: Path) -> PastList:
    """Add whom only other versions of a list had, in an order that a copy of the home keeps."""
    entries, digests = found.entries, [found.digest]
    for version in sorted(one for one in versions_of(place) if one.name != found.digest):
        other = _past_list(version).entries
        is_known = pc.is_in(other.column("user_id"), value_set=entries.column("user_id").combine_chunks())
        if (more := other.filter(pc.invert(is_known))).num_rows:
            entries, digests = pa.concat_tables([entries, more], promote_options="default"), [*digests, version.name]
    return replace(found, entries=entries, digest=" ".join(digests), current_size=found.entries.num_rows)


def _past_list(version: Path) -> PastList:
    manifest = read_manifest(version)
    damaged = InputError(f"{version} is damaged", hint="put it back from a backup of the home")
    if is_damaged(version) or "format_version" not in manifest:
        raise damaged
    if (of_format := manifest["format_version"]) > FORMAT_VERSION:
        raise InputError(
            f"{version} is of format {of_format}, expected at most {FORMAT_VERSION}",
            hint="use the version of churn that wrote it",
        )
    with translated((OSError, KeyError, ValueError, pa.ArrowException), lambda _: damaged):
        cutoff, entries = date.fromisoformat(manifest["cutoff"]), pq.ParquetFile(version / ENTRIES).read()
        known = KnownUntil(**manifest["known_until"]) if manifest.get("known_until") else None
        share, name = float(manifest["share"]), manifest["list"]
        return PastList(cutoff, name, manifest["epoch"], share, entries, version.name, known_until=known)


def last_contacts(lists: Iterable[PastList]) -> dict[str, date]:
    """Return the cutoff of the latest list on which each user was to be contacted, or would have been, were they not held out.

    Who is held out counts as well: else a cool-down, and so the next entry, would depend on the arm.
    """
    return {user: one.cutoff for one in lists for user in one.arms()}


def open_arms(
    lists: Iterable[PastList],
    *,
    epoch: str,
    cutoff: date,
    holds_days: int,
    merged_before: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, str]:
    """Return the arms that still hold at a cutoff, because the window of an entry is open.

    The arm of an id that became a user before the epoch holds for that user, until a list of the epoch has the user's own entry.

    Parameters
    ----------
    lists
        In order of time.
    epoch
        The current one: of it, the first entry of a user counts, which may have been under the arm of an earlier epoch; of earlier
        ones, the latest.
    holds_days
        From an entry until its outcome is final.
    merged_before
        User to the ids that became this user before the epoch. If one of them is held out, the user is.
    """
    found: dict[str, str] = {}
    entered: set[str] = set()
    for one in lists:
        arms = {user: arm for user, arm in one.arms().items() if user not in entered}
        if one.epoch == epoch:
            entered |= arms.keys()
        if (cutoff - one.cutoff).days < holds_days:
            found |= arms
    for user, ids in (merged_before or {}).items():
        arms = {found[one] for one in (user, *ids) if one in found}
        if arms and user not in entered:
            found[user] = HELD_OUT if HELD_OUT in arms else TREATED
    return found
