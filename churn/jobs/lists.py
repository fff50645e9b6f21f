"""The weekly lists of a project: who is to be contacted, who is held out, and the account of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from churn.jobs.list_writer import ListWriter
from churn.jobs.review import Review
from churn.jobs.scores import keep, scored, telling_what_is_written
from churn.jobs.week import Week, batch_of
from churn.progress import Progress
from churn.results import Export, ListCheck, WeeklyList
from features.errors import CheckFailed
from features.snapshots import latest_monday
from serving.weekly.at_risk_list import week_of
from serving.weekly.checks import Concern
from serving.weekly.files.verify import verify

if TYPE_CHECKING:
    from churn.engine import ScoredUsers
    from churn.project import Project
    from models.registry.registry import RegisteredModel


@dataclass(frozen=True)
class ExportRun:
    """How an export is run.

    Attributes
    ----------
    is_dry
        Select and count, write nothing.
    is_forced
        Write the lists though something should be checked.
    """

    is_dry: bool = False
    is_forced: bool = False


def export(project: Project, cutoff: date, *, model: str, run: ExportRun, say: Progress) -> Export:
    """Score all users, keep the ledger, and write the lists of those at risk.

    Raises
    ------
    CheckFailed
        When something should be checked before a list is sent, and nobody forces it; the scores are kept.
    SettingsError, InputError
        When a list cannot be made as the settings say; nothing is written.
    """
    registered, users = scored(project, cutoff, model=model, say=say)
    batch = batch_of(project, registered, users, cutoff=cutoff)
    say("selecting who is listed")
    week = Week(project, users, batch, dry_run=run.is_dry)
    if later := users.contacts.later_lists:
        words = f"lists of later cutoffs exist, the latest of {later[-1].cutoff}: who is on them counts as contacted for cool_down_days"
        say.within(f"note: {words}")
    review = Review(week, say)
    writer = ListWriter(week, review)
    found = Export(
        registered.name,
        registered.version,
        cutoff,
        users.scores,
        shift=users.shift,
        epoch=week.arms.epoch,
        held_out_share=week.arms.share,
        can_show=week.plan.words(week.arms.share),
        changes=review.changes,
        concerns=writer.concerns,
        notes=tuple(_notes(registered, users, cutoff=cutoff)),
    )
    if run.is_dry:
        return replace(found, lists=tuple(writer.counted(one) for one in writer.drafts))
    ready = [writer.ready(one) for one in writer.drafts]
    say("writing ledger and lists")
    lists: list[WeeklyList] = []
    with telling_what_is_written(say) as written:
        keep(project, registered, users=users, cutoff=cutoff, written=written)
        if writer.concerns and not run.is_forced:
            raise _to_look_at(writer.concerns)
        for one in ready:
            lists.append(writer.write(one, say=say))
            written.add(lists[-1].path)
    return replace(found, lists=tuple(lists))


def _notes(registered: RegisteredModel, users: ScoredUsers, *, cutoff: date) -> Iterator[str]:
    """Say that a week is past, as one that was typed from a page."""
    if users.activity and (latest := latest_monday(users.activity.coverage.covered_until)) > cutoff:
        yield f"the log reaches a later week: churn export --week {week_of(latest)}"
    model = registered.model
    if model.definition.window.end(cutoff) <= model.quality.trained_through:
        yield f"version {registered.version} was trained when the outcome of this week was known: it ranks a new week less well"


def _to_look_at(concerns: Sequence[Concern]) -> CheckFailed:
    words = "; ".join(one.words for one in concerns)
    hint = "if all is well, write the lists with churn export --force; that is recorded with them"
    return CheckFailed(f"no list is written, because something should be checked first: {words}", hint=hint)


def verified(folder: Path) -> ListCheck:
    """Compare the folder of a list with its manifest."""
    found = verify(folder)
    return ListCheck(found.folder, {one.name: asdict(one) for one in found.files})
