"""Whether probabilities stay true when something changes: trained once on each world of :mod:`benchmarks.accuracy.shifting_worlds`, then
scored at the test cutoff and one, two and four weeks later, as ``churn score`` does, and compared with what happened.

``make bench-accuracy`` runs it after the real logs; ``WORLDS="steady trend" python -m benchmarks.accuracy.shifting`` measures only some,
``PEOPLE=20000`` smaller ones. Results are kept in ``shifting.json``; ``shifting.md`` is written from all that are there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.special import expit, logit

from benchmarks.accuracy.bench import in_own_process
from benchmarks.accuracy.shifting_page import write_page
from benchmarks.accuracy.shifting_worlds import TEST, WEEKS_AFTER, WORLDS, ShiftingWorld, Simulated, simulate
from benchmarks.measuring import PAGES
from churn.cli.console import steps
from churn.contacts.base_rate import follow
from churn.contacts.past import PastContacts
from churn.progress import progress_of
from churn.project import Project
from models.arrays import Labels, Values
from models.churn_model import ChurnModel
from models.evaluation.metrics import calibration_error, paired, summary
from models.evaluation.reliability import Reliability
from models.scorers.base_rate import KnownCutoff, shifted
from training.data.dataset import eligible_profiles
from training.pipeline import train
from training.trained import TrainingResult

PEOPLE = 85_000  # about 20,000 of them are eligible at the test cutoff
_EM_STEPS = 200


def main() -> None:
    """Measure what is asked for, each in a process of its own; what is done is kept."""
    wanted = os.environ.get("WORLDS", "").split() or list(WORLDS)
    people = int(os.environ.get("PEOPLE") or PEOPLE)
    path = PAGES / "shifting.json"
    with steps("bench-shifting", len(wanted)) as tell:
        for name in wanted:
            tell(name)
            found = in_own_process(partial(measured, name, people=people))
            results = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(json.dumps(results | {name: found}, indent=1) + "\n")
    write_page(json.loads(path.read_text()), PAGES)


def measured(name: str, *, people: int) -> dict[str, Any]:
    """Train on a world with defaults, and score it at the test cutoff and after it."""
    world = WORLDS[name]
    with TemporaryDirectory() as folder:
        simulated = simulate(world, Path(folder) / "world", people=people)
        project = Project(Path(folder) / "world/churn.toml", home=Path(folder) / "home")
        activity = project.activity()
        trained = train(activity, project.recipe, say=lambda _: None)
        scored = [
            _Scored.of(project, trained, world=world, simulated=simulated, weeks_after=weeks) for weeks in WEEKS_AFTER
        ]
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "people": people,
        "trained": _training(trained),
        "baselines": _baselines(trained),
        "weeks": [one.to_json() for one in scored],
    }


def _training(trained: TrainingResult) -> dict[str, Any]:
    scorer = trained.model.scorer
    return {
        "snapshots": len(trained.split.training_cutoffs),
        "split": "folds of users" if trained.split.uses_folds else "separate periods",
        "trees": scorer.trees,
        "parts": list(zip((round(weight, 2) for weight, _ in scorer.parts), scorer.kinds, strict=True)),
        "calibration": type(trained.model.calibration).__name__,
        "why": trained.fit.why,
    }


@dataclass(frozen=True)
class _Scored:
    """Users scored at a cutoff: unshifted probabilities, the shift that the product used, labels, and what was known by then."""

    weeks_after: int
    model: ChurnModel
    unshifted: Values
    churned: Labels
    known: tuple[KnownCutoff, ...]

    @classmethod
    def of(
        cls, project: Project, trained: TrainingResult, *, world: ShiftingWorld, simulated: Simulated, weeks_after: int
    ) -> _Scored:
        """Score as ``churn score`` does, with only the labels that are known at the cutoff."""
        cutoff = TEST + timedelta(weeks=weeks_after)
        activity = project.activity()
        contacts = PastContacts(project, cutoff, trained.model.specification.timezone)
        model, _ = follow(contacts, trained.model, activity=activity, say=progress_of(lambda _: None))
        profiles = eligible_profiles(activity, model.specification, cutoffs=[cutoff], churn=trained.recipe.churn)
        users: list[Any] = profiles.column("user_id").to_pylist()
        churned = simulated.churned(users, cutoff=7 * weeks_after, horizon_days=world.horizon_days)
        closed = cutoff - timedelta(days=world.horizon_days)
        known = tuple(one for one in model.known_cutoffs if one.cutoff <= closed)
        return cls(weeks_after, model, replace(model, shift=0.0).predict_probability(profiles), churned, known)

    def to_json(self) -> dict[str, Any]:
        """Metrics of the product, and log loss and calibration error with other ways to follow the base rate."""
        used = shifted(self.unshifted, self.model.shift)
        found = summary(self.churned, used)
        names = ("auc", "log_loss", "calibration_error", "calibration_slope", "churn_rate")
        return {
            "weeks_after": self.weeks_after,
            "users": len(self.churned),
            "mean_probability": float(used.mean()),
            "shift": self.model.shift,
            "intercept": KnownCutoff.of(TEST, probability=used, churned=self.churned).shift,
            "by_chance": Reliability.of(self.churned, used, seed=0).by_chance,
            "other_ways": {name: self._with(way(self)) for name, way in OTHER_WAYS.items()},
            **{name: found[name] for name in names},
        }

    def _with(self, shift: float) -> dict[str, float]:
        probability = shifted(self.unshifted, shift)
        loss = summary(self.churned, probability)["log_loss"]
        return {"shift": shift, "log_loss": loss, "calibration_error": calibration_error(self.churned, probability)}


def _last_known(scored: _Scored) -> float:
    return max(scored.known, key=lambda one: one.cutoff).shift if scored.known else 0.0


def _linear_trend(scored: _Scored) -> float:
    if len(scored.known) < 2:
        return _last_known(scored)
    days = np.array([(one.cutoff - TEST).days for one in scored.known], dtype=np.float64)
    slope, level = np.polyfit(days, [one.shift for one in scored.known], 1)
    return float(slope * 7 * scored.weeks_after + level)


def _expectation_maximisation(scored: _Scored) -> float:
    """Return the shift of the prior that the scores themselves suggest, without labels.

    Source: Saerens, Latinne, Decaestecker 2002, "Adjusting the Outputs of a Classifier to New a Priori Probabilities",
    Neural Computation 14(1).
    """
    calibrated = [one.churn_rate for one in scored.known if one.cutoff < TEST]
    if not calibrated:
        return 0.0
    before = float(np.mean(calibrated))
    rate, odds = before, logit(scored.unshifted)
    for _ in range(_EM_STEPS):
        rate = float(expit(odds + logit(rate) - logit(before)).mean())
    return float(logit(rate) - logit(before))


OTHER_WAYS: dict[str, Callable[[_Scored], float]] = {
    "none": lambda _: 0.0,
    "last known": _last_known,
    "linear trend": _linear_trend,
    "expectation-maximisation": _expectation_maximisation,
}


def _baselines(trained: TrainingResult) -> dict[str, Any]:
    """Each baseline at the test cutoff, and the difference in log loss of the model to it on the same resampled users."""
    profiles = trained.test.profiles
    ours = trained.model.predict_probability(profiles)

    def compared(theirs: Values) -> dict[str, Any]:
        difference = paired(trained.test.churned, ours, theirs, of="log_loss", seed=0)
        found = summary(trained.test.churned, theirs)
        return {"auc": found["auc"], "log_loss": found["log_loss"], "difference": list(asdict(difference).values())}

    return {one.name: compared(one.probability(profiles)) for one in trained.baselines}


if __name__ == "__main__":
    main()
