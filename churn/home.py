"""The home of a project: everything that churn keeps, one property or method per place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

ACTIVITY = "activity"


@dataclass(frozen=True)
class Home:
    """The layout of the home; the only place that knows it.

    Several projects live in one home, each with its models, scores, lists and releases. Where results compete, a place holds
    versions, and ``current`` points to one of them (:mod:`features.storage.versions`).

    Attributes
    ----------
    root
        Its folder, ``.churn`` by default.
    """

    root: Path

    @property
    def format_file(self) -> Path:
        """Says in which layout the home is."""
        return self.root / "home.json"

    @property
    def schema(self) -> Path:
        """JSON schema of churn.toml, which ``churn init`` writes for editors."""
        return self.root / "churn.schema.json"

    @property
    def activity(self) -> Path:
        """Activity by digest of the log's mapping."""
        return self.root / ACTIVITY

    @property
    def rejected(self) -> Path:
        """Invalid rows with their reason, by the same digest; those of ``[users]`` and ``[identities]`` next to them."""
        return self.root / "rejected"

    @property
    def frames(self) -> Path:
        """Event logs that were passed as DataFrames, by digest of their content."""
        return self.root / "frames"

    @property
    def mlflow(self) -> Path:
        """MLflow's database, unless ``MLFLOW_TRACKING_URI`` names another store."""
        return self.root / "mlflow.db"

    def scores(self, project: str, cutoff: date, version: str) -> Path:
        """Place of the scores of all users by one model version at one cutoff."""
        return self.root / "scores" / project / _batch(project, cutoff, version)

    def ledger(self, project: str, cutoff: date, version: str) -> Path:
        """Place of the same scores as the ledger keeps them, for good."""
        return self.ledgers(project) / _batch(project, cutoff, version)

    def weekly_list(self, project: str, week: str, name: str = "at_risk") -> Path:
        """Place of one list of one week."""
        return self.weekly_lists(project) / week / name

    def weekly_lists(self, project: str) -> Path:
        """Folder of those of all weeks."""
        return self.root / "lists" / project

    def list_ledger(self, project: str, week: str, name: str) -> Path:
        """Place of who was entered in a list, of both arms, as the ledger keeps it for good."""
        return self.list_ledgers(project) / week / name

    def list_ledgers(self, project: str) -> Path:
        """Folder of those of all weeks."""
        return self.ledgers(project) / "lists"

    def final_outcomes(self, project: str, cutoff: date) -> Path:
        """Place of who left after one cutoff, final, as the ledger keeps it for good."""
        return self.ledgers(project) / "outcomes" / f"cutoff={cutoff}"

    def outcomes(self, project: str) -> Path:
        """Place of the account of past lists: a page for people, and the same numbers as JSON."""
        return self.root / "outcomes" / project

    def replay(self, project: str) -> Path:
        """Place of the replay of past weeks: a page for people, and the same numbers as JSON."""
        return self.root / "replay" / project

    def reports(self, project: str) -> Path:
        """Place of what the log says about the product: a page for people, the same numbers as JSON, and tables."""
        return self.root / "reports" / project

    def ledgers(self, project: str) -> Path:
        """Folder of everything that the ledger keeps of a project."""
        return self.root / "ledger" / project

    def arms(self, project: str) -> Path:
        """Key and epochs of the arms: who is held out."""
        return self.root / "arms" / project

    def releases(self, project: str) -> Path:
        """Place of what the service reads: the model, its settings and the profile store."""
        return self.root / "releases" / project

    def fetched_releases(self, project: str) -> Path:
        """Place of releases that were published elsewhere, and fetched."""
        return self.root / "fetched_releases" / project

    def keys(self, project: str) -> Path:
        """Who may ask the service: digests of keys, and when each was last used."""
        return self.root / "keys" / project

    def lock(self, name: str) -> Path:
        """Lock of what one run at a time may do."""
        return self.root / "locks" / f"{name}.lock"


def _batch(project: str, cutoff: date, version: str) -> Path:
    return Path(f"cutoff={cutoff}", f"model={project}-v{version}")
