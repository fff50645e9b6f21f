"""Rows set aside: how many are too many, and the file that they are written to."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.log.rejected import (
    describe_rejected,
    forget_rejected,
    refuse_too_many,
    rejected_of,
    write_by_file,
    write_rejected,
)


def test_rejected_rows_are_described_in_a_line():
    assert describe_rejected({"b": 2, "a": 1}) == "1 x a, 2 x b"
    assert describe_rejected({}) == "none"


@pytest.mark.parametrize(
    ("bad", "valid", "max_share"), [(0, 0, 0.0), (0, 9, 0.0), (1, 19, 0.05), (7, 133, 0.05), (9, 1, 1.0)]
)
def test_a_share_up_to_the_largest_is_let_pass(bad: int, valid: int, max_share: float):
    refuse_too_many({"late": bad} if bad else {}, valid, max_share=max_share, hint="")


@pytest.mark.parametrize(("bad", "valid", "max_share"), [(1, 9, 0.0), (1, 18, 0.05), (9, 0, 1.0)])
def test_a_larger_share_or_nothing_valid_at_all_is_refused(bad: int, valid: int, max_share: float):
    with pytest.raises(InputError):
        refuse_too_many({"late": bad}, valid, max_share=max_share, hint="")


def test_a_refusal_says_where_how_many_why_and_the_way_out():
    with pytest.raises(InputError) as refused:
        refuse_too_many({"late": 2, "empty": 1}, 1, max_share=0.05, section="users", hint="mend them")
    said = "3 of 4 rows are invalid (1 x empty, 2 x late); at most 5 % allowed ([users] max_rejected_share)"
    assert (refused.value.message, refused.value.hint) == (said, "mend them")


def test_rows_that_cannot_be_written_leave_the_file_as_it_was(tmp_path: Path):
    place = tmp_path / "it's a folder/rows.parquet"
    write_rejected("select 1 as n", place, connection=duckdb.connect())
    with pytest.raises(duckdb.Error):
        write_rejected("select error('broken') as n from range(9)", place, connection=duckdb.connect())
    assert pq.read_table(place).to_pylist() == [{"n": 1}]


def test_each_file_of_a_log_has_its_own_rows_sorted_as_if_written_alone(tmp_path: Path):
    connection = duckdb.connect()
    connection.execute(
        "create table bad as select 'f' || n % 7 as f, (n * 37) % 100 as a, 'late' as reason from range(3000) r(n)"
    )
    places = {f"f{number}": rejected_of(f"key of f{number}", tmp_path) for number in range(7)}
    write_by_file("select * from bad", places, by="f", connection=connection)
    assert len(list(tmp_path.iterdir())) == 7
    for name in ("f0", "f6"):
        alone = tmp_path / "alone.parquet"
        write_rejected(f"select a, reason from bad where f = '{name}' order by all", alone, connection=connection)
        assert places[name].read_bytes() == alone.read_bytes()


def test_rows_of_files_that_a_log_has_lost_are_forgotten(tmp_path: Path):
    for name in ("kept", "lost"):
        rejected_of(name, tmp_path).touch()
    forget_rejected(["kept", "without a bad row"], tmp_path)
    assert list(tmp_path.glob("*.parquet")) == [rejected_of("kept", tmp_path)]


def test_there_is_nothing_to_forget_where_there_is_no_folder(tmp_path: Path):
    forget_rejected(["kept"], tmp_path / "none")
    assert not (tmp_path / "none").exists()
