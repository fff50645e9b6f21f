import pytest

from features.catalogue.catalogue import catalogue
from features.catalogue.fitted import FittedConstants
from serving.weekly.actions import DEFAULT_ACTION, DEFAULT_ACTIONS, action_of

OWN = {"recency.high": "call", "recency": "write", "trend": "ask"}


@pytest.mark.parametrize(
    ("code", "band", "action"),
    [
        ("recency", "high", "call"),
        ("recency", "medium", "write"),
        ("trend", "low", "ask"),
        ("purchases", "high", "offer something like their last purchase"),
        ("a custom family", "high", "get in touch"),
        (None, "high", "get in touch"),
        (None, None, "get in touch"),
    ],
)
def test_an_action_is_that_of_reason_and_band_else_of_the_reason_else_the_default(
    code: str | None, band: str | None, action: str
):
    assert action_of(code, band, actions=OWN) == action


def test_a_default_for_one_band_leaves_the_others_as_they_are():
    assert action_of("recency", "low", actions={"recency.high": "call"}) == DEFAULT_ACTIONS["recency"]


def test_every_family_of_the_catalogue_has_an_action_of_its_own():
    families = {feature.family for feature in catalogue((7, 28), FittedConstants(("view",)))}
    assert families <= {*DEFAULT_ACTIONS, "custom"}
    assert DEFAULT_ACTION not in DEFAULT_ACTIONS.values()
