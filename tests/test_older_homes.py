"""A home that an older version wrote is upgraded: no new roll-up, same scores, same list, same answers (tests/fixtures/README.md)."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tarfile
import warnings
from contextlib import chdir, closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

import churn as churn_api
from churn.upgrade import open_home
from features.storage.versions import versions_of
from seeds.simulate import World, simulate
from serving.http.endpoint import Endpoint
from serving.release.bundle import read_bundle
from tests.churn.command import Ran, churn
from tests.races import race

FIXTURE = Path(__file__).parent / "fixtures" / "home_4b49813.tar.xz"
MADE_IN = "/srv/churn"
AS_OF, WEEK = "2026-04-27", "2026-W18"
BATCH = Path(f"cutoff={AS_OF}") / "model=churn-v2"


@dataclass(frozen=True)
class OlderHome:
    """The unpacked fixture, beside the log that it was made from."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def ran(self, verb: str, *options: str) -> Ran:
        return churn(verb, "--config", "world/churn.toml", "--home", "home", *options, "--json", cwd=self.folder)

    def run(self, verb: str, *options: str) -> Any:
        return self.ran(verb, *options).json()

    def printed(self, verb: str) -> Any:
        return json.loads((self.folder / "printed" / f"{verb}.json").read_text())


def unpacked(folder: Path) -> OlderHome:
    with tarfile.open(FIXTURE) as packed:
        packed.extractall(folder, filter="data")
    return OlderHome(folder)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> OlderHome:
    """As the older version left it; look, do not touch."""
    return unpacked(tmp_path_factory.mktemp("frozen"))


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> OlderHome:
    """The same with its log, where it was: byte for byte the same events, last changed when they were."""
    found = unpacked(tmp_path_factory.mktemp("older"))
    simulate(World(users=600, days=120, seed=7), found.folder / "world")
    (found.folder / "churn.toml").replace(found.folder / "world/churn.toml")
    (manifest,) = (json.loads(path.read_text()) for path in found.home.glob("activity/*/manifest.json"))
    for file in manifest["files"]:
        changed = int(file["fingerprint"].partition("-")[2])
        os.utime(found.folder / file["name"], ns=(changed, changed))
    _move_the_store(found.home / "mlflow.db", found.folder)
    return found


def _move_the_store(database: Path, folder: Path) -> None:
    """MLflow writes absolute places into its store: point them to where the fixture was unpacked."""
    places = {
        "experiments": "artifact_location",
        "runs": "artifact_uri",
        "logged_models": "artifact_location",
        "model_versions": "storage_location",
    }
    with closing(sqlite3.connect(database)) as store, store:
        for table, column in places.items():
            store.execute(f"update {table} set {column} = replace({column}, ?, ?)", (MADE_IN, str(folder)))


def without_words(table: pa.Table) -> list[dict[str, Any]]:
    """Rows without the wording of their reasons, which may be improved; codes and contributions stay.

    Probabilities to ten digits: amounts are no longer rounded to cents before they fade.
    """
    names = [name for name in table.column_names if name in {"reason_1", "reason_2", "reason_3"}]
    rows = table.drop_columns(names).to_pylist()
    new = {"raw_score", *(f"reason_{rank}_feature" for rank in (1, 2, 3))}
    kept = [{name: value for name, value in row.items() if name not in new} for row in rows]
    return [row | {"churn_probability": _rounded(row["churn_probability"])} for row in kept]


def _rounded(probability: float | None) -> float | None:
    return None if probability is None else round(probability, 10)


def test_the_first_verb_that_opens_it_says_that_it_is_upgraded(older: OlderHome, caplog: pytest.LogCaptureFixture):
    assert older.ran("score", "--as-of", AS_OF, "--model", "2").code == 0
    said = "the home home was written by an earlier version; it now has the layout of this one"
    assert [said in record.message for record in caplog.records] == [True]
    caplog.clear()
    assert older.ran("rollback").code == 3
    assert not caplog.records


def test_its_log_is_read_once_more_as_logs_are_read_now(older: OlderHome):
    with chdir(older.folder):
        found = [churn_api.Project("world/churn.toml", home="home").log() for _ in range(2)]
    assert [log.to_json()["days_rolled_up"] for log in found][-1] == 0
    assert [log.activity.manifest.format_version for log in found] == [3, 3]


def test_an_older_champion_gives_every_user_the_same_score(older: OlderHome, frozen: OlderHome):
    before = pq.ParquetFile(frozen.home / "scores" / BATCH / "scores.parquet").read()
    report = older.run("score", "--as-of", AS_OF)
    assert (report["scored"], report["unscored"]) == (291, 269)
    after = pq.ParquetFile(older.folder / report["path"] / "scores.parquet").read()
    assert without_words(after) == without_words(before)


def test_the_list_of_an_older_champion_has_the_same_users_in_the_same_order(older: OlderHome, frozen: OlderHome):
    before = pacsv.read_csv(frozen.home / "lists" / WEEK / "at_risk.csv")
    report = older.run("export", "--week", WEEK, "--set", "holdout.share=0")
    after = pacsv.read_csv(older.folder / report["lists"][0]["path"] / "at_risk.csv")
    assert report["listed"] == after.num_rows == 83
    same = ["rank", "user_id", "churn_probability", "percentile", "risk_band"]
    assert without_words(after.select(same)) == without_words(before.select(same))


def test_the_scores_and_lists_that_it_held_are_kept_as_versions(older: OlderHome, frozen: OlderHome):
    for before, place in (
        (frozen.home / "lists" / WEEK, older.home / "lists/churn" / WEEK / "at_risk"),
        (frozen.home / "ledger" / BATCH, older.home / "ledger/churn" / BATCH),
    ):
        assert bytes_of(before) in [bytes_of(version) for version in versions_of(place)]
    assert not [name for name in ("served", "store", "lists/2026-W18") if (older.home / name).exists()]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def answer_of(bundle: Path, expected: dict[str, Any]) -> Any:
    user = expected["results"][0]["user_id"]
    body = json.dumps({"items": [{"user_id": user}]}).encode()
    return json.loads(Endpoint(read_bundle(bundle)).answer(body, request_id="1") or b"null")


def test_a_served_folder_of_an_older_version_gives_the_same_answer(frozen: OlderHome):
    expected = frozen.printed("answer")
    assert without_texts(answer_of(frozen.home / "served", expected)) == without_texts(expected)


def test_the_release_that_it_becomes_gives_the_same_answer(frozen: OlderHome, tmp_path: Path):
    shutil.copytree(frozen.home, tmp_path / "home")
    open_home(tmp_path / "home")
    expected = frozen.printed("answer")
    assert without_texts(answer_of(tmp_path / "home/releases/churn/current", expected)) == without_texts(expected)


def without_texts(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        result | {"reasons": [{k: v for k, v in reason.items() if k != "text"} for reason in result["reasons"]]}
        for result in answer["results"]
    ]


def test_the_settings_that_an_older_run_recorded_are_read(older: OlderHome):
    """Both versions have seen every finished week, so that what is compared is how they were trained."""
    decision = older.run("promote", "--dry-run")
    assert (decision["challenger"], decision["compared"]) == ("4", "recipes")


def check_that_mlflow_loads(folder: Path) -> None:
    import mlflow
    import pandas as pd

    import_module("models.churn_model")  # what a process has imported is not read from the folder of the model
    warnings.simplefilter("ignore")
    model = mlflow.pyfunc.load_model(str(folder))
    example = json.loads((folder / "serving_input_example.json").read_text())["dataframe_split"]
    schema = model.metadata.get_input_schema()
    assert schema
    columns: list[dict[str, Any]] = schema.to_dict()
    types = {column["name"]: "object" if column["type"] == "string" else "float64" for column in columns}
    found = model.predict(pd.DataFrame(example["data"], columns=example["columns"]).astype(types))
    assert all(0 < probability < 1 for probability in found.tolist())


def test_mlflow_loads_an_older_model_where_todays_code_is_imported(older: OlderHome):
    """In a process of its own: MLflow puts the code of the model on the path."""
    folder = next((older.home / "artifacts/models").glob("*/artifacts"))
    assert race(lambda: check_that_mlflow_loads(folder)) == [0]
