"""File, then environment, then flags; what nobody knows is an error that says where and suggests a way out."""

# pyright: reportPrivateUsage=false

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from churn.settings import TABLES, Settings, _former_names
from features.settings import SettingUnit
from tests.churn.conftest import Command


def write(folder: Path, text: str, name: str = "churn.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def setting(command: Command, name: str, *options: str | Path) -> dict[str, Any]:
    ran = command("settings", "--json", *options)
    assert ran.code == 0, ran.err
    (found,) = (row for row in json.loads(ran.out) if row["name"] == name)
    return found


# --- Precedence ----------------------------------------------------------------------------------------------------


def test_a_default_stands_until_somebody_says_otherwise(command: Command):
    found = setting(command, "churn.horizon_days")
    assert (found["value"], found["origin"], found["default"], found["unit"]) == (14, "default", 14, "days")
    assert found["help"]


def test_the_file_goes_before_the_default(command: Command, tmp_path: Path):
    write(tmp_path, "[churn]\nhorizon_days = 21")
    found = setting(command, "churn.horizon_days")
    assert (found["value"], found["origin"], found["default"]) == (21, "churn.toml", 14)


def test_the_environment_goes_before_the_file(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, "[churn]\nhorizon_days = 21")
    monkeypatch.setenv("CHURN_CHURN__HORIZON_DAYS", "28")
    found = setting(command, "churn.horizon_days")
    assert (found["value"], found["origin"]) == (28, "environment")


def test_a_flag_goes_before_the_environment(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, "[churn]\nhorizon_days = 21")
    monkeypatch.setenv("CHURN_CHURN__HORIZON_DAYS", "28")
    found = setting(command, "churn.horizon_days", "--set", "churn.horizon_days=35")
    assert (found["value"], found["origin"]) == (35, "flag")


def test_of_two_flags_the_later_stands(command: Command):
    options = ("--set", "churn.horizon_days=35", "--set", "churn.horizon_days=42")
    assert setting(command, "churn.horizon_days", *options)["value"] == 42


def test_each_source_keeps_what_the_others_do_not_say(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write(tmp_path, '[events.columns]\nuser_id = "who"\nevent_time = "at"')
    monkeypatch.setenv("CHURN_EVENTS__COLUMNS__USER_ID", "customer")
    found = setting(command, "events.columns", "--set", "events.columns.event_type='buy'")
    assert found["value"] == {"user_id": "customer", "event_time": "at", "event_type": "buy"}


def test_a_file_elsewhere_is_named_as_the_origin(command: Command, tmp_path: Path):
    config = write(tmp_path, "[churn]\ngap_days = 2", "shops/cds.toml")
    assert setting(command, "churn.gap_days", "--config", config)["origin"] == "cds.toml"


@pytest.mark.parametrize(
    ("pair", "name", "value"),
    [
        ("features.windows_days=[7, 28]", "features.windows_days", [7, 28]),
        ("training.test_cutoff=2026-04-21", "training.test_cutoff", "2026-04-21"),
        ("events.where=kind = 'a=b'", "events.where", "kind = 'a=b'"),
        ("export.at_least=high", "export.at_least", "high"),
        ('churn.qualifying="amount > 0"', "churn.qualifying", "amount > 0"),
        ("events.path=logs/2026*.csv", "events.path", "logs/2026*.csv"),
    ],
)
def test_a_flag_is_toml_and_plain_text_where_it_is_not(command: Command, pair: str, name: str, value: object):
    assert setting(command, name, "--set", pair)["value"] == value


@pytest.mark.parametrize("text", [":heart: :+1:", "[bold]x[/bold]", "ä ❤ 日本", "a\tb", "x" * 300])
def test_what_was_set_is_printed_as_it_was_set(command: Command, tmp_path: Path, text: str):
    write(tmp_path, f"[events]\nwhere = {json.dumps(text, ensure_ascii=False)}")
    assert setting(command, "events.where")["value"] == text


def test_the_table_shows_every_setting_to_people(command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "400")
    names = {row["name"] for row in json.loads(command("settings", "--json").out)}
    shown = command("settings").out
    assert len(names) > 30
    assert all(name in shown for name in names)


def test_a_table_in_a_file_is_wider_than_a_terminal_of_old(command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert max(map(len, command("settings").out.splitlines())) == 130


# --- What is wrong, where, and the way out -------------------------------------------------------------------------


def refused(command: Command, *options: str | Path) -> str:
    """What is said of settings that cannot be used."""
    ran = command("settings", *options)
    assert ran.code == 2, ran.err + ran.out
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert "\nHint: " in ran.err
    return ran.err


def test_an_unknown_key_is_an_error_with_its_place_and_a_suggestion(command: Command, tmp_path: Path):
    write(tmp_path, "[churn]\nhorizn_days = 5")
    said = refused(command)
    assert 'unknown setting "churn.horizn_days" (churn.toml)' in said
    assert 'did you mean "horizon_days"?' in said


def test_an_unknown_section_is_an_error_with_a_suggestion(command: Command, tmp_path: Path):
    write(tmp_path, "[chrn]\nhorizon_days = 5")
    assert 'did you mean "churn"?' in refused(command)


def test_a_word_that_resembles_nothing_gets_the_list(command: Command):
    assert "known are: advice, annotations, audit, bots, churn, compute, contacts, costs, drift" in refused(
        command, "--set", "xyz.a=1"
    )


def test_an_unknown_key_of_a_flag_is_said_to_come_from_there(command: Command):
    assert '"churn.horizn_days" (flag)' in refused(command, "--set", "churn.horizn_days=5")


def test_an_unknown_section_of_a_flag_is_said_to_come_from_there(command: Command, tmp_path: Path):
    write(tmp_path, "[churn]\nhorizon_days = 5")
    assert "(flag)" in refused(command, "--set", "chrn.horizon_days=5")


@pytest.mark.parametrize("name", ["CHURN_CHURN__HORIZN_DAYS", "CHURN_CHRN__HORIZON_DAYS", "CHURN_EVNTS__PATH"])
def test_a_misspelt_variable_is_an_error(command: Command, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv(name, "5")
    said = refused(command)
    assert "environment" in said
    assert "did you mean" in said


def test_variables_that_are_no_settings_are_left_alone(command: Command, monkeypatch: pytest.MonkeyPatch):
    for name in ("CHURN_HOME", "CHURN_DEBUG", "CHURN_SERVED"):
        monkeypatch.setenv(name, "1")
    assert command("settings").code == 0


def test_a_value_of_the_wrong_kind_is_said_with_its_origin(command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHURN_CHURN__HORIZON_DAYS", "soon")
    said = refused(command)
    assert "churn.horizon_days (environment)" in said
    assert "got 'soon'" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [("CHURN_FEATURES__WINDOWS_DAYS", "seven"), ("CHURN_CHURN", "seven"), ("CHURN_EVENTS__COLUMNS", "{")],
)
def test_a_variable_that_cannot_be_parsed_is_an_error_of_settings(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str
):
    monkeypatch.setenv(name, value)
    refused(command)


@pytest.mark.parametrize(
    "pair",
    [
        "churn.horizon_days=0",
        "churn.horizon_days=1.5",
        "churn.timezone=Berlin",
        "features.windows_days=[28, 7]",
        "features.windows_days=[]",
        "events.columns.usr_id=x",
        "events.max_rejected_share=2",
        "scoring.medium_percentile=95",
        "export.at_least=highest",
        "project.name=../../etc",
        "training.test_cutoff=tomorrow",
        "training.seed=-1",
        "model.learning_rate=0",
        "serving.port=0",
    ],
)
def test_a_value_out_of_bounds_is_an_error_that_names_setting_and_flag(command: Command, pair: str):
    section = pair.partition(".")[0]
    said = refused(command, "--set", pair)
    assert section in said
    assert "(flag)" in said


@pytest.mark.parametrize("pair", ["horizon_days=5", "churn.horizon_days", "=5", "churn", "", ".=1", "churn.=1"])
def test_a_flag_that_is_no_pair_is_an_error(command: Command, pair: str):
    refused(command, "--set", pair)


@pytest.mark.parametrize("pairs", [("events.path=a", "events.path.b=1"), ('lists=[{name="a"}]', "lists.capacity=3")])
def test_flags_that_contradict_each_other_are_an_error(command: Command, pairs: tuple[str, str]):
    for one, other in (pairs, pairs[::-1]):
        assert "contradict each other" in refused(command, "--set", one, "--set", other)


def test_a_section_that_is_a_value_is_an_error_also_beside_a_flag(command: Command, tmp_path: Path):
    write(tmp_path, "churn = 5")
    assert "churn" in refused(command)
    assert "churn" in refused(command, "--set", "churn.horizon_days=3")


@pytest.mark.parametrize("text", ["churn = [", "\0", "[churn]\n[churn]", "a = 2026-13-45"])
def test_a_file_that_is_no_toml_is_an_error_that_names_it(command: Command, tmp_path: Path, text: str):
    assert "churn.toml cannot be read" in refused(command, "--config", write(tmp_path, text))


def test_a_file_in_another_encoding_is_an_error_that_names_it(command: Command, tmp_path: Path):
    (tmp_path / "churn.toml").write_bytes("# Käufe".encode("latin-1"))
    assert "churn.toml cannot be read" in refused(command)


def test_a_missing_file_is_an_error_that_names_it(command: Command):
    assert "there is no file nowhere.toml" in refused(command, "--config", "nowhere.toml")


def test_a_folder_is_no_file(command: Command, tmp_path: Path):
    refused(command, "--config", tmp_path)


def test_without_a_file_the_defaults_do(command: Command):
    assert command("settings").code == 0


# --- Former names --------------------------------------------------------------------------------------------------


def test_a_former_name_is_read_and_the_new_one_is_hinted_at(command: Command, tmp_path: Path):
    (tmp_path / "churn.toml").write_text("[training]\ndrop_outages = false\n\n[stability]\nmost_number_auc = 0.9\n")
    ran = command("settings", "--json")
    values = {row["name"]: (row["value"], row["origin"]) for row in json.loads(ran.out)}
    assert values["outages.exclude"] == (False, "churn.toml")
    assert values["drift.max_number_auc"] == (0.9, "churn.toml")
    assert "churn.toml: training.drop_outages is now called outages.exclude" in ran.err
    assert "churn.toml: stability.most_number_auc is now called drift.max_number_auc" in ran.err


def test_a_former_name_works_in_the_environment_and_as_a_flag(command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHURN_HORIZON__RETURN_SHARE", "0.2")
    rows = json.loads(command("settings", "--set", "model.line_share=0.5", "--json").out)
    found = {row["name"]: (row["value"], row["origin"]) for row in rows if row["origin"] != "default"}
    assert found["advice.return_share"] == (0.2, "environment")
    assert found["model.logistic_weight"] == (0.5, "flag")


def test_a_setting_under_both_names_is_refused(command: Command, tmp_path: Path):
    (tmp_path / "churn.toml").write_text("[model]\nl2 = 1.0\nlambda_l2 = 2.0\n")
    ran = command("settings")
    assert ran.code == 2
    assert "churn.toml sets both model.l2 and model.lambda_l2" in ran.err


def test_every_former_name_leads_to_a_setting_that_exists(command: Command):
    names = {row["name"] for row in json.loads(command("settings", "--json").out)}
    assert len(_former_names()) >= 15
    assert set(_former_names().values()) <= names
    assert set(_former_names()).isdisjoint(names)


def test_a_custom_feature_with_the_name_of_another_feature_is_refused(command: Command, tmp_path: Path):
    write(
        tmp_path,
        '[[features.custom]]\nkind = "derived"\nname = "tenure_days"\nunit = "days"\n'
        'description = "Days."\nreason = "{value} days"\nsql = "1"',
    )
    assert (
        'setting features (churn.toml): custom: the name "tenure_days" of tenure_days is taken; choose another'
        in refused(command)
    )


def test_fewer_rows_at_once_than_are_sensible_are_raised_with_a_word(command: Command):
    ran = command("settings", "--set", "compute.rows_at_once=4000", "--json")
    (row,) = (row for row in json.loads(ran.out) if row["name"] == "compute.rows_at_once")
    assert row["value"] == 250_000
    assert "compute.rows_at_once is 4,000 and is raised to 250,000" in ran.err
    assert "raised" not in command("settings", "--set", "compute.rows_at_once=250000", "--json").err


# --- All of them ---------------------------------------------------------------------------------------------------

TOP = Path(__file__).parents[2]


def sections(kind: type[BaseModel] = Settings, path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting with its name, as section.key; one of a table list has the list's name in front."""
    for key, found in kind.model_fields.items():
        inner = TABLES.get(key, found.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from sections(inner, f"{path}{key}.")
        else:
            yield f"{path}{key}", found


EVERY = dict(sections())


def is_check(node: ast.AST) -> bool:
    """Tell whether a function only checks a setting."""
    return isinstance(node, ast.FunctionDef) and any("validator" in ast.unparse(one) for one in node.decorator_list)


def read_in(node: ast.AST) -> Iterator[str]:
    """The attributes that are read, other than to check a setting."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Load):
            yield child.attr
        if not is_check(child):
            yield from read_in(child)


def test_every_setting_is_read_somewhere():
    packages = [folder.parent for folder in TOP.glob("*/__init__.py")]
    files = [path for package in packages for path in package.rglob("*.py")]
    read = {name for path in files for name in read_in(ast.parse(path.read_text()))}
    assert len(EVERY) > 200
    unread = [name for name in EVERY if name.rpartition(".")[2] not in read]
    assert not unread, f"nothing reads settings.<section>.<name>, so that it does not act: {unread}"


def is_number(annotation: Any) -> bool:
    """Tell whether a setting is one number, perhaps absent; a list of them is checked as a whole."""
    return not {int, float}.isdisjoint(
        {annotation, *(get_args(annotation) if get_origin(annotation) is not tuple else ())}
    )


@pytest.mark.parametrize("name", EVERY)
def test_a_setting_has_words_a_known_unit_and_a_lowest_number_where_it_counts(name: str):
    found = EVERY[name]
    assert (found.description or "").endswith("."), f"{name}: its help is a sentence"
    extra = found.json_schema_extra
    assert isinstance(extra, dict), f"{name}: it is made by setting(...)"
    assert extra["unit"] in get_args(SettingUnit), f"{name}: a new unit goes into SettingUnit of features/settings.py"
    if extra["unit"] and is_number(found.annotation):
        has_lowest = any(hasattr(one, "ge") or hasattr(one, "gt") for one in found.metadata)
        assert has_lowest, f"{name}: a number of {extra['unit']} without ge or gt"
