"""score and export: the files they leave, the model they keep to, and that the same inputs give the same bytes."""

import csv
import hashlib
import json
import shutil
import socket
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from churn.project import Project
from features.profiles.build import build_profiles
from models.registry.registry import Registry
from serving.store.profile_store import ProfileStore
from tests.builders import values_of
from tests.churn.command import AS_OF, WEEK, TrainedWorld
from tests.churn.conftest import Command

LIST = {f"at_risk.{kind}" for kind in ("csv", "parquet", "xlsx", "html")} | {
    *("upload.csv", "holdout.csv", "delta.csv", "manifest.json"),
}


@pytest.fixture
def world(trained_world: TrainedWorld, tmp_path: Path) -> TrainedWorld:
    return trained_world.copy_to(tmp_path / "home")


@pytest.fixture(scope="module")
def unchanged(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> TrainedWorld:
    """One copy for all that is refused, and leaves nothing."""
    return trained_world.copy_to(tmp_path_factory.mktemp("unchanged") / "home")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rows(path: Path) -> list[dict[str, Any]]:
    return pq.ParquetFile(path).read().to_pylist()


# --- score ---------------------------------------------------------------------------------------------------------


def test_scores_hold_everybody_and_say_why_some_have_none(trained_world: TrainedWorld):
    said = trained_world.said["score"]
    found = rows(Path(said["path"]) / "scores.parquet")
    scored = [row for row in found if row["status"] == "scored"]
    assert (len(scored), len(found) - len(scored)) == (said["scored"], said["unscored"])
    assert {row["code"] for row in found if row["status"] == "unscored"} == {"not_eligible"}
    assert {row["as_of"] for row in found} == {date.fromisoformat(AS_OF)}
    assert all(0 < row["churn_probability"] < 1 and 0 <= row["percentile"] <= 100 for row in scored)
    assert all(row["reason_1"] and row["reason_2"] and row["reason_3"] for row in scored)
    assert all(row["churn_probability"] is None and row["reason_1"] is None for row in found if row not in scored)


def test_scores_are_those_of_the_registered_model_on_profiles_of_the_cutoff(trained_world: TrainedWorld):
    model = Registry(trained_world.home, "churn").get("champion").model
    activity = Project(trained_world.config, home=trained_world.home).activity()
    profiles = build_profiles(activity, model.specification, cutoffs=[date.fromisoformat(AS_OF)])
    model = replace(model, shift=trained_world.said["score"]["base_rate_shift"])
    expected = dict(zip(values_of(profiles, "user_id"), model.predict_probability(profiles).tolist(), strict=True))
    found = rows(Path(trained_world.said["score"]["path"]) / "scores.parquet")
    assert [row["user_id"] for row in found] == sorted(expected, key=str.encode)
    scored = {row["user_id"]: row["churn_probability"] for row in found if row["status"] == "scored"}
    assert scored
    assert scored == {user: expected[user] for user in scored}


def test_the_ledger_keeps_every_scored_row(trained_world: TrainedWorld):
    scores = Path(trained_world.said["score"]["path"])
    ledger = trained_world.home / "ledger" / scores.parent.relative_to(trained_world.home / "scores") / "current"
    kept, all_rows = (rows(folder / "scores.parquet") for folder in (ledger, scores))
    named = ("user_id", "raw_score", "churn_probability", "percentile", "risk_band")
    assert kept == [{key: row[key] for key in named} for row in all_rows if row["status"] == "scored"]


def test_every_folder_of_results_has_a_manifest_that_holds(trained_world: TrainedWorld):
    manifests = [
        path for part in ("scores", "ledger", "lists") for path in (trained_world.home / part).rglob("manifest.json")
    ]
    assert len(manifests) == 4  # the ledger keeps scores and lists
    for path in manifests:
        found = json.loads(path.read_text())
        assert (found["model"], found["version"], found["cutoff"]) == ("churn", "1", AS_OF)
        for name, file in found["files"].items():
            assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == file["sha256"]
        assert {file.name for file in path.parent.iterdir()} == {"manifest.json", *found["files"]}


def test_the_store_holds_the_profiles_of_the_cutoff(trained_world: TrainedWorld):
    store = ProfileStore(trained_world.store_folder)
    assert store.info.cutoff == date.fromisoformat(AS_OF)
    assert trained_world.said["score"]["store_refreshed"] is True


def test_an_earlier_cutoff_does_not_take_the_place_of_a_later_one_in_the_store(command: Command, world: TrainedWorld):
    ran = command("score", *world.options(), "--as-of", "2026-04-20", "--json")
    assert (ran.code, ran.json()["store_refreshed"]) == (0, False)
    assert ProfileStore(world.store_folder).info.cutoff == date.fromisoformat(AS_OF)


def test_scoring_twice_gives_the_same_bytes(command: Command, world: TrainedWorld, trained_world: TrainedWorld):
    ran = command("score", *world.options(), "--week", WEEK, "--model", "1", "--json")
    assert bytes_of(Path(ran.json()["path"])) == bytes_of(Path(trained_world.said["score"]["path"]))


# --- export --------------------------------------------------------------------------------------------------------


def test_the_list_ranks_the_users_at_risk(trained_world: TrainedWorld):
    listed = rows(trained_world.list_folder / "at_risk.parquet")
    scores = rows(Path(trained_world.said["score"]["path"]) / "scores.parquet")
    expected = sorted(
        (row for row in scores if row["risk_band"] in {"high", "medium"}),
        key=lambda row: (-row["raw_score"], row["user_id"].encode()),
    )
    with (trained_world.list_folder / "holdout.csv").open(newline="") as file:
        held_out = {row["user_id"] for row in csv.DictReader(file)}
    assert [row["user_id"] for row in listed] == [row["user_id"] for row in expected if row["user_id"] not in held_out]
    assert [row["rank"] for row in listed] == list(range(1, len(listed) + 1))
    said = trained_world.said["export"]
    assert (len(listed), len(held_out)) == (said["listed"], said["held_out"])
    assert 0.02 < len(held_out) / len(expected) < 0.25


def test_the_two_files_of_the_list_say_the_same(trained_world: TrainedWorld):
    listed = rows(trained_world.list_folder / "at_risk.parquet")
    with (trained_world.list_folder / "at_risk.csv").open(newline="", encoding="utf-8-sig") as file:
        shown = list(csv.DictReader(file))
    assert [row["user_id"] for row in shown] == [row["user_id"] for row in listed]
    assert [float(row["churn_probability"]) for row in shown] == [row["churn_probability"] for row in listed]
    assert [row["reason_1"] for row in shown] == [row["reason_1"] for row in listed]


def test_exporting_twice_gives_the_same_bytes(command: Command, world: TrainedWorld, trained_world: TrainedWorld):
    ran = command("export", *world.unscored().options(), "--as-of", AS_OF, "--json")
    assert ran.code == 0, ran.err
    assert set(bytes_of(world.list_folder)) == LIST
    assert bytes_of(world.list_folder) == bytes_of(trained_world.list_folder)


def test_a_band_decides_who_is_listed(command: Command, world: TrainedWorld, trained_world: TrainedWorld):
    ran = command("export", *world.options(), "--week", WEEK, "--set", "export.at_least=high", "--json")
    assert {row["risk_band"] for row in rows(world.list_folder / "at_risk.parquet")} == {"high"}
    assert 0 < ran.json()["listed"] < trained_world.said["export"]["listed"]


FORMULAS = ("=1+1+", "+", "-", "@", "\t", "\r")


def test_no_user_id_runs_as_a_formula(command: Command, world: TrainedWorld):
    kinds = [start for start in FORMULAS if start.strip()]  # blanks around an id are none of it
    starts = ", ".join(f"'{start}'" for start in kinds)
    mapped = f"events.columns.user_id=[{starts}][1 + cast(hash(user_id) % {len(kinds)} as integer)] || user_id"
    ran = command("export", *world.options(), "--week", WEEK, "--set", mapped, "--allow-mapping-change")
    assert ran.code == 0, ran.err
    with (world.list_folder / "at_risk.csv").open(newline="", encoding="utf-8-sig") as file:
        found = list(csv.DictReader(file))
    # the file for machines keeps the ids as they are, the one that people open puts an apostrophe before them
    kept = [row["user_id"] for row in rows(world.list_folder / "at_risk.parquet")]
    assert {user.partition("u")[0] for user in kept} == set(kinds)
    assert [row["user_id"] for row in found] == [f"'{user}" for user in kept]


def test_a_taken_port_is_said_to_be(command: Command, unchanged: TrainedWorld):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = command("serve", *unchanged.options(), "--port", port)
    assert ran.code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in ran.err
    assert "Traceback" not in ran.err


# --- Frozen with the model -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pair",
    [
        "churn.horizon_days=7",
        "churn.gap_days=3",
        "churn.active_within_days=30",
        "churn.min_tenure_days=1",
        "churn.timezone=Europe/Berlin",
        "churn.qualifying=amount > 0",
        "churn.event=amount < 0",
        "features.session_gap_minutes=5",
        "features.observation_days=60",
        "features.windows_days=[7]",
    ],
)
def test_settings_that_contradict_the_model_exit_with_2(command: Command, unchanged: TrainedWorld, pair: str):
    ran = command("score", *unchanged.options(), "--as-of", AS_OF, "--set", pair)
    assert ran.code == 2, ran.out
    assert pair.partition("=")[0] in ran.err
    assert "Hint: " in ran.err


OTHER_CHANNEL = ("--set", "events.columns.channel=upper(channel)")


@pytest.mark.parametrize("verb", ["score", "export"])
def test_another_mapping_of_a_column_that_the_model_reads_is_refused(
    command: Command, unchanged: TrainedWorld, verb: str
):
    refused = command(verb, *unchanged.options(), "--as-of", AS_OF, *OTHER_CHANNEL)
    assert (refused.code, "[events] channel is upper(channel)" in refused.err) == (3, True), refused.err
    assert "--allow-mapping-change" in refused.err


@pytest.mark.parametrize("verb", ["score", pytest.param("export", marks=pytest.mark.slow)])
def test_another_mapping_can_be_allowed(command: Command, world: TrainedWorld, verb: str):
    ran = command(verb, *world.options(), "--as-of", AS_OF, *OTHER_CHANNEL, "--allow-mapping-change")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(("setting", "said"), [("timezone=Asia/Tokyo", "Asia/Tokyo"), ("format.decimal=','", ",")])
def test_values_that_are_read_in_another_way_than_in_training_are_refused(
    command: Command, unchanged: TrainedWorld, setting: str, said: str
):
    refused = command("score", *unchanged.options(), "--as-of", AS_OF, "--set", f"events.{setting}")
    name = setting.partition("=")[0]
    assert (refused.code, f"[events] {name} is {said}, and the model was trained with" in refused.err) == (3, True), (
        refused.err
    )


def test_a_model_that_does_not_say_how_values_were_read_is_used(unchanged: TrainedWorld):
    project = Project(unchanged.config, home=unchanged.home, settings=["events.timezone=Asia/Tokyo"])
    model = project.registry.get("champion").model
    mapping = {name: text for name, text in model.mapping.items() if name not in {"timezone", "format.decimal"}}
    project.reader.check_mapping(replace(model, mapping=mapping))


def test_another_spelling_of_the_same_expression_is_no_change(unchanged: TrainedWorld):
    model = Registry(unchanged.home, "churn").get("champion").model
    spaced = f"events.columns.channel= {model.mapping['channel']} "
    Project(unchanged.config, home=unchanged.home, settings=[spaced]).reader.check_mapping(model)


def test_settings_that_say_the_same_as_the_model_are_fine(unchanged: TrainedWorld):
    same = ["churn.horizon_days=14", "churn.timezone=UTC", "churn.qualifying=''"]
    project = Project(unchanged.config, home=unchanged.home, settings=same)
    assert project.reader.activity_settings(frozen=project.registry.get("champion").model).churn.horizon_days == 14


def test_where_the_settings_say_nothing_the_model_decides(
    command: Command, world: TrainedWorld, tmp_path: Path, trained_world: TrainedWorld
):
    silent = world.config.read_text().split("[churn]")[0].replace('path = "', f'path = "{world.folder}/')
    (tmp_path / "silent.toml").write_text(silent)
    ran = command(
        "score", "--config", tmp_path / "silent.toml", "--home", world.unscored().home, "--as-of", AS_OF, "--json"
    )
    assert ran.json()["scored"] == trained_world.said["score"]["scored"]


@pytest.mark.parametrize(
    ("verb", "when"),
    [("export", "2026-05-06"), ("score", "2026-05-06"), ("export", "2026-01-05"), ("score", "2020-01-01")],
)
def test_a_cutoff_that_the_log_does_not_cover_exits_with_2(
    command: Command, unchanged: TrainedWorld, verb: str, when: str
):
    ran = command(verb, *unchanged.options(), "--as-of", when)
    assert ran.code == 2
    assert f"cutoff {when}: the log covers 2026-01-05" in ran.err
    assert not (unchanged.home / "lists/churn/2026-W19-3").exists()


@pytest.mark.parametrize("threads", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_list_is_the_same_bytes_from_shuffled_rows_in_other_files_with_any_threads(
    command: Command, trained_world: TrainedWorld, tmp_path: Path, threads: int
):
    world = replace(trained_world, folder=tmp_path / "world").copy_to(tmp_path / "home")
    shutil.rmtree(world.home / "lists")
    (world.folder / "events").mkdir(parents=True)
    shutil.copy(trained_world.config, world.config)
    events = f"read_parquet('{trained_world.folder}/events/**/*.parquet', hive_partitioning = false)"
    for part in range(3):
        rows = f"from {events} where hash(event_time) % 3 = {part} order by hash(user_id, event_time, event_type)"
        duckdb.execute(f"copy ({rows}) to '{world.folder}/events/{part}.parquet'")
    ran = command("export", *world.options(), "--week", WEEK, "--set", f"compute.threads={threads}", "--json")
    assert ran.code == 0, ran.err
    assert "rolling up" in ran.err
    assert {name: bytes_of(world.list_folder)[name] for name in LIST - {"manifest.json"}} == {
        name: bytes_of(trained_world.list_folder)[name] for name in LIST - {"manifest.json"}
    }
