"""What a training found, before it is registered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from models.churn_model import ChurnModel
from models.evaluation.baselines import Baseline
from models.evaluation.results import Evaluation
from training.audit.audit import AuditReport
from training.data.dataset import Dataset
from training.fit.fit import Fit, Fitter
from training.fit.search import Searched
from training.plan.plan import Recipe, TrainingPlan
from training.plan.splits import Split


@dataclass(frozen=True)
class Trained:
    """What a training found, before it is registered.

    Attributes
    ----------
    recipe
        As it was used: after a search, with the settings that the search chose.
    left_out
        Feature to why the model does not have it, or does not look at it.
    training_rows, test
        The rows that the model was trained on, and those that it was tested on.
    audit
        None where no label was used, so none can have leaked.
    refitted
        The same recipe, fitted again on every finished snapshot, the test's too: served, never tested. ``refitted_on`` are those.
    """

    model: ChurnModel
    evaluation: Evaluation
    layout: TrainingPlan
    recipe: Recipe
    left_out: dict[str, str]
    training_rows: Dataset
    test: Dataset
    fit: Fit
    baselines: tuple[Baseline, ...] = ()
    pooled: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    audit: AuditReport | None = None
    searched: Searched | None = None
    refitted: ChurnModel | None = None
    refitted_on: tuple[date, ...] = ()

    @property
    def split(self) -> Split:
        """Which cutoffs did what."""
        return self.layout.split

    @property
    def fitter(self) -> Fitter:
        """How the model was fitted: fits it again, on other rows."""
        return Fitter(self.model.specification, self.recipe.model, self.recipe.training)
