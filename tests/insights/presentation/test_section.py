"""Tables as files hold them, and as people read them."""

from datetime import date

import pyarrow as pa
import pytest

from insights.presentation.section import Figures, Section, columns
from insights.presentation.texts import text
from models.text.catalogues import in_language

TABLE = Figures(
    "weeks",
    [{"week": date(2026, 1, 5), "users": 1234, "value": 0.5}, {"week": None, "users": 2, "value": float("nan")}],
    {"week": "date", "users": "count", "value": "share"},
    shown=["week", "value"],
)


def test_every_column_has_its_type_and_null_where_nothing_is_known():
    found = TABLE.to_arrow()
    assert found.schema.types == [pa.date32(), pa.int64(), pa.float64()]
    assert found.column("value").to_pylist() == [0.5, None]
    assert Figures("weeks", [], TABLE.kinds).to_arrow().schema == found.schema


def test_people_read_headings_and_formats():
    assert TABLE.texts() == [{"week of": "2026-01-05", "rate": "50.0 %"}, {"week of": "-", "rate": "-"}]


def test_a_section_says_its_question_and_definition():
    found = Section("growth", ["words"], [TABLE]).to_json()
    assert "which states" in found["question"]
    assert found["definition"].startswith("DAU, WAU, MAU")
    assert found["tables"]["weeks"][0]["users"] == 1234


@pytest.mark.parametrize("table", ["products", "item_categories"])
def test_a_column_may_have_a_heading_of_its_own_in_a_table(table: str):
    kinds = columns("share", "loss", "shrunk")
    assert Figures(table, [], kinds).headings == {"loss": "loss", "shrunk": "loss, shrunk"}
    assert Figures("channels", [], kinds).headings["shrunk"] == "retention, shrunk"
    kinds = columns("name", "value")
    assert (Figures("contrast", [], kinds).headings, Figures("growth_rates", [], kinds).headings) == (
        {"value": "value"},
        {"value": "rate"},
    )
    with in_language("zh"):
        assert Figures(table, [], columns("share", "shrunk")).headings == {"shrunk": text("columns.products.shrunk")}
