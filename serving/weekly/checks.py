"""What should be checked before a list is sent: signs that the log, the model or the settings are not what they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from serving.batch.scored_batch import Batch
from serving.score import RISK_BANDS

_MOVED = 0.3  # of the size of a list, from one week to the next
_BAND_POINTS = 0.1  # of all scored users
_LEADS = 0.8  # of the rows of a list
_FEW_SCORES = 5  # different ones, among at least so many users:
_ENOUGH_USERS = 50
_JOINS = 0.5  # of the users of the log


@dataclass(frozen=True)
class Concern:
    """Something to look at.

    Attributes
    ----------
    code
        Stable, for programs.
    words
        What is the case, and what to look at.
    """

    code: str
    words: str


@dataclass(frozen=True)
class LastWeek:
    """The batch of the week before, and its lists.

    Attributes
    ----------
    bands
        Number of scored users by risk band.
    sizes
        List to number of users who were entered.
    leading
        List to the feature that was the first reason of most of its rows, where there was one.
    """

    version: str
    bands: Mapping[str, int]
    sizes: Mapping[str, int]
    leading: Mapping[str, str]


def batch_concerns(batch: Batch, scores: pa.Table, *, last: LastWeek | None) -> Iterator[Concern]:
    """Look at the scores of all users.

    Parameters
    ----------
    last
        None: there was no batch in the week before.
    """
    raw = scores.column("raw_score").drop_null()
    different = len(raw.unique())
    if len(raw) >= _ENOUGH_USERS and different < _FEW_SCORES:
        words = f"{len(raw):,} users have only {different} different scores: look at churn audit and at the last days of the log"
        yield Concern("constant_scores", words)
    if not last:
        return
    if batch.version != last.version:
        words = (
            f"version {batch.version} scores, and version {last.version} scored last week: look at its run in MLflow"
        )
        yield Concern("model_changed", words)
    now = Counter(scores.column("risk_band").drop_null().to_pylist())
    for band in RISK_BANDS:
        was, is_now = (counts.get(band, 0) / max(sum(counts.values()), 1) for counts in (last.bands, now))
        if abs(is_now - was) > _BAND_POINTS:
            words = f"{is_now:.0%} of the scored users are in the risk band {band}, last week {was:.0%}: look at the last days of the log"
            yield Concern("bands_moved", words)


def attribute_concerns(users: pa.Array[Any], attributes: pa.Table | None) -> Iterator[Concern]:
    """Look at how many users the table of attributes knows; None: there is none."""
    if attributes is None or not len(users):
        return
    known = np.isin(np.asarray(users), np.asarray(attributes.column("user_id")))
    if known.mean() < _JOINS:
        words = (
            f"the table of [users] knows {known.mean():.0%} of the users of the log: look at how both write a user id"
        )
        yield Concern("users_do_not_join", words)


def list_concerns(name: str, entries: int, *, leading: str, last: LastWeek | None) -> Iterator[Concern]:
    """Look at one list, where there was one in the week before.

    Parameters
    ----------
    entries
        Number of users who are entered, of both arms.
    leading
        As :func:`leading_feature` finds it.
    """
    if not last or not (was := last.sizes.get(name)):
        return
    if abs(entries - was) > _MOVED * was:
        words = (
            f"list {name} has {entries:,} users, last week {was:,}: look at what changed in its settings and in the log"
        )
        yield Concern("size_moved", words)
    if leading and leading != last.leading.get(name):
        before = last.leading.get(name) or "no feature"
        words = f"list {name}: {leading} is the first reason of more than {_LEADS:.0%} of the rows, last week {before} was: look at it"
        yield Concern("one_reason_leads", words)


def leading_feature(reasons: pa.Table) -> str:
    """Return the feature that is the first reason of more than 80 % of the rows of a list; empty: there is none."""
    found = Counter(reasons.column("reason_1_feature").drop_null().to_pylist()).most_common(1)
    return next((str(name) for name, count in found if count > _LEADS * reasons.num_rows), "")
