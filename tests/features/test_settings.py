"""The settings of this package: what is refused, and in which words."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from features.schema import COLUMNS
from features.settings import ChurnSettings, ComputeSettings, EventsSettings, FeatureSettings, ProjectSettings, Section

SECTIONS: list[type[Section]] = [ProjectSettings, EventsSettings, ChurnSettings, FeatureSettings]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_works_without_a_word(section: type[Section]):
    assert section() == section()


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_has_words_and_a_unit(section: type[Section]):
    for name, field in section.model_fields.items():
        assert field.description
        assert field.description.endswith(".")
        assert isinstance(field.json_schema_extra, dict)
        if name.endswith(("_days", "_minutes")):
            assert field.json_schema_extra["unit"] == name.rpartition("_")[2]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_frozen(section: type[Section]):
    with pytest.raises(ValidationError, match="frozen"):
        setattr(section(), next(iter(section.model_fields)), "x")


@pytest.mark.parametrize("section", SECTIONS)
def test_an_unknown_key_is_an_error(section: type[Section]):
    with pytest.raises(ValidationError, match="horizn_days"):
        section.model_validate({"horizn_days": 7})


@pytest.mark.parametrize(
    ("section", "options"),
    [
        (ChurnSettings, {"horizon_days": 0}),
        (ChurnSettings, {"horizon_days": 731}),
        (ChurnSettings, {"horizon_days": 7.5}),
        (ChurnSettings, {"gap_days": -1}),
        (ChurnSettings, {"active_within_days": -1}),
        (EventsSettings, {"max_rejected_share": 1.1}),
        (EventsSettings, {"max_rejected_share": float("nan")}),
        (EventsSettings, {"covered_until": "soon"}),
        (FeatureSettings, {"observation_days": 0}),
        (FeatureSettings, {"observation_days": 100_000_000}),
        (ComputeSettings, {"threads": 100_000}),
        (ComputeSettings, {"memory_limit_gb": 1e300}),
        (FeatureSettings, {"session_gap_minutes": 0}),
        (FeatureSettings, {"main_event_types": -1}),
        (ProjectSettings, {"name": "../churn"}),
        (ProjectSettings, {"name": ""}),
        (ProjectSettings, {"name": "x" * 61}),
    ],
)
def test_a_value_out_of_bounds_is_refused(section: type[Section], options: dict[str, Any]):
    with pytest.raises(ValidationError, match=next(iter(options))):
        section(**options)


@pytest.mark.parametrize("windows", [(), (7, 3), (7, 7), (0, 7), (-1,), (1.5,)])
def test_windows_are_rising_whole_days(windows: tuple[Any, ...]):
    with pytest.raises(ValidationError, match="windows_days"):
        FeatureSettings(windows_days=windows)


def test_windows_may_be_a_list_as_toml_has_them():
    assert FeatureSettings.model_validate({"windows_days": [7, 28]}).windows_days == (7, 28)


@pytest.mark.parametrize("zone", ["Europe/Belrin", "", "../zone", "CEST+2", "Europe"])
@pytest.mark.parametrize("section", [ChurnSettings, EventsSettings])
def test_an_unknown_time_zone_is_refused_with_an_example(section: type[Section], zone: str):
    with pytest.raises(ValidationError, match=r'use a name such as "Europe/Berlin"'):
        section.model_validate({"timezone": zone})


def test_a_column_that_is_not_in_the_contract_is_refused_with_the_likeliest_one():
    with pytest.raises(ValidationError, match=r'"usr_id" is not in the event contract; did you mean "user_id"'):
        EventsSettings(columns={"usr_id": "CustomerID"})


def test_required_columns_are_expected_under_their_own_names():
    assert EventsSettings().mapping() == {"user_id": "user_id", "event_time": "event_time", "event_type": "event_type"}


def test_a_mapping_follows_the_contract_whatever_the_order_of_the_file():
    mapping = EventsSettings(columns={"amount": "price", "user_id": "id"}).mapping()
    assert mapping == {"user_id": "id", "event_time": "event_time", "event_type": "event_type", "amount": "price"}
    assert list(mapping) == [name for name in COLUMNS if name in mapping]


def test_a_date_may_be_text():
    assert EventsSettings.model_validate({"covered_until": "2026-01-05"}).covered_until == date(2026, 1, 5)


def test_a_label_is_known_after_gap_and_horizon():
    assert ChurnSettings(gap_days=3, horizon_days=14).purge_days == 17
