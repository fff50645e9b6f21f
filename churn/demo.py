"""``make demo``: end to end on a small world made on the spot."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

from churn.cli import console
from churn.cli.verb import next_command
from churn.project import Project
from churn.results import Export, Training
from features.storage.versions import CURRENT
from seeds.simulate import World, simulate
from serving.score import Score

PLACE = Path("demo")


def main() -> None:
    """Simulate, train, promote, export; then say what came out."""
    shutil.rmtree(PLACE, ignore_errors=True)
    with console.steps("demo", 16) as say:
        say("making a small world of 6,000 app users over 180 days")
        simulate(World(users=6000), PLACE)
        project = Project(PLACE / "churn.toml", home=PLACE / "home")
        training = project.train(say=say)
        promotion = project.promote(say=say)
        promotion.check()
        export = project.export(_monday(promotion.covered_until), say=say)
    _show(training, export)
    _point(project, export)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _show(training: Training, export: Export) -> None:
    test = training.to_json()["test"]
    rows = {
        "users scored": export.scored,
        "on the weekly list": len(export.listed),
        "AUC of the model": f"{test['auc']:.3f} ({test['auc_low']:.3f} to {test['auc_high']:.3f})",
        "AUC of the recency rule": f"{training.baselines['recency']:.3f}",
        "AUC of the frequency rule": f"{training.baselines['frequency']:.3f}",
        "calibration error": f"{training.calibration_error:.3f}",
    }
    console.print_report(f"Tested on cutoff {training.test_cutoff}, scored at {export.cutoff}", rows)
    console.print_table("The five users most at risk", [_row(one) for one in export.listed[:5]])


def _row(one: Score) -> dict[str, object]:
    reasons = "\n".join(f"{'+' if reason.contribution > 0 else '-'} {reason.text}" for reason in one.reasons)
    return {"user": one.user_id, "churn probability": one.churn_probability, "why (+ raises, - lowers)": reasons}


def _point(project: Project, export: Export) -> None:
    score = next_command(project, "score", "--as-of", str(export.cutoff))
    console.print_report(
        "Where things are",
        {
            "weekly list": f"{export.path.with_name(CURRENT)}/at_risk.csv",
            "MLflow": f".venv/bin/mlflow ui --backend-store-uri sqlite:///{project.home.mlflow}",
            "next, to serve": f".venv/bin/{score}",
        },
    )


if __name__ == "__main__":
    main()
