"""The exports that `examples/formats/` maps: each is read by its own churn.toml, and gives what is computed by hand from its rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import churn
from features.profiles.build import build_profiles
from tests.builders import World

FORMATS = Path(__file__).parents[3] / "examples/formats"
PAGE = FORMATS.parents[1] / "docs/guides/export-formats.md"
NAMES = sorted(path.name for path in FORMATS.iterdir())


@dataclass(frozen=True)
class Expected:
    """What an example holds.

    Attributes
    ----------
    rows
        Valid rows.
    cutoff
        The day after the last event.
    profiles
        User to the values of the features.
    rejected
        Reason to number of rows that are set aside.
    """

    rows: int
    cutoff: str
    features: tuple[str, ...]
    profiles: dict[str, tuple[Any, ...]]
    rejected: dict[str, int] = field(default_factory=dict[str, int])


EXPECTED = {
    "amplitude": Expected(
        11,
        "2025-03-05",
        ("events_7d", "sessions_7d", "usage_minutes_7d", "amount", "last_app_version", "last_network", "last_channel"),
        {
            "712345678901": (4, 1, 26, 9.99, "4.10.0", "Vodafone", "newsletter"),  # a fifth row arrives on the 6th
            "712345678902": (2, 1, 5, 0, "4.9.2", "Orange", None),  # EMPTY is no channel
            "712345678903": (4, 2, 20.5, 0, None, None, "google"),  # one row is from a server, outside sessions
        },
    ),
    "ga4": Expected(
        13,
        "2025-03-06",
        (
            "events_7d",
            "sessions_7d",
            "usage_minutes_7d",
            "amount",
            "refunded_amount",
            "last_channel",
            "last_device_model",
        ),
        {
            "1410729312.1740990010": (5, 2, 2.125, 0, 0, "google / cpc", "mobile"),  # 39.5 and 88 seconds
            "C-0042": (5, 3, 1.725, 59.9, 19.9, "(direct) / (none)", "desktop"),  # a refund without a session is one
            "0930012345.1741071600": (3, 1, 0.2, 0, 0, "newsletter / email", "tablet"),
        },
    ),
    "kkbox": Expected(
        21,
        "2017-04-01",
        ("events_28d", "active_days_28d", "usage_minutes_28d", "events_90d"),
        {
            "+BWPoZR2JTSyDXdRiHMQQlNm76NoxqPQGQr+QUKEk3k=": (54, 4, 183.35, 54),  # 24 + 10 + 10 + 10 songs
            "/dKy1GWLPA8uwwDij5Qfxiq8LkPx3rGuaUbem4M0e54=": (32, 8, 400 / 3, 32),
            "0vTrd/+xGwHpP8/1k7Ze1gNG8W/q5ZwXsL6gech7gv8=": (30, 6, 60, 30),
            "9T8vubmRgOoCsfNFtshi5r3eFuO4KmiGvgI00JoOFkU=": (100, 1, 400, 101),  # one song on 1 March
            "AwqeB4WTm+iBEtZAcPQDbVPIzTjCxXdsGvxUv+0IMH8=": (2, 1, 25 / 3, 2),
        },
        {"duration_seconds is negative": 1},
    ),
    "matomo": Expected(
        10,
        "2025-03-08",
        ("events_7d", "active_days_7d", "sessions_7d", "usage_minutes_7d", "acquisition_channel", "device_models"),
        {
            "member-3": (20, 3, 3, 22, "search", 2),  # from two browsers
            "0012345678901234": (5, 3, 3, 65 / 60, "direct", 1),
            "1234567890123456": (1, 1, 1, 0, "search", 1),
            "4e10203040506070": (11, 3, 3, 11.5, "campaign", 1),
        },
    ),
    "mixpanel": Expected(
        12,
        "2025-03-06",
        ("events_7d", "sessions_7d", "usage_minutes_7d", "amount", "last_network", "last_app_version", "last_channel"),
        {
            "7F9A51C0-22B1-4E0E-9C55-0A1B2C3D4E5F": (5, 2, 540.5 / 60, 12.5, "wifi", "4.10", "podcast"),
            "$device:19567c1ab2f3d": (2, 1, 0, 0, None, None, "$direct"),
            "1002": (5, 3, 20, 4.99, "Orange", "4.1", "www.google.com"),
        },
    ),
    "segment": Expected(
        10,  # of twelve calls: one is of a page, one identifies a user
        "2025-03-06",
        ("events_7d", "amount", "last_app_version", "last_network", "acquisition_channel"),
        {
            "usr_17": (
                4,
                39.95,
                "3.10",
                "cellular",
                "newsletter",
            ),  # the first event and the channel are of the anonymous id
            "usr_18": (3, 27, None, None, None),  # 12.00 is a text; a fourth row arrives on the 7th
            "9c1185a5-c5e9-4fc6-a808-012a9e0d8a31": (2, 0, None, None, None),
        },
    ),
    "shopify": Expected(
        6,  # of ten line items
        "2025-03-13",
        ("purchases", "amount", "active_days", "last_channel"),
        {
            "ana@example.com": (3, 102.75, 3, "web"),  # 54.50, 15.00 and 33.25
            "bo@example.com": (1, 20, 2, "web"),  # a free order is no purchase
            "+15550100": (1, 120, 1, "web"),  # an order without an address
        },
    ),
    "snowplow": Expected(
        12,
        "2025-03-06",
        ("events_7d", "sessions_7d", "usage_minutes_7d", "amount", "last_device_os", "last_channel"),
        {
            "cust-7": (6, 1, 0.5, 48.5, "Mac OS X", "newsletter"),
            "0e12345678901234": (3, 2, 10 / 60, 0, "Android", "direct"),  # a fourth row arrives on the 6th
            "5f1d0c2e9a7b4431": (2, 1, 10 / 60, 0, "Windows", "Google"),
        },
    ),
    "stripe": Expected(
        10,
        "2025-03-21",
        ("events_90d", "purchases", "amount"),
        {
            "cus_Na1": (4, 3, 57),  # one payment failed
            "cus_Nb2": (1, 1, 249),
            "cus_Nc3": (3, 3, 157.71),  # in dollars: 53.41, 51.20 and 53.10
            "zoe@example.com": (2, 2, 15),
        },
    ),
    "taobao": Expected(
        20,
        "2017-12-04",
        ("events_28d", "active_days_28d", "sessions_28d", "events_7d"),
        {
            "7": (6, 1, 2, 6),
            "1000251": (8, 3, 3, 3),  # from half a minute past midnight in China
            "1000252": (6, 4, 4, 6),  # once across midnight
        },
        {"event_time is before [events] covered_from": 1},
    ),
}


def project_of(name: str, home: Path, **events: Any) -> churn.Project:
    given = {f"events.{key}": value for key, value in events.items()}
    return churn.Project(FORMATS / name / "churn.toml", home=home, settings=given)


def profiles_of(project: churn.Project, cutoff: str, features: tuple[str, ...]) -> dict[str, tuple[Any, ...]]:
    """User to the values of some features, as the project reads its log."""
    activity = project.activity()
    world = World(project.reader.activity_settings(), project.home.root)
    specification = world.specification(only=features, activity=activity)
    found = build_profiles(activity, specification, cutoffs=[date.fromisoformat(cutoff)]).to_pylist()
    return {one["user_id"]: tuple(one[name] for name in features) for one in found}


# Much of what they map is mapped by others too, and their SQL takes seconds to plan.
LONG = {"amplitude", "mixpanel"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in NAMES]
)
def test_an_export_is_read_as_its_example_maps_it(tmp_path: Path, name: str):
    assert name in EXPECTED, f"examples/formats/{name} needs the values that its rows give, in EXPECTED"
    expected, project = EXPECTED[name], project_of(name, tmp_path)
    log = project.log().to_json()
    assert (log["rows"], log["rejected"], log["covered_until"]) == (expected.rows, expected.rejected, expected.cutoff)
    profiles = profiles_of(project, expected.cutoff, expected.features)
    assert profiles.keys() == expected.profiles.keys()
    for user, values in expected.profiles.items():
        assert profiles[user] == pytest.approx(values), user


@pytest.mark.parametrize(
    ("name", "user", "events"),
    [
        pytest.param(
            "amplitude",
            "712345678901",
            {"2025-03-05": 4, "2025-03-06": 4, "2025-03-07": 5},
            marks=pytest.mark.slow,
        ),
        pytest.param("segment", "usr_18", {"2025-03-06": 3, "2025-03-07": 3, "2025-03-08": 4}, marks=pytest.mark.slow),
        ("snowplow", "0e12345678901234", {"2025-03-06": 3, "2025-03-07": 4}),
    ],
)
def test_what_an_export_received_late_counts_from_then_on(tmp_path: Path, name: str, user: str, events: dict[str, int]):
    project = project_of(name, tmp_path, covered_until="2025-03-08")
    found = {cutoff: profiles_of(project, cutoff, ("events_7d",))[user] for cutoff in events}
    assert found == {cutoff: (count,) for cutoff, count in events.items()}


def test_every_expected_export_is_there():
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_small_and_named_in_the_guide(name: str):
    assert f"`examples/formats/{name}/`" in PAGE.read_text()
    files = [path for path in (FORMATS / name).iterdir() if path.name != "churn.toml"]
    assert 0 < sum(path.stat().st_size for path in files) < 30_000
    assert (FORMATS / name / "churn.toml").read_text().startswith("# ")


def test_the_names_of_snowplow_are_those_of_its_format():
    names = project_of("snowplow", Path()).settings.events.format.names
    assert (len(names), len(set(names)), names[0], names[-1]) == (131, 131, "app_id", "true_tstamp")
