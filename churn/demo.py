"""``make demo``: end to end on a small world made on the spot."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from churn.cli import console
from churn.cli.verb import next_command
from churn.project import Project
from churn.results import Export, Training
from features.snapshots import latest_monday
from features.storage.versions import CURRENT
from seeds.simulate import World, simulate
from serving.weekly.arms import ArmsFolder

PLACE = Path("demo")


def main() -> None:
    """Simulate, train, promote, export; then say what came out."""
    shutil.rmtree(PLACE, ignore_errors=True)
    with console.steps("demo", 16) as say:
        say("making a small world of 6,000 app users over 180 days")
        simulate(World(users=6000), PLACE)
        project = Project(PLACE / "churn.toml", home=PLACE / "home")
        ArmsFolder(project.home.arms(project.name)).install(bytes(32))  # so that every demo holds out the same users
        training = project.train(say=say)
        promotion = project.promote(say=say)
        promotion.check()
        export = project.export(latest_monday(promotion.covered_until), say=say)
    _show(training, export)
    _point(project, export)


def _show(training: Training, export: Export) -> None:
    test = training.to_json()["test"]
    rows = {
        "users scored": export.scored,
        "on the weekly list": export.treated,
        "held out on purpose": export.held_out,
        "AUC of the model": f"{test['auc']:.3f} ({test['auc_low']:.3f} to {test['auc_high']:.3f})",
        "AUC of the recency rule": f"{training.baselines['recency']:.3f}",
        "AUC of the frequency rule": f"{training.baselines['frequency']:.3f}",
        "calibration error": f"{training.calibration_error:.3f}",
    }
    console.print_report(f"Tested on cutoff {training.test_cutoff}, scored at {export.cutoff}", rows)
    first = export.to_arrow().slice(0, 5).to_pylist()
    console.print_table("The five users most at risk", [_row(one) for one in first])


def _row(one: dict[str, Any]) -> dict[str, object]:
    reasons = "\n".join(one[name] for name in ("reason_1", "reason_2", "reason_3") if one[name])
    return {"user": one["user_id"], "churn probability": one["churn_probability"], "why": reasons}


def _point(project: Project, export: Export) -> None:
    score = next_command(project, "score", "--as-of", str(export.cutoff))
    console.print_report(
        "Where things are",
        {
            "weekly list": f"{export.lists[0].path.with_name(CURRENT)}/at_risk.csv",
            "MLflow": f".venv/bin/mlflow ui --backend-store-uri sqlite:///{project.home.mlflow}",
            "next, to serve": f".venv/bin/{score}",
        },
    )


if __name__ == "__main__":
    main()
