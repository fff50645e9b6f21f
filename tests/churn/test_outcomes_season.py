"""Half a year of Mondays, one after another, with contacts that work: the effect is found, and the model stays right."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import churn
from seeds.simulate import World, simulate
from tests.builders import values_of

USERS, TRAINED_DAYS, WEEKS = 3_000, 126, 26
HORIZON = timedelta(days=14)
SAVED = 0.5  # share of leavers whom a contact keeps
START = date(2026, 1, 5)
MONDAYS = [START + timedelta(days=TRAINED_DAYS + 7 * week) for week in range(WEEKS)]
AFTER = timedelta(days=21)  # until the last outcome is final
SETTINGS = """
[features]
windows_days = [7, 28, 90]
[holdout]
share = 0.3
[training]
test_cutoff = "2026-04-20"
"""


class Season:
    """A simulated world whose log changes where a contact keeps somebody."""

    def __init__(self, place: Path) -> None:
        world = World(USERS, TRAINED_DAYS + 7 * WEEKS + AFTER.days, START, seed=11)
        simulate(world, place / "world")
        self.events = place / "world/events"
        config = place / "world/churn.toml"
        config.write_text(config.read_text() + SETTINGS)
        self.project = churn.Project(config, home=place / "home")
        key = place / "home/arms/churn/key"  # the same arms in every run
        key.parent.mkdir(parents=True)
        key.write_text(bytes(range(32)).hex())
        self.random = np.random.default_rng(5)

    def run(self) -> None:
        """Train on the first days, then export each Monday, and let the contacts work."""
        self._hide_days()
        self.project.train()
        self.project.promote()
        self._show_days()
        for monday in MONDAYS:
            exported = self.project.export(monday, force=True)  # a young season moves more than a list may
            self._save(values_of(exported.to_arrow(), "user_id"), monday)

    def _hide_days(self) -> None:
        """The log ends where the training does: what comes later is not known yet."""
        aside = self.events.with_name("later")
        aside.mkdir()
        for folder in self.events.iterdir():
            if folder.name >= f"day={MONDAYS[0]}":
                shutil.move(folder, aside / folder.name)

    def _show_days(self) -> None:
        for folder in self.events.with_name("later").iterdir():
            shutil.move(folder, self.events / folder.name)

    def _save(self, contacted: list[str], monday: date) -> None:
        """Of the contacted users who would leave, a share stays: they come on three days of the horizon."""
        days = [f"day={monday + timedelta(days=day)}" for day in range(HORIZON.days)]
        files = [str(path) for day in days for path in sorted((self.events / day).iterdir())]
        active = set(ds.dataset(files).to_table(columns=["user_id"]).column("user_id").to_pylist())
        kept = [user for user in contacted if user not in active and self.random.random() < SAVED]
        for after in (2, 6, 11):
            self._add_events(kept, monday, after=after)

    def _add_events(self, users: list[str], monday: date, *, after: int) -> None:
        day = monday + timedelta(days=after)
        folder = self.events / f"day={day}"
        template = pq.ParquetFile(folder / "part-0.parquet").read().slice(0, 1).to_pylist()[0]
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        rows = [template | {"user_id": user, "event_time": at} for user in users]
        schema = pq.read_schema(folder / "part-0.parquet")
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / f"kept-{monday}.parquet")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_contacts_that_work_are_found_and_do_not_look_like_a_model_that_fails(tmp_path: Path):
    season = Season(tmp_path)
    season.run()
    found = season.project.outcomes(MONDAYS[-1] + AFTER)
    print(found)  # noqa: T201 - what the season was like, where the test fails
    assert found.final_weeks == WEEKS
    assert found.model.status == "as expected"
    assert found.model.overall.agrees  # a band need not: the model saw few users, and the base rate falls over the year
    overall = found.effects[0].effect.overall
    assert overall.status == "less churn"
    rate = found.model.treated[0].expected / found.model.treated[0].rows
    assert overall.low < -SAVED * rate < overall.high  # half of those who would have left stayed
    assert not found.effects[0].mismatch.rings
    treated = found.model.treated[0]
    assert treated.high < treated.expected  # contacts that work: fewer left than if they had been left alone
