"""`churn report`: one page that opens without a network, the same numbers as JSON, and tables."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import churn
from churn.jobs.reporting.outages import incomplete_days
from churn.jobs.reporting.page import page_of, table_of
from churn.results import Report
from features.settings import ChurnSettings
from features.storage.versions import current_of
from insights.presentation.formats import Kind
from insights.presentation.section import Figures, columns
from models.text.catalogues import in_language
from seeds.simulate import World, simulate
from tests.builders import world_of, write
from tests.churn.conftest import Command
from tests.insights.logs import random_rows
from training.settings import OutagesSettings

EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> churn.Project:
    place = tmp_path_factory.mktemp("report")
    rows = [{**row, "channel": EVIL if index % 3 else "organic"} for index, row in enumerate(random_rows(1, users=120))]
    log = write(place / "log.parquet", rows)
    settings = {"churn.timezone": "Europe/Berlin", "events.columns": {"channel": "channel"}}
    return churn.Project(home=place / "home", events=str(log), settings=settings)


@pytest.fixture(scope="module")
def report(project: churn.Project) -> Report:
    return project.report()


def test_the_command_prints_the_numbers_that_it_writes(command: Command, report: Report, project: churn.Project):
    options = (
        "--home",
        project.root,
        "--events",
        project.settings.events.path,
        "--set",
        "churn.timezone=Europe/Berlin",
    )
    said = command("report", *options, "--set", 'events.columns={channel="channel"}', "--json").json()
    place = Path(said.pop("path"))
    assert place == report.path  # the same bytes, so the same version
    assert json.loads((place / "report.json").read_text()) == said


def test_tables_are_csv_and_parquet_with_the_numbers_of_the_json(report: Report):
    written = json.loads((report.path / "report.json").read_text())
    for name, section in written["sections"].items():
        for table, rows in section["tables"].items():
            kept = pq.read_table(report.path / f"tables/{table}.parquet")
            lines = (report.path / f"tables/{table}.csv").read_text().splitlines()
            assert kept.num_rows == len(rows) == len(lines) - 1, name
    assert report.to_pandas("growth_days").shape[0] == 100


def test_the_page_holds_everything_and_asks_nobody(report: Report):
    page = (report.path / "report.html").read_text()
    assert "://" not in page
    assert "<script" not in page
    assert "<img" not in page
    assert "default-src 'none'; style-src 'sha256-" in page
    for one in report.sections:
        assert f'<section id="{one.name}">' in page
    assert page.count("<svg") > 8
    assert len(page) < 3 * 2**20
    assert (report.path / "report.eml").stat().st_size > 10_000


def test_the_page_is_the_same_for_the_same_numbers(report: Report):
    assert page_of(report, None).to_html() == page_of(report, None).to_html()
    assert "may be older" not in page_of(report, None).subtitle


def test_a_result_says_its_headlines(report: Report):
    assert "users were active" in repr(report)
    assert report.summary["page"].endswith("report.html")


def test_a_report_knows_what_an_earlier_one_found_and_is_the_same_when_it_is_written_again(
    command: Command, tmp_path: Path
):
    log = write(tmp_path / "log.parquet", random_rows(2, users=20, days=40))
    until = {"events.covered_until": "2025-03-10", "events.max_rejected_share": 1}
    first = churn.Project(home=tmp_path / "home", events=str(log), settings=until).report()
    later = churn.Project(home=tmp_path / "home", events=str(log)).report()
    assert first.past is None
    assert later.past
    assert later.past.last_day == first.last_day
    assert json.loads((later.path / "report.json").read_text())["past"] == {
        "last_day": str(first.last_day),
        "findings": [],
    }
    shown = command("report", "--home", tmp_path / "home", "--events", log)
    assert current_of(later.path.parent) == later.path
    assert "report.html" in shown.out
    assert "retention" in shown.out


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            "The log is incomplete on 3 days (Jan 26, 2026; Feb 3, 2026 to Feb 4, 2026): whoever was active then counts as absent",
        ),
        ("zh", "2026年1月26日、2026年2月3日 至 2026年2月4日"),
    ],
)
def test_days_that_training_takes_for_outages_are_named_in_a_note(tmp_path: Path, language: str, words: str):
    gone = (date(2026, 1, 26), date(2026, 2, 3), date(2026, 2, 4))
    days = [date(2026, 1, 5) + timedelta(days=day) for day in range(42)]
    rows = [f"u{user} {day}T10:00" for user in range(30) for day in days if day not in gone]
    activity = world_of(tmp_path, rows, covered_until=None).activity()
    with in_language(language):
        (note,) = incomplete_days(activity, OutagesSettings(), churn=ChurnSettings())
        assert words in note
        assert incomplete_days(activity, OutagesSettings(closed=gone), churn=ChurnSettings()) == ()


def test_the_page_and_the_numbers_of_a_short_log_with_an_outage_say_so(tmp_path: Path):
    days = [datetime(2026, 1, 5, 10, tzinfo=UTC) + timedelta(days=day) for day in range(27) if day != 13]
    rows = [{"user_id": f"u{user}", "event_time": day, "event_type": "open"} for user in range(30) for day in days]
    log = write(tmp_path / "log.parquet", rows)
    found = churn.Project(home=tmp_path / "home", events=str(log)).report()
    note = "The log is incomplete on one day (Jan 18, 2026): "
    assert json.loads((found.path / "report.json").read_text())["notes"][-1].startswith(note)
    page = (found.path / "report.html").read_text()
    assert note in page
    assert "NaN" not in page
    assert "DAU / MAU" not in page  # 28 days are not over


def test_costs_and_annotations_are_read_from_next_to_the_settings(tmp_path: Path):
    log = write(
        tmp_path / "log.parquet",
        [{**row, "channel": "ads", "amount": 3.0} for row in random_rows(2, users=20, days=70)],
    )
    (tmp_path / "costs.csv").write_text("channel,month,spend\nads,2025-03,30\n")
    (tmp_path / "notes.csv").write_text("day,label\n2025-03-03,Release\n")
    (tmp_path / "churn.toml").write_text(
        f"""[events]
path = "{log}"
columns = {{ channel = "channel", amount = "amount" }}
[costs]
path = "costs.csv"
columns = {{ month = "month" }}
[annotations]
path = "notes.csv"
[report]
left_censored_days = 0
"""
    )
    found = churn.Project(tmp_path / "churn.toml", home=tmp_path / "home").report()
    assert found.to_pandas("month_costs")["spend"].tolist() == [30.0]
    assert found.to_pandas("annotations")["label"].tolist() == ["Release"]


def test_the_report_speaks_chinese(project: churn.Project):
    flags = {"churn.timezone": "Europe/Berlin", "events.columns": {"channel": "channel"}, "report.language": "zh"}
    report = churn.Project(home=project.root, events=project.settings.events.path, settings=flags).report()
    page = (report.path / "report.html").read_text()
    assert '<html lang="zh">' in page
    assert "留存曲线" in page
    assert "Retention curve" not in page
    assert "How it is defined" not in page
    written = json.loads((report.path / "report.json").read_text())
    assert written["sections"]["growth"]["title"] == "增长"
    words = [one for section in written["sections"].values() for one in section["sentences"]]
    assert [one for one in words if not re.search(r"[\u4e00-\u9fff]", one)] == []


@pytest.mark.parametrize(
    ("kinds", "values", "ends", "words"),
    [
        (columns("name", "group"), [f"g{place:02d}" for place in range(70)], ("g00", "g59"), "The first 60 of 70 rows"),
        (columns("count", "day_n"), list(range(70)), ("0", "59"), "The first 60 of 70 rows"),
        (
            columns("date", "day"),
            [date(2026, 1, 1) + timedelta(days=place) for place in range(70)],
            ("2026-01-11", "2026-03-11"),
            "The latest 60 of 70 rows",
        ),
    ],
)
def test_a_long_ranking_keeps_its_top_and_a_long_table_by_date_its_end(
    kinds: dict[str, Kind], values: list[object], ends: tuple[str, str], words: str
):
    (name,) = kinds
    rows: list[dict[str, Any]] = [
        {name: value, "users": 20 + place, "share": place} for place, value in enumerate(values)
    ]
    whole = kinds | columns("count", "users") | columns("share", "share")
    found = table_of(Figures("contrast", rows, whole, heat=["share"]))
    first, last = (row[Figures("contrast", rows, whole).headings[name]] for row in (found.rows[0], found.rows[-1]))
    assert (first, last) == ends
    assert found.words == f"{words}; all of them are in tables/contrast.csv."
    shown = slice(10, 70) if "latest" in words else slice(60)
    top = [row["share"] for row in rows][shown]
    assert found.heat["share"] == [one / top[-1] for one in top]
    assert table_of(Figures("contrast", rows[:60], whole)).words == ""


@pytest.mark.slow
def test_a_report_has_the_same_bytes_on_one_thread_and_on_two(tmp_path: Path):
    simulate(World(users=3_000, days=180, seed=7), tmp_path / "world")
    written = [
        {path.name: path.read_bytes() for path in found.path.rglob("*") if path.is_file()}
        for threads in (1, 2)
        if (found := _on_threads(tmp_path, threads))
    ]
    assert written[0] == written[1]


def _on_threads(place: Path, threads: int) -> Report:
    settings = {"compute.threads": threads}
    return churn.Project(place / "world" / "churn.toml", home=place / f"home{threads}", settings=settings).report()
