"""What is saved is what was fitted: the same bits after a reload, the same bytes when saved twice."""

from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from features.errors import InputError
from models.churn_model import FORMAT_VERSION, Reference, load
from models.definition import ChurnDefinition
from models.encoding import encode
from models.scorers.calibration import Platt
from tests.models.model_builder import profiles_of, tiny_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tiny_model().save(folder)
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def tampered(saved: Path, folder: Path, **changes: Any) -> Path:
    """A copy of a saved model with other JSON; None takes a key away."""
    folder.mkdir()
    for name, content in bytes_of(saved).items():
        (folder / name).write_bytes(content)
    (rest,) = folder.glob("*.json")
    values = {
        key: value for key, value in (msgspec.json.decode(rest.read_bytes()) | changes).items() if value is not None
    }
    rest.write_bytes(msgspec.json.encode(values))
    return folder


# --- Saved and loaded ----------------------------------------------------------------------------------------------


def test_a_reloaded_model_gives_the_same_bits(saved: Path):
    profiles = profiles_of(300, seed=5)
    found = load(saved).predict_probability(profiles)
    assert found.tobytes() == tiny_model().predict_probability(profiles).tobytes()
    assert ((found > 0) & (found < 1)).all()


def test_a_reloaded_model_is_the_same_in_everything_that_was_frozen(saved: Path):
    found, made = load(saved), tiny_model()
    for part in ("specification", "calibration", "definition", "reference", "quality"):
        assert getattr(found, part) == getattr(made, part)
    assert found.frozen_churn == made.frozen_churn


def test_a_limit_of_tenure_is_saved_and_a_model_without_one_is_written_as_before(saved: Path, tmp_path: Path):
    model = tiny_model()
    new = replace(model, definition=replace(model.definition, min_tenure_days=1, max_tenure_days=7))
    new.save(tmp_path / "new")
    assert load(tmp_path / "new").eligibility == new.eligibility != model.eligibility
    assert b"max_tenure_days" not in b"".join(bytes_of(saved).values())


def test_saving_twice_gives_the_same_bytes(saved: Path, tmp_path: Path):
    tiny_model().save(tmp_path / "again")
    load(saved).save(tmp_path / "reloaded")
    assert bytes_of(saved) == bytes_of(tmp_path / "again") == bytes_of(tmp_path / "reloaded")


def test_a_saved_model_is_text_that_anybody_can_read(saved: Path):
    files = bytes_of(saved)
    assert {Path(name).suffix for name in files} == {".txt", ".json"}
    assert all(content.decode() for content in files.values())
    (rest,) = saved.glob("*.json")
    assert msgspec.json.decode(rest.read_bytes())["format_version"] == FORMAT_VERSION


def test_threads_belong_to_the_process_and_not_to_the_model(saved: Path, tmp_path: Path):
    replace(tiny_model(), threads=3).save(tmp_path / "threaded")
    assert bytes_of(tmp_path / "threaded") == bytes_of(saved)
    assert load(saved, threads=2).threads == 2


# --- What cannot be loaded -----------------------------------------------------------------------------------------


def test_another_format_version_is_refused_with_both_numbers(saved: Path, tmp_path: Path):
    with pytest.raises(InputError, match=f"format {FORMAT_VERSION + 1}, expected 3 or {FORMAT_VERSION}"):
        load(tampered(saved, tmp_path / "new", format_version=FORMAT_VERSION + 1))


def test_a_format_that_is_to_come_may_hold_anything(saved: Path, tmp_path: Path):
    folder = tampered(saved, tmp_path / "new", format_version=FORMAT_VERSION + 1, calibration=None)
    (folder / "booster.txt").unlink()
    with pytest.raises(InputError, match=f"format {FORMAT_VERSION + 1}"):
        load(folder)


@pytest.mark.parametrize(
    "key", ["format_version", "specification", "calibration", "definition", "reference", "quality"]
)
def test_a_model_that_lacks_a_part_is_an_input_error(saved: Path, tmp_path: Path, key: str):
    with pytest.raises(InputError):
        load(tampered(saved, tmp_path / "lacking", **{key: None}))


def test_a_part_of_the_wrong_kind_is_an_input_error(saved: Path, tmp_path: Path):
    with pytest.raises(InputError):
        load(tampered(saved, tmp_path / "odd", calibration={"slope": "steep", "intercept": 0}))


@pytest.mark.parametrize("content", ["", "{", "[]", "3"])
def test_a_folder_with_other_json_is_an_input_error(saved: Path, tmp_path: Path, content: str):
    folder = tampered(saved, tmp_path / "other")
    next(folder.glob("*.json")).write_text(content)
    with pytest.raises(InputError):
        load(folder)


def test_an_empty_folder_holds_no_model(tmp_path: Path):
    with pytest.raises(InputError, match="no readable churn model"):
        load(tmp_path)


def test_an_unreadable_booster_is_an_input_error(saved: Path, tmp_path: Path):
    folder = tampered(saved, tmp_path / "other")
    (folder / "booster.txt").write_text("trees? none")
    with pytest.raises(InputError, match=r"booster.txt is damaged"):
        load(folder)


# --- Scores --------------------------------------------------------------------------------------------------------


def test_no_probability_depends_on_who_else_is_scored():
    profiles = profiles_of(50, seed=9)
    together = tiny_model().predict_probability(profiles)
    alone = [tiny_model().predict_probability(profiles.slice(place, 1))[0] for place in range(50)]
    assert together.tolist() == alone


def test_all_values_that_training_never_saw_score_alike():
    profile = profiles_of(1, seed=2)
    place = profile.column_names.index("acquisition_channel")
    scores = {
        tiny_model().predict_probability(profile.set_column(place, "acquisition_channel", pa.array([channel])))[0]
        for channel in ("telegram", "", "🦊", "Organic")
    }
    assert len(scores) == 1


def test_contributions_add_up_to_the_log_odds_of_the_probability():
    profiles = profiles_of(60, seed=4)
    model = tiny_model()
    found = model.contributions(encode(profiles, model.specification))
    probability = model.predict_probability(profiles)
    base = np.log(probability / (1 - probability)) - found.sum(axis=1)
    assert base == pytest.approx(np.full(60, base[0]), abs=1e-8)


def test_contributions_follow_the_slope_of_the_calibration():
    profiles, model = profiles_of(5, seed=4), tiny_model()
    assert isinstance(model.calibration, Platt)
    steeper = replace(model, calibration=structs.replace(model.calibration, slope=2 * model.calibration.slope))
    matrix = encode(profiles, model.specification)
    assert steeper.contributions(matrix) == pytest.approx(2 * model.contributions(matrix))


# --- Percentile ----------------------------------------------------------------------------------------------------

REFERENCE = Reference(raw_scores=(-2.0, -1.0, 0.0, 3.0), medians={})


def test_a_percentile_is_the_share_of_the_reference_that_scores_at_most_as_high():
    found = REFERENCE.percentile(np.array([-9.0, -2.0, -1.5, 0.0, 2.999, 3.0, 50.0]))
    assert found.tolist() == [0, 25, 25, 75, 75, 100, 100]


def test_the_riskiest_of_the_reference_is_at_100():
    model, profiles = tiny_model(), profiles_of(800)  # the profiles it was made of
    found = model.reference.percentile(model.raw(encode(profiles, model.specification)))
    assert found.max() == 100
    assert found.min() == pytest.approx(100 / 800)
    assert np.median(found) == pytest.approx(50, abs=1)


@given(raw=st.lists(st.floats(-5, 5), min_size=2, max_size=20))
def test_a_percentile_never_falls_when_the_score_rises_and_knows_no_batch_mates(raw: list[float]):
    rising = np.sort(np.array(raw))
    found = REFERENCE.percentile(rising)
    assert (np.diff(found) >= 0).all()
    assert found.tolist() == [REFERENCE.percentile(rising[[place]])[0] for place in range(len(rising))]


# --- Frozen --------------------------------------------------------------------------------------------------------


def test_what_is_frozen_is_the_whole_churn_section():
    from features.settings import ChurnSettings

    assert set(tiny_model().frozen_churn) == set(ChurnSettings.model_fields)


def test_the_definition_decides_who_is_eligible():
    definition = ChurnDefinition(horizon_days=14, gap_days=0, active_within_days=7, min_tenure_days=3)
    rule = replace(tiny_model(), definition=definition).eligibility
    assert rule.mask(np.array([7.0, 8.0, 1.0]), np.array([3.0, 9.0, 2.0])).tolist() == [True, False, False]


def test_dates_of_the_quality_survive_as_dates(saved: Path):
    assert all(isinstance(load(saved).quality.__dict__[name], date) for name in ("test_cutoff", "trained_through"))
    assert asdict(load(saved).quality) == asdict(tiny_model().quality)
