"""The steps of a training, timed where they are called from: each step's own seconds, without those of the steps inside it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial, wraps
from pkgutil import resolve_name
from typing import Any
from unittest.mock import patch

from benchmarks.measuring import measure


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes
    ----------
    places
        Where its functions are called from, as ``module:name``: so a function counts for the step that calls it.
    is_bounded
        False for profiles, fits and baselines, which the bound on everything else leaves out.
    """

    title: str
    places: tuple[str, ...]
    is_bounded: bool = True


STEPS = (
    Step("reading the log, activity", ("churn.project:Project.log",), is_bounded=False),
    Step("outages, split", ("training.pipeline:make_plan",)),
    Step("the frozen specification", ("training.data.snapshots:freeze",)),
    Step("counting rows, sampling", ("training.data.snapshots:sample_condition",)),
    Step("profiles", ("training.data.snapshots:eligible_profiles",), is_bounded=False),
    Step("drawing from the crowd", ("benchmarks.training.crowd:drawn",), is_bounded=False),
    Step("labels", ("training.data.snapshots:label", "benchmarks.training.crowd:label")),
    Step("enough of each class", ("training.pipeline:check_classes",)),
    Step("categories, drift", ("training.fit.used_features:select_stable",)),
    Step("fits", ("training.fit.fit:Fitter.fit",), is_bounded=False),
    Step("calibration", ("training.fit.fit:fit_calibration",)),
    Step("baselines", ("training.pipeline:fit_baselines",), is_bounded=False),
    Step("evaluation, intervals", ("training.pipeline:evaluate",)),
    Step("slices", ("training.evaluation.evaluate:slices",)),
    Step("leakage audit", ("training.pipeline:audit",)),
    Step(
        "pictures",
        (
            "training.report.mlflow_run:evaluation_charts",
            "training.report.mlflow_run:base_rate_chart",
            "training.report.mlflow_run:draw",
        ),
    ),
    Step("card", ("training.report.mlflow_run:card",)),
    Step("digests", ("training.report.mlflow_run:digest",)),
    Step(
        "MLflow",
        (
            "models.registry.registry:write",
            "models.registry.registry:Registry._add",
            "models.registry.registry:Registry._as_challenger",
        ),
    ),
)
REST = "everything between them"


@dataclass
class Spent:
    """What a step cost so far."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    calls: int = 0
    peak_bytes: int = 0


@dataclass
class Clock:
    """Knows which step is being done, and what each has cost."""

    spent: dict[str, Spent] = field(default_factory=dict[str, Spent])
    inside: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)])

    def timed(self, title: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same function, which tells what it cost."""

        @wraps(work)
        def told(*arguments: Any, **named: Any) -> Any:
            self.inside.append((0.0, 0.0))
            cost, result = measure(partial(work, *arguments, **named))
            wall, cpu = self.inside.pop()
            self._add(title, Spent(cost.wall_seconds - wall, cost.cpu_seconds - cpu, 1, cost.peak_bytes))
            self.inside[-1] = (self.inside[-1][0] + cost.wall_seconds, self.inside[-1][1] + cost.cpu_seconds)
            return result

        return told

    def _add(self, title: str, cost: Spent) -> None:
        before = self.spent.get(title, Spent())
        self.spent[title] = Spent(
            before.wall_seconds + cost.wall_seconds,
            before.cpu_seconds + cost.cpu_seconds,
            before.calls + cost.calls,
            max(before.peak_bytes, cost.peak_bytes),
        )

    @contextmanager
    def watching(self) -> Generator[None]:
        """Time every step that is done meanwhile."""
        with ExitStack() as undone:
            for step in STEPS:
                for place in step.places:
                    undone.enter_context(self._watch(step.title, place))
            yield

    def _watch(self, title: str, place: str) -> Any:
        owner, _, name = place.replace(":", ".").rpartition(".")
        target = resolve_name(owner)
        return patch.object(target, name, self.timed(title, getattr(target, name)))


def timed(work: Callable[[], Any]) -> tuple[dict[str, Any], Any]:
    """Do some work; return what it cost in all and by step, and what came of it."""
    clock = Clock()
    with clock.watching():
        result = clock.timed(REST, work)()
    order = [*(step.title for step in STEPS), REST]
    steps = {title: asdict(clock.spent[title]) for title in order if title in clock.spent}
    return {"steps": steps, "wall_seconds": clock.inside[0][0]}, result
