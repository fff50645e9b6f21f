"""The account of past lists: read back as written, refused where it is of a newer format, named where it is damaged."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.storage.versions import Place, current_of
from serving.batch.scored_batch import Batch
from serving.weekly.list_ledger import (
    KnownUntil,
    ListEntry,
    PastList,
    last_contacts,
    open_arms,
    past_lists,
    write_entries,
)

MONDAY = date(2026, 11, 16)
BATCH = Batch(MONDAY, "churn", "3", "abc", 0.25)
ENTRY = ListEntry("vip", "0123456789abcdef", "2026-Q4", 0.1)


def entries(**arms: str) -> pa.Table:
    count = len(arms)
    return pa.table(
        {
            "user_id": pa.array(arms, pa.string()),
            "arm": pa.array(arms.values(), pa.string()),
            "raw_score": [1.5] * count,
            "churn_probability": [0.75] * count,
            "risk_band": ["high"] * count,
            "value": pa.array([None] * count, pa.float64()),
        }
    )


def write(folder: Path, week: int = 0, entry: ListEntry = ENTRY, **arms: str) -> Path:
    """Write a list of some weeks after the first Monday."""
    batch = replace(BATCH, cutoff=MONDAY + timedelta(weeks=week))
    return write_entries(batch, entry, entries=entries(**arms), place=Place(folder / f"week {week}" / entry.list))


def past(week: int, epoch: str = "2026-Q4", **arms: str) -> PastList:
    return PastList(MONDAY + timedelta(weeks=week), "vip", epoch, 0.1, entries(**arms))


def test_a_list_reads_back_as_it_was_written(tmp_path: Path):
    write(tmp_path, anna="treated", bob="held_out")
    (found,) = past_lists(tmp_path, before=date(2026, 11, 17))
    assert (found.cutoff, found.name, found.epoch, found.share) == (MONDAY, "vip", "2026-Q4", 0.1)
    assert found.entries.equals(entries(anna="treated", bob="held_out"))
    assert found.arms() == {"anna": "treated", "bob": "held_out"}


def test_the_manifest_says_what_the_list_was_made_of_and_names_no_user(tmp_path: Path):
    folder = write(tmp_path, anna="treated", bob="held_out")
    text = (folder / "manifest.json").read_text()
    about = json.loads(text)
    assert about.pop("files")["entries.parquet"]["rows"] == 2
    assert about == {
        "cutoff": "2026-11-16",
        "model": "churn",
        "version": "3",
        "settings_digest": "abc",
        "base_rate_shift": 0.25,
        "list": "vip",
        "export_id": "0123456789abcdef",
        "epoch": "2026-Q4",
        "share": 0.1,
        "known_until": None,
        "format_version": 3,
    }
    assert "anna" not in text


def test_only_lists_of_earlier_cutoffs_are_past_in_order_of_time_and_name(tmp_path: Path):
    for week, name in [(2, "vip"), (1, "vip"), (10, "vip"), (1, "rest")]:
        write(tmp_path, week, replace(ENTRY, list=name), anna="treated")
    found = past_lists(tmp_path, before=MONDAY + timedelta(weeks=10))
    assert [((one.cutoff - MONDAY).days // 7, one.name) for one in found] == [(1, "rest"), (1, "vip"), (2, "vip")]
    assert past_lists(tmp_path / "nothing", before=MONDAY) == []


def test_a_list_says_what_suppression_knew(tmp_path: Path):
    known = KnownUntil(users="2026-11-16 06:00:00", lists="2026-11-09")
    write(tmp_path, entry=replace(ENTRY, known_until=known), anna="treated")
    write(tmp_path, 1, anna="treated")
    assert [one.known_until for one in past_lists(tmp_path, before=date.max)] == [known, None]


def test_who_was_on_any_version_of_a_list_counts_by_the_current_one_first(tmp_path: Path):
    write(tmp_path, anna="treated", bob="treated", cleo="held_out")
    write(tmp_path, bob="held_out", dora="treated")
    (found,) = past_lists(tmp_path, before=date.max)
    assert found.arms() == {"bob": "held_out", "dora": "treated", "anna": "treated", "cleo": "held_out"}
    assert found.as_current.arms() == {"bob": "held_out", "dora": "treated"}
    assert last_contacts([found]).keys() == found.arms().keys()


def test_a_version_that_adds_nobody_changes_no_digest(tmp_path: Path):
    write(tmp_path, anna="treated", bob="treated")
    only = write(tmp_path, anna="treated", bob="treated")
    assert [one.digest for one in past_lists(tmp_path, before=date.max)] == [only.name]
    wider = write(tmp_path, anna="treated", bob="treated", cleo="treated")
    assert [one.digest for one in past_lists(tmp_path, before=date.max)] == [wider.name]


def test_a_list_that_was_exported_again_stays_as_it_was(tmp_path: Path):
    first = write(tmp_path, anna="treated")
    second = write(tmp_path, anna="treated", bob="treated")
    (found,) = past_lists(tmp_path, before=date.max)
    assert [*found.arms()] == ["anna", "bob"]
    assert pq.ParquetFile(first / "entries.parquet").read().equals(entries(anna="treated"))
    assert write(tmp_path, anna="treated", bob="treated") == second == current_of(first.parent)


def flip_a_byte(folder: Path) -> None:
    path = folder / "entries.parquet"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a byte": flip_a_byte,
    "half a file": lambda folder: os.truncate(folder / "entries.parquet", 50),
    "no entries": lambda folder: (folder / "entries.parquet").unlink(),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "another manifest": lambda folder: (folder / "manifest.json").write_text('{"format_version": "three"}'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_list_is_named(tmp_path: Path, damage: str):
    folder = write(tmp_path, anna="treated", bob="held_out")
    write(tmp_path, 1, anna="treated")
    DAMAGE[damage](folder)
    with pytest.raises(InputError, match="is damaged") as caught:
        past_lists(tmp_path, before=date.max)
    assert str(folder) in caught.value.message
    assert caught.value.hint == "put it back from a backup of the home"


@pytest.mark.parametrize("manifest", [{"format_version": 3}, {"format_version": 3, "cutoff": "2026-W47"}, {}])
def test_a_whole_folder_that_is_not_a_list_is_named_too(tmp_path: Path, manifest: dict[str, object]):
    folder = Place(tmp_path / "week/vip").add(lambda draft: (draft / "manifest.json").write_text(json.dumps(manifest)))
    with pytest.raises(InputError, match="is damaged") as caught:
        past_lists(tmp_path, before=date.max)
    assert str(folder) in caught.value.message


def test_a_list_of_a_newer_format_is_refused(tmp_path: Path):
    def newer(draft: Path) -> None:
        (draft / "manifest.json").write_text('{"format_version": 4, "of": "another shape"}')

    folder = Place(tmp_path / "week/vip").add(newer)
    with pytest.raises(InputError, match="is of format 4, expected at most 3") as caught:
        past_lists(tmp_path, before=date.max)
    assert str(folder) in caught.value.message
    assert caught.value.hint == "use the version of churn that wrote it"


# --- What past lists say about this week -----------------------------------------------------------------------------


def test_the_last_contact_is_the_latest_entry_of_any_list_blind_to_the_arm():
    lists = [past(0, anna="treated", bob="held_out"), past(1, anna="treated"), past(1, cleo="held_out")]
    one, two = MONDAY, MONDAY + timedelta(weeks=1)
    assert last_contacts(lists) == {"anna": two, "bob": one, "cleo": two}


HOLDS_DAYS = 17  # a horizon of 14 days and 3 of grace


@pytest.mark.parametrize(("days_later", "holds"), [(1, True), (16, True), (17, False), (100, False)])
def test_an_arm_of_an_earlier_epoch_holds_until_the_outcome_of_the_entry_is_final(days_later: int, holds: bool):
    at = MONDAY + timedelta(days=days_later)
    found = open_arms([past(0, anna="held_out")], epoch="2027-Q1", cutoff=at, holds_days=HOLDS_DAYS)
    assert found == ({"anna": "held_out"} if holds else {})


def test_of_an_earlier_epoch_the_latest_entry_counts():
    lists = [past(0, "2026-Q3", anna="treated"), past(2, "2026-Q4", anna="held_out")]
    assert open_arms(lists, epoch="2027-Q1", cutoff=MONDAY + timedelta(weeks=3), holds_days=99) == {"anna": "held_out"}


@pytest.mark.parametrize(
    ("week", "arms"),
    [
        (2, {"anna": "held_out"}),  # by the entry of week 1; by that of week 0, the arm of 2026-Q3 would end on day 17
        (3, {"anna": "held_out"}),
        (4, {}),  # 21 days after the first entry of this epoch; later ones prolong nothing
    ],
)
def test_an_arm_that_was_kept_at_the_first_entry_of_an_epoch_holds_through_the_window_of_that_entry(
    week: int, arms: dict[str, str]
):
    lists = [
        past(0, "2026-Q3", anna="held_out"),
        past(1, "2026-Q4", anna="held_out"),
        past(2, "2026-Q4", anna="held_out"),
        past(3, "2026-Q4", anna="held_out"),
    ]
    at = MONDAY + timedelta(weeks=week)
    known = [one for one in lists if one.cutoff < at]
    assert open_arms(known, epoch="2026-Q4", cutoff=at, holds_days=HOLDS_DAYS) == arms


@pytest.mark.parametrize(
    ("lists", "arms"),
    [
        ([past(0, device="treated")], {"anna": "treated"}),
        ([past(0, device="treated", anna="held_out")], {"anna": "held_out"}),
        ([past(0, device="held_out", anna="treated")], {"anna": "held_out"}),
        ([past(0, device="held_out"), past(1, "2027-Q1", anna="treated")], {"anna": "treated"}),  # her own entry
        ([past(0, bob="treated")], {}),
    ],
)
def test_the_arm_of_an_id_that_became_a_user_before_the_epoch_holds_for_the_user(
    lists: list[PastList], arms: dict[str, str]
):
    at, merged = MONDAY + timedelta(weeks=2), {"anna": ["device"]}
    found = open_arms(lists, epoch="2027-Q1", cutoff=at, holds_days=HOLDS_DAYS, merged_before=merged)
    assert {user: arm for user, arm in found.items() if user == "anna"} == arms
    too_late = open_arms(
        lists, epoch="2027-Q1", cutoff=at + timedelta(weeks=2), holds_days=HOLDS_DAYS, merged_before=merged
    )
    assert too_late == {}
