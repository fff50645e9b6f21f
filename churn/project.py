"""The application: one object per project, one method per thing that a user wants of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from churn.cutoffs import Cutoff, cutoff_of, cutoffs_of
from churn.progress import Progress, Say, progress_of
from churn.workspace import Workspace
from models.registry import CHAMPION

if TYPE_CHECKING:
    from churn.engine import Engine
    from churn.jobs.replay import Retrain
    from churn.jobs.service.keys import ServiceKeys
    from churn.results import (
        Bento,
        Diagnosis,
        Export,
        ListCheck,
        Outcomes,
        Profiles,
        Promotion,
        Publication,
        Reliability,
        Replay,
        Report,
        Rollback,
        Scoring,
        Status,
        Training,
    )
    from features.profiles.build import Shard


class Project(Workspace):
    """A churn.toml and a home, opened.

    Parameters
    ----------
    config
        The settings file; default: ``CHURN_CONFIG``, else churn.toml in this folder, if there is one.
    home
        Where everything is kept; default: ``CHURN_HOME``, else ``.churn``.
    events
        The log, in place of ``[events] path``: a path or URL, or a DataFrame (pandas, Polars or Arrow), whose columns are mapped
        by ``[events.columns]``, else under the contract's own names.
    settings
        ``section.key`` to value, or texts ``section.key=value``, in place of the file's.

    Raises
    ------
    SettingsError
        When a setting cannot be used.

    Examples
    --------
    ::

        project = churn.Project("churn.toml", settings={"churn.horizon_days": 30})
        training = project.train(say=print)
        if project.promote(dry_run=True).is_promoted:
            project.promote()
            project.export("2026-W47").to_pandas()
    """

    # --- The project ------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """Say where the project stands: the log as it was last read, models, release, lists, and what comes next."""
        from churn.jobs.status import status

        return status(self)

    def doctor(self, *, say: Progress | Say | None = None) -> Diagnosis:
        """Look for what is wrong with the installation, the machine, the home and the log, and say what to do about it."""
        from churn.jobs.doctor import doctor

        return doctor(self, say=progress_of(say))

    # --- Profiles --------------------------------------------------------------------------------------------------

    @cached_property
    def engine(self) -> Engine:
        """Where profiles are built and scored."""
        from churn.engine import engine_of

        return engine_of(self)

    def profiles(
        self, cutoffs: Cutoff | Iterable[Cutoff], *, model: str | None = None, say: Progress | Say | None = None
    ) -> Profiles:
        """Build the profiles of all users seen before each cutoff, in memory and on this machine.

        Parameters
        ----------
        model
            Alias or version whose profiles are built; default: every feature that the log can answer.
        """
        from churn.engine import log_and_specification
        from churn.results import Profiles
        from features.profiles.build import build_profiles

        days = cutoffs_of(cutoffs)
        log, specification = log_and_specification(self, days, model=model, say=progress_of(say))
        table = build_profiles(log.activity, specification, cutoffs=days)
        return Profiles(log.to_json(), table.num_rows, table.num_columns, table=table)

    def write_profiles(
        self,
        out: str | Path,
        cutoffs: Cutoff | Iterable[Cutoff],
        *,
        model: str | None = None,
        shard: Shard | None = None,
        say: Progress | Say | None = None,
    ) -> Profiles:
        """Build profiles and write them: one Parquet file, or with Spark a folder of them.

        Parameters
        ----------
        shard
            Only this part of the users.
        """
        from features.profiles.build import Shard

        part, days = shard or Shard.parse("1/1"), cutoffs_of(cutoffs)
        return self.engine.write_profiles(Path(out), days, model=model, shard=part, say=progress_of(say))

    # --- Training --------------------------------------------------------------------------------------------------

    def train(self, *, say: Progress | Say | None = None) -> Training:
        """Train a challenger, test it on a later cutoff, and register it in MLflow.

        Raises
        ------
        CheckFailed
            When the log holds too little to train on.
        """
        return self.train_horizons([self.settings.churn.horizon_days], say=say)[0]

    def train_horizons(
        self, horizons_days: Sequence[int] = (), *, say: Progress | Say | None = None
    ) -> tuple[Training, ...]:
        """Train a challenger for each horizon, from one build of profiles.

        Parameters
        ----------
        horizons_days
            Default: ``[training] horizons_days``, else that of ``[churn]``. One has the project's name; of several, each has its
            days behind it: ``churn_7d``.

        Raises
        ------
        CheckFailed
            When the log holds too little to train on.
        """
        from churn.jobs.training import train_horizons

        progress, s = progress_of(say), self.settings
        days = tuple(horizons_days) or s.training.horizons_days or (s.churn.horizon_days,)
        progress("reading the log")
        log = self.log(say=progress)
        progress(log.describe())
        names = [f"{self.model_name}_{one}d" if len(days) > 1 else self.model_name for one in days]
        return train_horizons(self, log.activity, dict(zip(names, days, strict=True)), say=progress)

    # --- Promotion -------------------------------------------------------------------------------------------------

    def promote(self, *, dry_run: bool = False, say: Progress | Say | None = None) -> Promotion:
        """Make the challenger champion if it passes every gate, and record why with its version.

        Parameters
        ----------
        dry_run
            Decide and say why, change nothing.

        Raises
        ------
        CheckFailed
            When the challenger is champion already, or there is nothing to compare it on.
        """
        from churn.jobs.promotion import promote

        return promote(self, dry_run=dry_run, say=progress_of(say))

    def rollback(self, *, say: Progress | Say | None = None) -> Rollback:
        """Make the champion before this one champion again.

        Raises
        ------
        CheckFailed
            When there was none.
        """
        from churn.jobs.promotion import rollback

        return rollback(self, say=progress_of(say))

    def reliability(
        self, probabilities: Sequence[float] = (), *, model: str = CHAMPION, say: Progress | Say | None = None
    ) -> Reliability:
        """Compare a model's probabilities with what happened, at its test and at every later cutoff whose labels are known.

        Parameters
        ----------
        probabilities
            For each, the churn rate among users with such a score at the next cutoff is estimated, with its interval.

        Raises
        ------
        CheckFailed
            When no such label is known.
        """
        from churn.jobs.training import reliability

        return reliability(self, tuple(probabilities), model=model, say=progress_of(say))

    # --- Scores ----------------------------------------------------------------------------------------------------

    def score(self, cutoff: Cutoff, *, model: str = CHAMPION, say: Progress | Say | None = None) -> Scoring:
        """Score every user at a cutoff, keep scores and ledger, and release the champion with its profile store.

        An :class:`~features.errors.InputError` says that there is no such model, or that the log cannot be used.
        """
        from churn.jobs.scores import score

        return score(self, cutoff_of(cutoff), model=model, say=progress_of(say))

    def export(
        self,
        cutoff: Cutoff,
        *,
        model: str = CHAMPION,
        dry_run: bool = False,
        force: bool = False,
        say: Progress | Say | None = None,
    ) -> Export:
        """Score every user, and write the lists of those at risk, ranked, with reasons.

        Parameters
        ----------
        dry_run
            Select and count, write nothing.
        force
            Write the lists though something should be checked before they are sent, and record what.

        Raises
        ------
        CheckFailed
            When something should be checked, as where a list is half as long as last week, and ``force`` is not given.
        """
        from churn.jobs.lists import ExportRun, export

        run = ExportRun(is_dry=dry_run, is_forced=force)
        return export(self, cutoff_of(cutoff), model=model, run=run, say=progress_of(say))

    def outcomes(self, as_of: Cutoff | None = None, *, say: Progress | Say | None = None) -> Outcomes:
        """Account for all past lists, as known on a day: was the model right, and did contacting help? Default: the log's end."""
        from churn.jobs.outcomes import outcomes

        return outcomes(self, cutoff_of(as_of) if as_of else None, say=progress_of(say))

    def replay(self, mondays: int = 52, *, retrain: Retrain = "monthly", say: Progress | Say | None = None) -> Replay:
        """Replay past Mondays: the lists that a model of that time would have written, and whom they would have reached.

        Parameters
        ----------
        mondays
            How many, the latest whose horizons are over.
        retrain
            How often a model is trained: ``weekly``, ``monthly`` or ``quarterly``.

        Raises
        ------
        CheckFailed
            When the log is too short for any.
        """
        from churn.jobs.replay import replay

        return replay(self, mondays, retrain=retrain, say=progress_of(say))

    def verify_list(self, folder: str | Path) -> ListCheck:
        """Compare the folder of a list, wherever it was taken to, with its manifest."""
        from churn.jobs.lists import verified

        return verified(Path(folder))

    # --- The product -----------------------------------------------------------------------------------------------

    def report(self, *, say: Progress | Say | None = None) -> Report:
        """Say what the log tells about the product, and write it as a page, as JSON and as tables.

        Raises
        ------
        CheckFailed
            When nobody was ever active.
        """
        from churn.jobs.reporting.report import report

        return report(self, say=progress_of(say))

    # --- Serving ---------------------------------------------------------------------------------------------------

    def bundle(self, *, model: str = CHAMPION, say: Progress | Say | None = None) -> Path:
        """Write what the service reads, model, settings and profile store, as a release; return its folder."""
        from churn.jobs.service.releases import bundle

        return bundle(self, model=model, say=progress_of(say))

    def serve(self, *, model: str = CHAMPION, port: int | None = None) -> int:
        """Serve scores over HTTP at ``[serving] host`` until stopped; return the server's exit code."""
        from churn.jobs.service.delivery import serve

        return serve(self, model=model, port=port)

    def publish(self, to: str = "") -> Publication:
        """Take the current release to a place that servers fetch it from; default: ``[serving] releases``."""
        from churn.jobs.service.delivery import publish

        return publish(self, to)

    def bento(self) -> Bento:
        """Build a Bento of the current release: a folder that starts the service, without MLflow and the code that trains."""
        from churn.jobs.service.delivery import bento

        return bento(self)

    @property
    def keys(self) -> ServiceKeys:
        """Keys of the service: ``keys.list()``, ``keys.add("shop-app")``, ``keys.revoke("shop-app")``."""
        from churn.jobs.service.keys import ServiceKeys

        return ServiceKeys(self)
