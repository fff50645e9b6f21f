"""Costs and annotations, as their tables say them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from features.errors import InputError
from insights.engine.tables import Annotation, Costs, Spend, read_annotations, read_costs
from insights.settings import AnnotationsSettings, CostsSettings


def costs(folder: Path, text: str, **settings: object) -> Costs:
    (folder / "costs.csv").write_text(text)
    return read_costs(CostsSettings.model_validate({"path": "costs.csv"} | settings), folder)


def test_costs_by_day_and_by_month_are_summed_up_by_month(tmp_path: Path):
    by_day = "channel,spend,day\nads,10.5,2026-01-05\nads,2,2026-01-31\nads,1,2026-02-01\nfriends,0,2026-01-05\n"
    expected = (
        Spend("ads", date(2026, 1, 1), 12.5),
        Spend("ads", date(2026, 2, 1), 1.0),
        Spend("friends", date(2026, 1, 1), 0.0),
    )
    assert costs(tmp_path, by_day, columns={"day": "day"}).spend == expected
    by_month = "kanal;summe;monat\nads;1.012,5;2026-01\n"
    columns = {"channel": "kanal", "spend": "summe", "month": "monat"}
    found = costs(tmp_path, by_month, columns=columns, format={"decimal": ","})
    assert found.spend == (Spend("ads", date(2026, 1, 1), 1012.5),)


def test_a_table_by_day_spans_its_first_day_to_its_last(tmp_path: Path):
    lines = "".join(f"ads,1,2026-0{day}\n" for day in ("2-03", "3-10", "1-31"))
    found = costs(tmp_path, f"channel,spend,day\n{lines}", columns={"day": "day"})
    assert (found.first, found.last) == (date(2026, 1, 31), date(2026, 3, 10))
    # first days of months are the months
    for column, days in (("day", ("2-01", "3-01")), ("month", ("2", "3")), ("month", ("2-03", "3-10"))):
        lines = "".join(f"ads,1,2026-0{day}\n" for day in days)
        found = costs(tmp_path, f"channel,spend,{column}\n{lines}", columns={column: column})
        assert (found.first, found.last) == (None, None)


def test_shares_of_a_price_leave_a_margin():
    assert read_costs(CostsSettings(shares={"product": 0.5, "service": 0.1}), Path()).margin == pytest.approx(0.4)
    for wrong in ({"product": 0.8, "service": 0.3}, {"product": -0.1}, {"marketing": 0.1}):
        with pytest.raises(ValidationError):
            CostsSettings(shares=wrong)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("ads,much,2026-01", 'spend: got "much", expected a number'),
        ("ads,,2026-01", "spend: got nothing"),
        (",3,2026-01", "channel: got nothing"),
        ("ads,3,soon", 'month: got "soon", expected a date, or a month'),
        ("ads,-3,2026-01", "got -3, expected no negative costs"),
    ],
)
def test_a_row_that_cannot_be_read_stops_the_run(tmp_path: Path, line: str, what: str):
    with pytest.raises(InputError, match=r"\[costs\]") as error:
        costs(tmp_path, f"channel,spend,month\n{line}\nads,1,2026-01\n", columns={"month": "month"})
    assert what in str(error.value)
    assert "where" in str(error.value)


def test_columns_that_are_not_known_are_named(tmp_path: Path):
    for columns in ({"week": "w"}, {}, {"day": "d", "month": "m"}):
        with pytest.raises(ValidationError):
            CostsSettings(path="costs.csv", columns=columns)
    with pytest.raises(ValidationError, match="until"):
        AnnotationsSettings(columns={"untill": "x"})


def test_annotations_may_last(tmp_path: Path):
    (tmp_path / "notes.csv").write_text("day,label,until\n2026-03-03,Release 2.3,\n2026-02-10,Spring sale,2026-02-14\n")
    settings = AnnotationsSettings(path="notes.csv", columns={"until": "until"})
    assert read_annotations(settings, tmp_path) == (
        Annotation(date(2026, 2, 10), date(2026, 2, 14), "Spring sale"),
        Annotation(date(2026, 3, 3), date(2026, 3, 3), "Release 2.3"),
    )
    (tmp_path / "notes.csv").write_text("day,label,until\n2026-03-03,Release 2.3,2026-03-01\n")
    with pytest.raises(InputError, match="from 2026-03-03 on"):
        read_annotations(settings, tmp_path)


def test_there_need_be_no_tables():
    assert read_costs(CostsSettings(), Path()) == Costs()
    assert read_annotations(AnnotationsSettings(), Path()) == ()
