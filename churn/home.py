"""The home of a project: everything that churn keeps, one property per place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The layout of the home; the only place that knows it.

    Attributes
    ----------
    root
        Its folder, ``.churn`` by default.
    """

    root: Path

    @property
    def activity(self) -> Path:
        """Activity by digest of the log's mapping."""
        return self.root / "activity"

    @property
    def rejected(self) -> Path:
        """Invalid rows with their reason, by the same digest; those of ``[users]`` and ``[identities]`` beside them."""
        return self.root / "rejected"

    @property
    def frames(self) -> Path:
        """Event logs that were passed as DataFrames, by digest of their content."""
        return self.root / "frames"

    @property
    def mlflow(self) -> Path:
        """MLflow's database, unless ``MLFLOW_TRACKING_URI`` names another store."""
        return self.root / "mlflow.db"

    @property
    def scores(self) -> Path:
        """Every scored batch, by cutoff and model."""
        return self.root / "scores"

    @property
    def ledger(self) -> Path:
        """Every score with its date and model, by cutoff and model."""
        return self.root / "ledger"

    @property
    def lists(self) -> Path:
        """Weekly lists, by week."""
        return self.root / "lists"

    @property
    def store(self) -> Path:
        """The profile store that the service looks users up in."""
        return self.root / "store"

    @property
    def served(self) -> Path:
        """The bundle that the service reads: the model and its settings."""
        return self.root / "served"
