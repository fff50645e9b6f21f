"""Pictures are drawn without a browser and without the network, and equal rows give equal bytes."""

import re
import xml.etree.ElementTree as ET
from datetime import date

from models.charts import (
    Axis,
    Layers,
    Series,
    areas,
    band,
    bars,
    card,
    intervals,
    level,
    line,
    lines,
    picture,
    png,
    sparkline,
    svg,
    ticks,
)

ROWS = [
    {"day": str(date(2026, 1, 5)), "rate": 0.2, "low": 0.1, "high": 0.3, "name": "<script>alert(1)</script>"},
    {"day": str(date(2026, 1, 12)), "rate": 0.3, "low": 0.2, "high": 0.4, "name": "organic"},
]
DAY, RATE, NAME = Axis("day", "day", "date", "%d %b"), Axis("rate", "rate", format=".0%"), Axis("name", "", "name")


def over_time() -> Layers:
    low = Axis("low", "rate", format=".0%")
    return picture(
        band(ROWS, DAY, low=low, high="high"),
        level(0.25),
        line(ROWS, DAY, y=RATE),
        line(ROWS, DAY, y=RATE, dashed=True),
    )


def by_name() -> Layers:
    return picture(
        intervals(ROWS, RATE, y=NAME, ends=("low", "high")),
        ticks(ROWS, RATE, y=NAME),
        level(0.25, is_horizontal=False),
        rows=len(ROWS),
    )


def test_the_same_rows_give_the_same_bytes():
    assert svg(over_time()) == svg(over_time())
    assert png(by_name(), scale=1) == png(by_name(), scale=1)


def test_a_picture_names_no_address_and_is_well_formed():
    for drawn in (svg(over_time()), svg(by_name())):
        assert "http" not in drawn
        assert ET.fromstring(drawn).tag == "svg"  # noqa: S314 - our own


def test_days_are_those_of_the_rows_wherever_it_is_drawn():
    assert {"05 Jan", "12 Jan"} & set(re.findall(r">(\d\d \w{3})<", svg(over_time())))


def test_names_are_text_and_in_the_order_of_the_rows():
    drawn = svg(by_name())
    assert "<script" not in drawn
    texts = [found.text for found in ET.fromstring(drawn).iter("text")]  # noqa: S314 - our own
    assert texts.index("<script>alert(1)</script>") < texts.index("organic")


def test_a_png_is_an_image():
    assert png(by_name(), scale=1).startswith(b"\x89PNG")


BY_NAME = Series("name", {"organic": "#0072B2", "<script>alert(1)</script>": "#D55E00"})


def test_series_have_a_legend_in_their_order_and_their_colours():
    rows = [dict(row) | {"order": 1} for row in ROWS]
    for layer in (
        lines(rows, DAY, y=RATE, by=BY_NAME),
        areas(rows, DAY, y=RATE, by=BY_NAME),
        bars(rows, DAY, y=RATE, by=BY_NAME),
    ):
        drawn = svg(card(layer))
        assert drawn.index(">organic<") < drawn.index(">&lt;script&gt;")
        assert {"#0072B2", "#D55E00"} <= set(re.findall(r'"(#\w{6})"', drawn))


def test_bars_start_at_zero():
    assert ">0%<" in svg(card(bars([dict(row) | {"end": "2026-01-20"} for row in ROWS], DAY, y=RATE, until="end")))


def test_a_sparkline_goes_from_left_to_right_between_low_and_high():
    assert 'points="0.0,22.0 50.0,2.0 100.0,12.0"' in sparkline([1, 3, 2])
    assert 'points="0.0,22.0 100.0,22.0"' in sparkline([2, 2])
    assert sparkline([1]) == ""
