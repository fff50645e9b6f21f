"""``make demo``: the whole way once, on a small world made on the spot."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

from churn.api import Log, TrainedModel, train
from churn.cli import console
from churn.cli.serving import run_export
from churn.cli.training import run_promotion
from churn.project import Project, open_project
from seeds.simulate import World, simulate
from serving.score import Score

PLACE = Path("demo")


def main() -> None:
    """Simulate, train, promote, export; then say what came out."""
    shutil.rmtree(PLACE, ignore_errors=True)
    with console.steps("demo", 16) as say:
        say("making a small world of 6,000 app users over 180 days")
        simulate(World(users=6000), PLACE)
        project = open_project(PLACE / "churn.toml", home=PLACE / "home")
        say("reading the log")
        log = Log(project, project.activity(say=say.within))
        say(log.describe())
        trained = train(log, say=say)
        run_promotion(project, dry_run=False, say=say)
        report, listed = run_export(project, _monday(log), model="champion", say=say)
    _show(trained, report=report, listed=listed)
    _point(project, report=report)


def _monday(log: Log) -> date:
    last = log.activity.coverage.covered_until
    return last - timedelta(days=last.weekday())


def _show(trained: TrainedModel, *, report: dict[str, object], listed: list[Score]) -> None:
    found = trained.to_json()
    test, rules = found["test"], found["baselines"]
    rows = {
        "users scored": report["scored"],
        "on the weekly list": report["listed"],
        "AUC of the model": f"{test['auc']:.3f} ({test['auc_low']:.3f} to {test['auc_high']:.3f})",
        "AUC of the recency rule": f"{rules['recency']['auc']:.3f}",
        "AUC of the frequency rule": f"{rules['frequency']['auc']:.3f}",
        "calibration error": f"{test['calibration_error']:.3f}",
    }
    console.print_report(f"Tested on cutoff {found['split']['test']}, scored at {report['cutoff']}", rows)
    console.print_table("The five riskiest users", [_row(one) for one in listed[:5]])


def _row(one: Score) -> dict[str, object]:
    reasons = "\n".join(f"{'+' if reason.contribution > 0 else '-'} {reason.text}" for reason in one.reasons)
    return {"user": one.user_id, "churn probability": one.churn_probability, "why (+ raises, - lowers)": reasons}


def _point(project: Project, *, report: dict[str, object]) -> None:
    console.print_report(
        "Where things are",
        {
            "weekly list": f"{report['path']}/at_risk.csv",
            "MLflow": f".venv/bin/mlflow ui --backend-store-uri sqlite:///{project.home}/mlflow.db",
            "next, to serve": f".venv/bin/churn score --config {PLACE}/churn.toml --home {project.home} --as-of {report['cutoff']}",
        },
    )


if __name__ == "__main__":
    main()
