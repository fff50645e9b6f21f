"""What stands in the files of a log beside its rows: headers without a name, files without a row, old line ends."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from tests.builders import found_in, read

HEADER = "user_id,event_time,event_type"
ANNA = "anna,2026-01-05 10:00,open"
AS_READ = [("anna", "2026-01-05 10:00:00", "open")]
IN_JSON = '{"user_id": "anna", "event_time": "2026-01-05 10:00", "event_type": "open"}\n'


@pytest.mark.parametrize(
    "text",
    [
        f",{HEADER}\n0,{ANNA}\n",  # the index of pandas
        f"{HEADER},\n{ANNA},\n",
        f",{HEADER},\n0,{ANNA},\n",
        f"{HEADER}\r{ANNA}\r",  # as on an old Mac
    ],
)
@pytest.mark.parametrize("where", ["", "event_type = 'open'"])
def test_a_csv_is_read_whatever_its_header_leaves_unsaid(tmp_path: Path, text: str, where: str):
    (tmp_path / "log.csv").write_bytes(text.encode())
    assert found_in(read(tmp_path / "log.csv", where=where)) == AS_READ


@pytest.mark.parametrize(
    ("suffix", "text", "nothing"),
    [("csv", f"{HEADER}\n{ANNA}\n", ""), ("csv", f"{HEADER}\n{ANNA}\n", "\n"), ("jsonl", IN_JSON, "")],
)
def test_a_file_with_nothing_in_it_is_passed_over(tmp_path: Path, suffix: str, text: str, nothing: str):
    for name, content in (("a", nothing), ("b", text), ("c", nothing)):
        (tmp_path / f"{name}.{suffix}").write_text(content)
    assert found_in(read(tmp_path)) == AS_READ


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl"])
def test_a_log_of_nothing_is_refused_as_empty(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=f"the log is empty(?s:.*){name}"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"\n{HEADER}\n{ANNA}\n", "the first line of .*log.csv is empty"),
        (f"{HEADER},a,a\n{ANNA},1,2\n", "several columns named a"),
        (f"user_id\revent_time,event_type\n{ANNA}\n", "the header of .*log.csv: "),
        (f"{HEADER},_log_file\n{ANNA},x\n", '(?s)has a column "_log_file".*rename it'),
    ],
)
def test_a_header_that_cannot_be_meant_is_said(tmp_path: Path, text: str, said: str):
    (tmp_path / "log.csv").write_bytes(text.encode())
    with pytest.raises(InputError, match=said):
        read(tmp_path / "log.csv")


def test_the_name_that_churn_gives_to_files_is_taken(tmp_path: Path):
    table = pa.table({"user_id": ["a"], "event_time": ["2026-01-05"], "event_type": ["open"], "_log_file": ["x"]})
    pq.write_table(table, tmp_path / "log.parquet")
    with pytest.raises(InputError, match=r'(?s)has a column "_log_file".*rename it'):
        read(tmp_path)
