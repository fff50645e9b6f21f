"""Exports of known products are recognised, and mapped as their examples map them."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from churn.first_look.evidence.table import open_table
from churn.first_look.known_layouts import LAYOUTS
from churn.first_look.look import Look, look
from churn.first_look.questions import Answers

FORMATS = Path(__file__).parents[3] / "examples/formats"


def _looked(folder: Path, path: str) -> Look:
    return look(open_table(path, folder), path=path, answers=Answers())


def test_every_example_is_known():
    assert {one.name for one in LAYOUTS} == {folder.name for folder in FORMATS.iterdir()}


@pytest.mark.parametrize("name", [one.name for one in LAYOUTS])
def test_an_example_is_mapped_as_its_own_settings_map_it(name: str):
    expected = tomllib.loads((FORMATS / name / "churn.toml").read_text())["events"]
    found = _looked(FORMATS / name, expected["path"]).draft
    assert {role: one.expression for role, one in found.columns.items()} == expected["columns"]
    written = {key: line.value for key, line in found.events.items()}
    assert written == {key: value for key, value in expected.items() if key not in ("columns", "format")}
    assert {key: line.value for key, line in found.format.items()} == expected.get("format", {})


def test_columns_that_an_export_lacks_are_said(tmp_path: Path):
    lines = (FORMATS / "shopify/orders_export.csv").read_text().splitlines()
    place = lines[0].split(",").index("Source")
    header = lines[0].split(",")
    header[place] = "Origin"
    (tmp_path / "orders.csv").write_text("\n".join([",".join(header), *lines[1:]]) + "\n")
    found = _looked(tmp_path, "orders.csv")
    assert "channel" not in found.draft.columns
    assert found.notes == ("not mapped, as the log lacks a column of them: channel",)


def test_the_zone_of_an_example_is_not_taken_for_that_of_a_log(tmp_path: Path):
    shutil.copy(FORMATS / "shopify/orders_export.csv", tmp_path)
    assert _looked(tmp_path, "orders_export.csv").draft.churn == {}
