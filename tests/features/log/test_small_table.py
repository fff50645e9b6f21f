"""Small tables: read whole, from any format, or not at all."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.log.small_table import SmallTable
from features.settings import SmallTableSettings


class Prices(SmallTableSettings):
    def mapping(self) -> dict[str, str]:
        return self.columns


def table(path: Path, **columns: str) -> SmallTable:
    kinds = {"item": "text", "price": "number", "since": "day"}
    return SmallTable("prices", Prices(path=path.name, columns=columns), kinds, frozenset({"since"}))  # type: ignore[arg-type]


def test_rows_are_sorted_whatever_the_format(tmp_path: Path):
    csv, parquet = tmp_path / "prices.csv", tmp_path / "prices.parquet"
    csv.write_text("item,price,since\nhat,2.5,2026-01-05\n007,1,2026-02\ncap,3,\n")
    rows = {
        "item": ["hat", "007", "cap"],
        "price": [2.5, 1.0, 3.0],
        "since": [date(2026, 1, 5), date(2026, 2, 1), None],
    }
    pq.write_table(pa.table(rows), parquet)
    expected = [
        {"item": "007", "price": 1.0, "since": date(2026, 2, 1)},
        {"item": "cap", "price": 3.0, "since": None},
        {"item": "hat", "price": 2.5, "since": date(2026, 1, 5)},
    ]
    for path in (csv, parquet):
        assert table(path, item="item", price="price", since="since").read(tmp_path) == expected


def test_an_instant_is_its_day(tmp_path: Path):
    pq.write_table(
        pa.table({"item": ["hat"], "at": [datetime(2026, 1, 5, 23, 30, tzinfo=UTC)]}), tmp_path / "t.parquet"
    )
    assert table(tmp_path / "t.parquet", item="item", since="at").read(tmp_path) == [
        {"item": "hat", "since": date(2026, 1, 5)}
    ]


def test_no_row_is_lost_in_silence(tmp_path: Path):
    (tmp_path / "p.csv").write_text("item,price\nhat,2.5\ncap,NaN\n")
    with pytest.raises(InputError, match=r'\[prices\] price: got "NaN", expected a number in every row'):
        table(tmp_path / "p.csv", item="item", price="price").read(tmp_path)
    with pytest.raises(InputError, match="prices"):
        table(tmp_path / "gone.csv", item="item").read(tmp_path)


def test_a_row_with_another_number_of_fields_is_refused_by_its_place(tmp_path: Path):
    (tmp_path / "p.csv").write_text("item,price\nhat,2,5\n")
    with pytest.raises(InputError, match=r"p\.csv, row 1: the row has too many fields"):
        table(tmp_path / "p.csv", item="item", price="price").read(tmp_path)


@pytest.mark.parametrize("since", ["01-05-26", "0026-05-01"])
def test_a_year_of_two_digits_is_not_a_date(tmp_path: Path, since: str):
    (tmp_path / "p.csv").write_text(f"item,price,since\nhat,2.5,{since}\n")
    with pytest.raises(InputError, match=f'since: got "{since}", expected a date'):
        table(tmp_path / "p.csv", item="item", price="price", since="since").read(tmp_path)
