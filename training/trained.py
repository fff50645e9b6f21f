"""The result of a training, before it is registered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from models.churn_model import ChurnModel
from models.evaluation.baselines import Baseline
from models.evaluation.results import Evaluation
from training.audit.audit import AuditReport
from training.data.dataset import Dataset
from training.fit.fit import Fit, Fitter
from training.fit.search import SearchResult
from training.plan.plan import Recipe, TrainingPlan
from training.plan.splits import Split


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training, before it is registered.

    Attributes
    ----------
    recipe
        As it was used: after a search, with the settings that the search chose.
    excluded
        Feature to the reason why the model does not have it, or does not use it.
    training_rows, test
        The rows that the model was trained on, and those that it was tested on.
    audit
        None where no label was used, so none can have leaked.
    refitted
        The same recipe, refitted on every finished snapshot, including the test: served, never tested. ``refit_cutoffs`` are those.
    """

    model: ChurnModel
    evaluation: Evaluation
    plan: TrainingPlan
    recipe: Recipe
    excluded: dict[str, str]
    training_rows: Dataset
    test: Dataset
    fit: Fit
    baselines: tuple[Baseline, ...] = ()
    pooled: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    audit: AuditReport | None = None
    search: SearchResult | None = None
    refitted: ChurnModel | None = None
    refit_cutoffs: tuple[date, ...] = ()

    @property
    def split(self) -> Split:
        """The cutoffs of each part."""
        return self.plan.split

    @property
    def fitter(self) -> Fitter:
        """Refits the model on other rows, in the same way."""
        return Fitter(self.model.specification, self.recipe.model, self.recipe.training)
