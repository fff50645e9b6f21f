"""The recipes for CSV files: each file on the page is read with the lines below it, and gives what the page says."""

from __future__ import annotations

import re
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from churn.settings import load_settings
from features.log.event_log import open_log

PAGE = (Path(__file__).parents[3] / "docs/guides/csv-recipes.md").read_text()
PARTS = [re.findall(r"```(\w+)\n(.*?)```", part, flags=re.DOTALL) for part in PAGE.split("\n## ")[1:]]
NAMES = [part.partition("\n")[0] for part in PAGE.split("\n## ")[1:]]


def _line(row: dict[str, Any]) -> str:
    moment = row["event_time"].astimezone(UTC)
    words = [row["user_id"], f"{moment:%Y-%m-%dT%H:%M}", row["event_type"]]
    words += [f"x{row['count']}"] if row.get("count") else []
    return " ".join(words + ([str(float(row["amount"]))] if row.get("amount") is not None else []))


@pytest.mark.parametrize("blocks", PARTS, ids=NAMES)
def test_a_recipe_reads_what_the_page_says(tmp_path: Path, blocks: list[tuple[str, str]]):
    assert [kind for kind, _ in blocks] == ["csv", "toml", "read"]
    log, settings, read = (text for _, text in blocks)
    (tmp_path / "log.csv").write_text(log)
    (tmp_path / "churn.toml").write_text(settings)
    found = load_settings(tmp_path / "churn.toml", flags={"events.path": str(tmp_path / "log.csv")}).settings
    rows = open_log(found.events, zone=found.churn.timezone).to_arrow().to_pylist()
    assert sorted(map(_line, rows)) == read.splitlines()
