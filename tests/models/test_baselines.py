"""The rules that every model must beat: higher means riskier."""

import pyarrow as pa
import pytest

from models.baselines import RULES, rule_scores

PROFILES = pa.table({"days_since_last_event": [0.5, 9.0, 3.0], "active_days": [40.0, 2.0, 2.0]})


def test_the_recency_rule_says_the_longer_away_the_riskier():
    assert rule_scores(PROFILES, "recency").tolist() == [0.5, 9.0, 3.0]


def test_the_frequency_rule_says_the_fewer_active_days_the_riskier():
    assert rule_scores(PROFILES, "frequency").tolist() == [-40.0, -2.0, -2.0]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_says_in_words_what_it_is(rule: str):
    assert "riskier" in RULES[rule][2]
