"""Charts as PNG and as page: intervals, heights and the text around them."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from models.evaluation.metrics import Interval
from training.report.rendering import Chart, Series, draw, page


def chart(*series: Series, **changes: Any) -> Chart:
    return Chart("test", "A title", "A caption.", "when", "how much", series, **changes)


def test_an_interval_encloses_its_value():
    series = Series("a", (1.0, 2.0), (0.5, 0.7), intervals=(Interval(0.5, 0.4, 0.65), Interval(0.7, 0.75, 0.8)))
    assert [(row["low"], row["high"]) for row in series.points] == [(0.4, 0.65), (0.7, 0.8)]


def test_bars_at_numbers_almost_touch_and_those_at_names_have_no_ends():
    numbers = Series("a", (0.1, 0.2, 0.4), (1.0, 2.0, 3.0), "bars")
    assert numbers.width == pytest.approx(0.092)
    assert numbers.points[0]["from"] == pytest.approx(0.054)
    assert "from" not in Series("a", ("x", "y"), (1.0, 2.0), "bars").points[0]


def test_a_horizontal_chart_grows_with_its_rows():
    many = Series("", tuple(f"row {number}" for number in range(28)), (1.0,) * 28)
    assert chart(many, is_horizontal=True).height == 560
    assert chart(many).height == chart(Series("", ("one",), (1.0,)), is_horizontal=True).height == 330


def test_the_page_has_title_caption_and_a_link_for_each_chart():
    text = page([chart(Series("a", (1.0, 2.0), (0.5, 0.7)))])
    assert '<a href="#test">A title</a>' in text
    assert '<section id="test"><h2>A title</h2><p>A caption.</p>' in text


@pytest.mark.parametrize("mark", ["line", "dashes", "dots", "line and dots", "bars", "area"])
def test_every_mark_can_be_drawn_over_dates(mark: str, tmp_path: Path):
    days = tuple(date(2026, 1, day) for day in range(1, 31))
    draw(tmp_path, [chart(Series("a", days, tuple(day.day / 30 for day in days), mark))])  # type: ignore[arg-type]
    assert (tmp_path / "test.png").stat().st_size > 5_000
    assert "2026-01-01" in (tmp_path / "evaluation.html").read_text()
    first = (tmp_path / "test.png").read_bytes()
    draw(tmp_path, [chart(Series("a", days, tuple(day.day / 30 for day in days), mark))])  # type: ignore[arg-type]
    assert (tmp_path / "test.png").read_bytes() == first


def test_the_page_needs_no_network_and_a_title_cannot_end_its_script():
    text = page([Chart("test", "</script><b>", "A caption.", "when", "</script>", (Series("a", (1.0,), (0.5,)),))])
    assert text.count("</script>") == 2
    assert " src=" not in text.partition("<script")[0]
    assert len(text) < 2**20
