"""The three real logs that `examples/` maps, with defaults: not below the best rule, and not too good to be true.

The logs are not part of this repository. REAL_LOGS names the folder that holds them.
"""

import os
from pathlib import Path

import pytest

from churn.project import Project
from training.pipeline import train

TOP = Path(__file__).parents[2]
LOGS = Path(os.environ.get("REAL_LOGS", "nowhere"))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "better_rule"), [("kuaishou", 0.801), ("cdnow", 0.712), ("ecom", None)])
def test_the_model_beats_the_better_rule_on_a_real_log(name: str, better_rule: float | None, tmp_path: Path):
    log = LOGS / f"{name}.parquet"
    if not log.exists():
        pytest.skip(f"REAL_LOGS names no folder with {log.name}")
    project = Project(TOP / "examples" / f"{name}.toml", home=tmp_path, events=log)
    found = train(project.activity(), project.recipe, say=lambda _: None).evaluation
    rules = {name: one.auc.value for name, one in found.baselines.items() if one.is_rule}
    if better_rule is not None:
        assert max(rules.values()) == pytest.approx(better_rule, abs=0.001)
    assert max(rules.values()) <= found.auc.value < 0.90
    assert found.auc.low < found.auc.value < found.auc.high
