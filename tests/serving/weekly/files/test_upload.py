"""What the tool is given, week after week, by hand: three weeks of one list, and users who come, change, leave and come back."""

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.errors import InputError, SettingsError
from serving.weekly.files.suppression import Suppression
from serving.weekly.files.upload import Uploads, read_upload, uploads, write_uploads
from serving.weekly.files.upload_format import UploadFormat

FORM = UploadFormat("crm_id", "external_id", {"risk_band": "band", "reason_1": "reason"})


def week(*rows: tuple[str | None, str, str | None]) -> pa.Table:
    ids, bands, reasons = zip(*rows, strict=True) if rows else ((), (), ())
    texts = {"crm_id": ids, "risk_band": bands, "reason_1": reasons}
    return pa.table({name: pa.array(values, pa.string()) for name, values in texts.items()})


def rows(table: pa.Table) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]


FIRST = uploads(
    week(("anna", "high", "away"), ("bob", "high", None), ("eve", "medium", "late")), FORM, held_out=["ivo"]
)
SECOND = uploads(
    week(("eve", "high", "late"), ("anna", "high", "away"), ("zoe", "high", "new")),
    FORM,
    held_out=["ivo"],
    last=FIRST.upload,
)
THIRD = uploads(week(("bob", "high", "away")), FORM, held_out=["zoe", "ivo"], last=SECOND.upload)


def test_the_first_week_everything_is_new_and_no_cell_is_blank():
    assert rows(FIRST.upload) == [("anna", "high", "away"), ("bob", "high", "none"), ("eve", "medium", "late")]
    assert FIRST.delta.equals(FIRST.upload)
    assert FIRST.upload.column_names == ["external_id", "band", "reason"]


def test_the_second_week_only_changed_cells_are_filled_and_who_left_says_so():
    assert rows(SECOND.delta) == [
        ("eve", "high", ""),  # one cell changed
        ("zoe", "high", "new"),  # new: all cells
        ("bob", "none", "none"),  # left; anna is unchanged, and has no row
    ]


def test_the_third_week_who_comes_back_has_all_cells_and_nobody_held_out_is_named():
    assert rows(THIRD.delta) == [("bob", "high", "away"), ("anna", "none", "none"), ("eve", "none", "none")]
    assert (rows(THIRD.holdout), THIRD.not_cleared) == ([("ivo",), ("zoe",)], 1)


def test_who_was_uploaded_and_is_held_out_since_is_suppressed_though_on_no_list():
    named_elsewhere = FIRST.upload.filter(pc.field("external_id") != "eve")  # who is held out now
    found = uploads(
        week(("anna", "high", "away")),
        FORM,
        held_out=["ivo"],
        suppressed=Suppression(held_out_since=["eve"]),
        last=named_elsewhere,
    )
    assert rows(found.holdout) == [("eve",), ("ivo",)]
    assert rows(found.delta) == [("bob", "none", "none")]
    assert found.not_cleared == 1
    anna = Suppression(held_out_since=["anna"])
    shared = uploads(week(("anna", "high", "away")), FORM, held_out=[], suppressed=anna)  # an id of two users
    assert (rows(shared.holdout), rows(shared.upload), shared.not_cleared) == ([], [("anna", "high", "away")], 0)


def test_deltas_applied_one_after_another_give_what_uploads_give():
    """As a tool applies them: a blank cell changes nothing. Only zoe, who is held out since, keeps what she had."""
    tool: dict[str, list[str]] = {}
    for one in (FIRST, SECOND, THIRD):
        for user, *cells in rows(one.delta):
            before = tool.get(user, ["", ""])
            tool[user] = [cell or old for cell, old in zip(cells, before, strict=True)]
    assert {user for user, cells in tool.items() if cells != ["none", "none"]} == {"bob", "zoe"}
    assert tool["bob"] == ["high", "away"]


def test_a_list_without_users_says_of_all_that_they_left():
    found = uploads(week(), FORM, held_out=[], last=FIRST.upload)
    assert rows(found.delta) == [(user, "none", "none") for user in ("anna", "bob", "eve")]
    assert found.upload.num_rows == 0
    assert uploads(week(), FORM, held_out=[]).delta.num_rows == 0


def test_attributes_that_come_and_go_are_filled_and_left_once():
    form = UploadFormat("crm_id", "external_id", {"reason_1": "reason", "crm_id": "copy"})
    found = uploads(week(("anna", "high", "away")), form, held_out=[], last=FIRST.upload)
    assert found.delta.column_names == ["external_id", "reason", "copy", "band"]
    assert rows(found.delta) == [
        ("anna", "", "anna", "none"),
        ("bob", "none", "", "none"),
        ("eve", "none", "", "none"),
    ]


def test_who_cannot_be_matched_or_shares_an_id_is_counted_and_held_out_wins():
    listed = week(
        ("anna", "high", "1"), (None, "high", "2"), ("", "high", "3"), ("anna", "low", "4"), ("ivo", "high", "5")
    )
    found = uploads(listed, FORM, held_out=["ivo", None, "ivo"])
    assert rows(found.upload) == [("anna", "high", "1")]
    assert rows(found.holdout) == [("ivo",)]
    assert (found.without_id, found.repeated, found.held_out, found.not_cleared) == (2, 1, 1, 0)


def test_the_id_of_somebody_held_out_or_excluded_elsewhere_is_not_uploaded_and_named_in_no_file():
    listed = week(("anna", "high", "1"), ("bob", "high", "2"), ("eve", "high", "3"), ("zoe", "high", "4"))
    elsewhere = Suppression(held_out=["bob", "ivo"], excluded=["bob", "eve", "eve"])
    found = uploads(listed, FORM, held_out=["ivo"], suppressed=elsewhere, last=FIRST.upload)
    assert [row[0] for row in rows(found.upload)] == ["anna", "zoe"]
    assert rows(found.holdout) == [("ivo",)]
    assert (found.without_id, found.repeated, found.held_out, found.excluded) == (0, 0, 1, 1)
    assert [row for row in rows(found.delta) if row[0] in {"bob", "eve"}] == [("eve", "none", "none")]  # cleared


def test_e_mail_addresses_are_compared_without_case_and_blanks_and_written_as_they_are():
    listed = week(
        ("Anna@x.org", "high", "1"), (" anna@X.org", "low", "2"), ("bob@x.org", "high", "3"), ("Id", "low", "4")
    )
    found = uploads(listed, FORM, held_out=["Bob@x.org ", "id"])
    assert rows(found.upload) == [("Anna@x.org", "high", "1"), ("Id", "low", "4")]  # the case of another id may matter
    assert rows(found.holdout) == [("Bob@x.org ",), ("id",)]
    assert (found.repeated, found.held_out) == (1, 1)
    later = uploads(week(("anna@x.org", "high", "1")), FORM, held_out=[], last=found.upload)
    assert rows(later.delta) == [("Id", "none", "none")]  # the tool knows anna by either
    gone = uploads(week(), FORM, held_out=["ANNA@x.org"], last=found.upload)
    assert (rows(gone.delta), gone.not_cleared) == ([("Id", "none", "none")], 1)


def test_cells_are_written_as_tools_read_them():
    at = datetime(2026, 11, 14, 18, 30, tzinfo=UTC)
    listed = pa.table(
        {
            "user_id": pa.array([7], pa.int64()),
            "p": [0.25],
            "nan": [float("nan")],
            "ours": [True],
            "day": [date(2026, 11, 16)],
            "at": pa.array([at], pa.timestamp("us", "Europe/Berlin")),
            "phone": ["+442071838750"],
            "text": [" two \r\n lines, Zoë\n"],
            "attack": ["=cmd|' /C calc'!A0"],
            "kind": pa.array(["a"]).dictionary_encode(),
            "blank": [""],
        }
    )
    form = UploadFormat("user_id", "id", {name: name for name in listed.column_names[1:]})
    (row,) = rows(uploads(listed, form, held_out=[]).upload)
    assert row == (
        *("7", "0.25", "0", "true", "2026-11-16", "2026-11-14T18:30:00Z", "+442071838750"),
        *("two lines, Zoë", "'=cmd|' /C calc'!A0", "a", "none"),
    )


def test_whole_numbers_are_uploaded_with_all_their_digits():
    listed = pa.table(
        {"user_id": ["a", "b", "c"], "phone": [12025550123.0, 10000000000.0, None], "n": [5.0, 0.5, -0.0]}
    )
    found = uploads(listed, UploadFormat("user_id", "id", {"phone": "phone", "n": "n"}), held_out=[])
    assert rows(found.upload) == [("a", "12025550123", "5"), ("b", "10000000000", "0.5"), ("c", "0", "-0")]
    assert found.delta.equals(found.upload)


def test_ids_are_the_tools_own_whatever_they_look_like():
    found = uploads(week(("=1+1", "high", "a")), FORM, held_out=["@x", "-1"])
    assert (rows(found.upload)[0][0], rows(found.holdout)) == ("=1+1", [("-1",), ("@x",)])


def test_ids_that_gaps_made_floats_are_whole_numbers_and_fractions_are_refused():
    form = UploadFormat("record_id", "Record ID", {})
    found = uploads(pa.table({"record_id": [123456789012.0, None]}), form, held_out=[])
    assert (rows(found.upload), found.without_id) == ([("123456789012",)], 1)
    with pytest.raises(InputError, match='the ids of "record_id" are numbers so large that they were rounded'):
        uploads(pa.table({"record_id": [9007199254740992.0, None]}), form, held_out=[])
    with pytest.raises(InputError, match='the ids of "record_id" are not whole numbers'):
        uploads(pa.table({"record_id": [0.5]}), form, held_out=[])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_uploads(SECOND, tmp_path)
    return tmp_path


def test_the_files_are_plain_utf_8_with_one_kind_of_line_end(folder: Path):
    assert (
        folder / "upload.csv"
    ).read_bytes() == b"external_id,band,reason\neve,high,late\nanna,high,away\nzoe,high,new\n"
    assert (folder / "holdout.csv").read_bytes() == b"external_id\nivo\n"
    assert (folder / "delta.csv").read_bytes() == b"external_id,band,reason\neve,high,\nzoe,high,new\nbob,none,none\n"


def test_no_held_out_id_is_in_a_file_other_than_holdout(tmp_path: Path):
    assert write_uploads(THIRD, tmp_path) == {"upload.csv": 1, "holdout.csv": 2, "delta.csv": 3}
    for name in ("upload.csv", "delta.csv"):
        assert not {"zoe", "ivo"} & set(read_upload(tmp_path / name)["external_id"].to_pylist())


def test_last_weeks_upload_is_read_back_from_its_file(folder: Path, tmp_path: Path):
    assert read_upload(folder / "upload.csv").equals(SECOND.upload)
    table = week(("a,b", 'q"q', "x"), ("é\n", "low", "y"))
    odd: Uploads = uploads(table, FORM, held_out=[])
    write_uploads(odd, tmp_path)
    assert read_upload(tmp_path / "upload.csv").equals(odd.upload)
    write_uploads(uploads(week(), FORM, held_out=[]), tmp_path)
    assert read_upload(tmp_path / "upload.csv").equals(uploads(week(), FORM, held_out=[]).upload)


def test_a_text_of_any_length_is_read_back(tmp_path: Path):
    csv.field_size_limit(131_072)  # what Python begins with
    found = uploads(week(("anna", "high", "x" * 200_000)), FORM, held_out=[])
    write_uploads(found, tmp_path)
    assert read_upload(tmp_path / "upload.csv").equals(found.upload)


@pytest.mark.parametrize("content", [b"a,b\n1\n", b"\xff\xfe\n", b""])
def test_an_upload_that_is_damaged_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "upload.csv").write_bytes(content)
    with pytest.raises(InputError, match="it is not the upload that was written"):
        read_upload(tmp_path / "upload.csv")
    with pytest.raises(InputError, match="it is not the upload that was written"):
        read_upload(tmp_path / "none.csv")


def test_weeks_with_different_ids_cannot_be_compared():
    form = UploadFormat("crm_id", "Email", {"risk_band": "band"})
    with pytest.raises(InputError, match='names users by "external_id", this week\'s by "Email"'):
        uploads(week(), form, held_out=[], last=FIRST.upload)


def test_a_column_that_the_list_lacks_is_named():
    with pytest.raises(SettingsError, match='the list has no column "reson"'):
        uploads(week(), UploadFormat("crm_id", "id", {"reson": "reason"}), held_out=[])
