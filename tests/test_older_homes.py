"""A home that an older version wrote is read as it is: same scores, same list, same answers (tests/fixtures/README.md)."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from seeds.simulate import World, simulate
from serving.http.endpoint import Endpoint
from serving.release.bundle import read_bundle
from tests.churn.command import churn

FIXTURE = Path(__file__).parent / "fixtures" / "home_4b49813.tar.xz"
MADE_IN = "/srv/churn"
AS_OF, WEEK = "2026-04-27", "2026-W18"
BATCH = Path(f"cutoff={AS_OF}") / "model=churn-v2" / "scores.parquet"


@dataclass(frozen=True)
class OlderHome:
    """The unpacked fixture, beside the log that it was made from."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def run(self, verb: str, *options: str) -> Any:
        ran = churn(verb, "--config", "churn.toml", "--home", "home", *options, "--json", cwd=self.folder)
        return ran.json()

    def printed(self, verb: str) -> Any:
        return json.loads((self.folder / "printed" / f"{verb}.json").read_text())


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> OlderHome:
    folder = tmp_path_factory.mktemp("older")
    simulate(World(users=600, days=120, seed=7), folder)  # the same events, byte for byte
    with tarfile.open(FIXTURE) as packed:
        packed.extractall(folder, filter="data")
    _move_the_store(folder / "home" / "mlflow.db", folder)
    return OlderHome(folder)


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
    """Rows without the wording of their reasons, which may be improved; codes and contributions stay."""
    return table.drop_columns(
        [name for name in table.column_names if name in {"reason_1", "reason_2", "reason_3"}]
    ).to_pylist()


def test_an_older_champion_gives_every_user_the_same_score(older: OlderHome):
    before = pq.read_table(older.home / "scores" / BATCH)
    report = older.run("score", "--as-of", AS_OF)
    assert (report["scored"], report["unscored"]) == (291, 269)
    after = pq.read_table(older.folder / report["path"] / "scores.parquet")
    assert without_words(after) == without_words(before)


def test_the_list_of_an_older_champion_has_the_same_users_in_the_same_order(older: OlderHome):
    before = pacsv.read_csv(older.home / "lists" / WEEK / "at_risk.csv")
    report = older.run("export", "--week", WEEK)
    after = pacsv.read_csv(older.folder / report["path"] / "at_risk.csv")
    assert report["listed"] == after.num_rows == 83
    assert without_words(after) == without_words(before)


def test_a_served_folder_of_an_older_version_gives_the_same_answer(older: OlderHome):
    expected = older.printed("answer")
    user = expected["results"][0]["user_id"]
    answer = Endpoint(read_bundle(older.home / "served")).answer(
        json.dumps({"items": [{"user_id": user}]}).encode(), request_id="1"
    )
    assert without_texts(json.loads(answer or b"null")) == without_texts(expected)


def without_texts(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        result | {"reasons": [{k: v for k, v in reason.items() if k != "text"} for reason in result["reasons"]]}
        for result in answer["results"]
    ]


def test_the_settings_that_an_older_run_recorded_are_read(older: OlderHome):
    """Both versions have seen every finished week, so that what is compared is how they were trained."""
    decision = older.run("promote", "--dry-run")
    assert (decision["challenger"], decision["compared"]) == ("4", "recipes")


LOADED = """
import json, sys, models.churn_model, mlflow
from pathlib import Path
folder = Path(sys.argv[1])
model = mlflow.pyfunc.load_model(str(folder))
example = json.loads((folder / "serving_input_example.json").read_text())["dataframe_split"]
import pandas as pd
frame = pd.DataFrame(example["data"], columns=example["columns"])
frame = frame.astype({c["name"]: "object" if c["type"] == "string" else "float64" for c in model.metadata.get_input_schema().to_dict()})
print(json.dumps(model.predict(frame).tolist()))
"""


def test_mlflow_loads_an_older_model_where_todays_code_is_imported(older: OlderHome):
    folder = next((older.home / "artifacts/models").glob("*/artifacts"))
    ran = subprocess.run([sys.executable, "-c", LOADED, folder], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert all(0 < probability < 1 for probability in json.loads(ran.stdout.splitlines()[-1]))
