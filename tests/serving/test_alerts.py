"""Alert rules: of metrics that there are, each with a paragraph of the runbook."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from serving.http.prometheus import Metrics, RequestMetrics
from serving.settings import ServingSettings

TOP = Path(__file__).parents[2]
RULES: list[dict[str, Any]] = yaml.safe_load((TOP / "examples/serving/alerts.yml").read_text())["groups"][0]["rules"]
RUNBOOK = (TOP / "docs/guides/runbook.md").read_text()
EACH = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


def names() -> set[str]:
    """Every sample that a service may show, with the labels that it may have."""
    collectors = [*vars(Metrics()).values(), *vars(RequestMetrics("/v1/score")).values()]
    found = {"up"}
    for one in collectors:
        if isinstance(one, MetricWrapperBase):
            (family,) = one.describe()
            endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
            found |= {family.name + ending for ending in endings}
    return found


@EACH
def test_a_rule_asks_for_metrics_that_there_are(rule: dict[str, Any]):
    asked = set(re.findall(r"\b(?:churn|bentoml)_[a-z_]+|\bup\b", rule["expr"]))
    assert asked
    assert asked <= names()


@EACH
def test_a_rule_has_a_paragraph_of_the_runbook_and_says_how_urgent_it_is(rule: dict[str, Any]):
    assert rule["annotations"]["runbook"] == f"docs/guides/runbook.md#{rule['alert'].lower()}"
    paragraph = RUNBOOK.partition(f"## {rule['alert']}\n\n")[2].partition("\n## ")[0]
    assert len(paragraph.split()) > 30
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]


def test_every_paragraph_is_of_a_rule():
    assert re.findall(r"^## (\w+)$", RUNBOOK, flags=re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_the_age_that_is_alerted_is_that_of_the_settings():
    (rule,) = [rule for rule in RULES if rule["alert"] == "ChurnProfilesOld"]
    assert f"> {ServingSettings().degraded_after_days:g} * 86400" in rule["expr"]
