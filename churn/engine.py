"""Where profiles are built and scored, chosen once by ``[compute] engine``: DuckDB on this machine, or Spark."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from churn.contacts.base_rate import follow
from churn.contacts.past import PastContacts
from churn.progress import Progress
from churn.results import Log, Profiles
from churn.results.data import counts_of
from features.errors import SettingsError
from models.registry import CHAMPION

if TYPE_CHECKING:
    import pyarrow as pa

    from churn.project import Project
    from features.activity.store import Activity
    from features.profiles.build import Shard
    from features.profiles.specification import Specification
    from features.spark.cluster import SparkLog
    from models.churn_model import ChurnModel
    from models.registry.registry import RegisteredModel
    from models.scorers.base_rate import Prediction
    from serving.batch.new_users import NewUsers
    from serving.batch.scored_batch import KeptScores


@dataclass(frozen=True)
class ScoredUsers:
    """Every user's profile and score; and the activity behind them, where it is kept here.

    Attributes
    ----------
    model
        As it scores at this cutoff: with its shift.
    profiles, scores
        Of the same users, by user id.
    shift
        Of the base rate, by which the probabilities are shifted, and why.
    contacts
        Before the cutoff.
    new_users
        Whom a model of their own has scored; None: there is no such model.
    kept
        The scores of an earlier run that were made from the same; None: all were scored now.
    """

    model: ChurnModel
    profiles: pa.Table
    scores: pa.Table
    shift: Prediction
    contacts: PastContacts
    activity: Activity | None = None
    new_users: NewUsers | None = None
    kept: KeptScores | None = None


FindScores = Callable[["Activity", PastContacts], "KeptScores | None"]


class Engine(Protocol):
    """Builds and scores the profiles of all users at a cutoff."""

    def write_profiles(
        self, out: Path, cutoffs: tuple[date, ...], *, model: str | None, shard: Shard, say: Progress
    ) -> Profiles:
        """Write profiles: all that the log can answer, or those that a model reads."""
        ...

    def score(self, model: ChurnModel, cutoff: date, *, kept: FindScores, say: Progress) -> ScoredUsers:
        """Build and score the profiles that a model reads.

        Parameters
        ----------
        kept
            Finds the scores of an earlier run that were made from the same.
        """
        ...


def engine_of(project: Project) -> Engine:
    """Return the engine that ``[compute] engine`` names."""
    return Spark(project) if project.settings.compute.engine == "spark" else OneMachine(project)


def log_and_specification(
    project: Project, cutoffs: Sequence[date], *, model: str | None, say: Progress
) -> tuple[Log, Specification]:
    """Read the log for the profiles of a model, or of every feature that it can answer, fitted before the latest cutoff."""
    frozen, s = project.registry.get(model).model if model else None, project.settings
    log = Log(project.activity(frozen=frozen, say=say.within))
    if frozen:
        return log, frozen.specification
    from training.data.specification import freeze

    return log, freeze(log.activity, s.features, churn=s.churn, training_cutoffs=cutoffs)[0]


@dataclass(frozen=True)
class OneMachine:
    """DuckDB, in this process."""

    project: Project

    def write_profiles(
        self, out: Path, cutoffs: tuple[date, ...], *, model: str | None, shard: Shard, say: Progress
    ) -> Profiles:
        """Write profiles to a Parquet file, a part of the users after the other."""
        from pyarrow.parquet import read_metadata

        from features.profiles.build import build_in_parts, write

        say("reading the log")
        log, specification = log_and_specification(self.project, cutoffs, model=model, say=say)
        say("building profiles")
        rows = write(build_in_parts(log.activity, specification, cutoffs=cutoffs, shard=shard), out)
        return Profiles(log.to_json(), rows, read_metadata(out).num_columns, out)

    def score(self, model: ChurnModel, cutoff: date, *, kept: FindScores, say: Progress) -> ScoredUsers:
        """Score on the kept activity.

        Raises
        ------
        CheckFailed
            When a column that the model reads is mapped differently than when it was trained.
        """
        from features.profiles.build import build_profiles
        from models.scorers.base_rate import Prediction
        from serving.batch.score import score_table

        say("reading the log")
        self.project.reader.check_mapping(model)
        activity = self.project.activity(frozen=model, say=say.within)
        activity.coverage.check_cutoff(cutoff)
        contacts = PastContacts(self.project, cutoff, model.specification.timezone)
        found = kept(activity, contacts)
        if not found:
            model, shift = follow(contacts, model, activity=activity, say=say)
        else:
            shift = Prediction(found.base_rate_shift, f"as an earlier run found: {found.folder}")
            model = replace(model, shift=shift.shift)
        say(f"building profiles at {cutoff}")
        profiles = build_profiles(activity, with_context(model.specification, activity.facts), cutoffs=[cutoff])
        say("nothing is scored again" if found else f"scoring {profiles.num_rows:,} users")
        scores = found.of(profiles) if found else score_table(model, profiles, bands=self.project.settings.scoring)
        return ScoredUsers(model, profiles, scores, shift, contacts, activity, kept=found)


def with_new_users(
    users: ScoredUsers, found: RegisteredModel, *, cutoff: date, say: Progress, shift: float | None = None
) -> ScoredUsers:
    """Have the users who are too new for the champion scored by the model of new users.

    Parameters
    ----------
    users
        All users as the champion scores them, or as both models did in an earlier run.
    found
        The model of new users.
    shift
        Of its probabilities, where it is known; None: they follow the base rate.
    """
    from features.eligibility import TENURE
    from features.profiles.build import build_profiles
    from serving.batch.new_users import NewUsers
    from serving.batch.score import with_new_users as with_own_scores

    model, activity = found.model, users.activity
    if activity is None:
        say.within(f"{found.name} is not used: Spark keeps no activity to build the profiles of new users from")
        return users
    where = f"{TENURE} < {users.model.eligibility.min_tenure_days} and {model.eligibility.sql()}"
    profiles = build_profiles(activity, model.specification, cutoffs=[cutoff], where=where)
    say.within(f"{profiles.num_rows:,} new users are scored by {found.name} version {found.version}")
    if users.kept and users.kept.new_users_shift is not None:
        known = replace(model, shift=users.kept.new_users_shift)
        return replace(users, new_users=NewUsers(found.name, found.version, known, profiles))
    if shift is None:
        model, _ = follow(users.contacts, model, activity=activity, say=say)
    else:
        model = replace(model, shift=shift)
    new_users = NewUsers(found.name, found.version, model, profiles)
    bands = users.contacts.project.settings.scoring
    return replace(users, scores=with_own_scores(users.scores, new_users, bands=bands), new_users=new_users)


def with_context(specification: Specification, facts: Collection[str]) -> Specification:
    """Add what a list shows of users to what the model reads, as far as the log can tell it."""
    from features.activity.roll_up import DETECTED_FACTS
    from features.catalogue.catalogue import catalogue
    from serving.weekly.at_risk_list import CONTEXT

    known = {*facts, *DETECTED_FACTS, *specification.feature_names}
    features = catalogue(specification.windows_days, specification.fitted, custom=specification.custom)
    more = [one.name for one in features if one.name in CONTEXT and known.issuperset(one.needs)]
    names = dict.fromkeys((*specification.feature_names, *more))
    return msgspec.structs.replace(specification, feature_names=tuple(names))


@dataclass(frozen=True)
class Spark:
    """Spark, under a model's frozen specification."""

    project: Project

    def write_profiles(
        self, out: Path, cutoffs: tuple[date, ...], *, model: str | None, shard: Shard, say: Progress
    ) -> Profiles:
        """Have Spark write the profiles that a model reads (the champion by default) into a folder of Parquet files.

        Raises
        ------
        SettingsError
            When the place is a file, or only a shard is asked for.
        """
        from features.spark.cluster import read_back, write

        if shard.of > 1:
            raise SettingsError("--shard: Spark splits the users itself", hint="omit --shard")
        if out.is_file():
            raise SettingsError(f"--out: {out} is a file, and Spark writes a folder", hint="name another place")
        found = self.project.registry.get(model or CHAMPION).model
        log = self._log(found, say=say)
        say(f"building profiles in {log.buckets} buckets of users")
        write(log.profiles(found.specification, cutoffs=list(cutoffs)), out)
        rows, columns = read_back(out, log.spark).count(), len(found.specification.feature_names) + 2
        counts = counts_of(log.inventory, log.coverage) | {"notes": list(log.notes)}
        return Profiles(counts, rows, columns, out)

    def score(self, model: ChurnModel, cutoff: date, *, kept: FindScores, say: Progress) -> ScoredUsers:
        """Build and score all profiles in Spark, and bring both here, sorted by user."""
        import pyarrow.parquet as pq

        from features.spark.cluster import read_back, write
        from features.storage.drafts import temporary_folder
        from serving.batch.spark import collect_scores

        del kept  # Spark keeps no activity, so that it is unknown what they would be made from
        self.project.reader.check_mapping(model)
        log = self._log(model, say=say)
        contacts = PastContacts(self.project, cutoff, model.specification.timezone)
        model, shift = follow(contacts, model, activity=None, say=say)
        say(f"building profiles at {cutoff} in {log.buckets} buckets of users")
        with temporary_folder(self.project.home.root) as temporary:  # written once: both scored and kept for serving
            folder = temporary / "profiles"
            write(log.profiles(model.specification, cutoffs=[cutoff]), folder)
            profiles = pq.read_table(folder).sort_by("user_id")
            say(f"scoring {profiles.num_rows:,} users")
            frame = read_back(folder, log.spark)
            scores = collect_scores(frame, model, bands=self.project.settings.scoring)
            return ScoredUsers(model, profiles, scores, shift, contacts)

    def _log(self, model: ChurnModel, *, say: Progress) -> SparkLog:
        from features.spark.cluster import open_session, read_log

        say("reading the log")
        settings = self.project.settings
        if settings.users.path or settings.identities.path:
            raise SettingsError(
                '[users] and [identities] are not read by [compute] engine = "spark"',
                hint='take engine = "duckdb", or a model and settings without these tables',
            )
        sections = self.project.reader.activity_settings(frozen=model, say=say.within)
        log = read_log(sections, open_session(settings.compute))
        for note in log.notes:
            say.within(note)
        return log
