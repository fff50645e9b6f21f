from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from features.errors import InputError
from serving.batch.new_users import NewUsersModel
from serving.batch.score import reasons, score_table
from serving.release.bundle import FILE, ServingBundle, new_users_of, read_bundle, write_bundle
from serving.settings import ScoringSettings, ServingSettings
from tests.models.model_builder import tiny_model


def test_a_bundle_reads_back_as_it_was_written(bundle: ServingBundle, tmp_path: Path):
    found = read_bundle(tmp_path / "served")
    assert (found.name, found.version, found.alias) == ("shop", "7", "champion")
    assert (found.scoring, found.serving) == (bundle.scoring, bundle.serving)
    assert found.store == tmp_path / "store"
    assert found.model.specification == bundle.model.specification


def test_the_model_scores_as_before_on_one_thread(bundle: ServingBundle, profiles: pa.Table, tmp_path: Path):
    found = read_bundle(tmp_path / "served")
    assert found.model.threads == 1
    again = score_table(found.model, profiles, bands=found.scoring)
    assert again.equals(score_table(bundle.model, profiles, bands=bundle.scoring))
    assert reasons(found.model, profiles).equals(reasons(bundle.model, profiles))


def test_folder_and_store_move_together(bundle: ServingBundle, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "served").rename(tmp_path / "elsewhere/served")
    assert read_bundle(tmp_path / "elsewhere/served").store == tmp_path / "elsewhere/store"


def test_the_same_model_gives_the_same_bytes(bundle: ServingBundle, tmp_path: Path):
    write_bundle(tmp_path / "again", bundle)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.*")} for name in ("served", "again")
    )
    assert first == second


def test_a_model_of_new_users_comes_with_it_and_without_one_nothing_tells_of_it(
    bundle: ServingBundle, profiles: pa.Table, tmp_path: Path
):
    assert new_users_of(tmp_path / "served") is read_bundle(tmp_path / "served").new_users is None
    assert b"new_users" not in (tmp_path / "served" / FILE).read_bytes()
    new = NewUsersModel("shop-new", "3", replace(tiny_model(), shift=0.25))
    write_bundle(tmp_path / "both", replace(bundle, new_users=new))
    found = new_users_of(tmp_path / "both")
    assert found is not None
    assert (found.scored_by, found.model.shift, found.model.threads) == ("shop-new/3", 0.25, 1)
    same = found.model.predict_probability(profiles) == new.model.predict_probability(profiles)
    assert same.all()


def test_the_former_bundle_is_replaced(bundle: ServingBundle, tmp_path: Path):
    newer = ServingBundle(
        tiny_model(), "shop", "8", "champion", tmp_path / "store", ScoringSettings(), ServingSettings()
    )
    write_bundle(tmp_path / "served", newer)
    assert read_bundle(tmp_path / "served").version == "8"


@pytest.mark.parametrize("damage", ["nothing", "not json", "no name", "bad setting", "no model"])
def test_an_incomplete_folder_is_an_error_with_a_hint(bundle: ServingBundle, tmp_path: Path, damage: str):
    folder = tmp_path / "served"
    about = msgspec.json.decode((folder / FILE).read_bytes())
    match damage:
        case "nothing":
            folder = tmp_path / "nowhere"
        case "not json":
            (folder / FILE).write_text("{")
        case "no name":
            (folder / FILE).write_bytes(msgspec.json.encode({key: about[key] for key in about if key != "name"}))
        case "bad setting":
            (folder / FILE).write_bytes(msgspec.json.encode(about | {"serving": {"workers": 0}}))
        case _:
            (folder / "model/booster.txt").unlink()
    with pytest.raises(InputError) as caught:
        read_bundle(folder)
    assert caught.value.hint
