"""Finished answers: what the service says of each user, as the bytes that it sends, so that a look-up needs no model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET, structs

from features.eligibility import Eligibility
from models.reasons import MAX_REASONS, Reason
from serving.score import SCORED_BY, Score

TABLE = """create table answers (user_id text primary key, code text, answer blob, reasons blob) without rowid"""
FIND = "select code, answer, reasons from answers where user_id = ?"
# of the champion: who is new was scored by another model
SOME = """select user_id, answer from answers where code is null
    and instr(cast(answer as text), '"scored_by":"') = 0 limit 3"""
INSERT = "insert into answers values (?, ?, ?, ?)"
_NO_REASONS = b'"reasons":[]'  # as a key, it cannot be inside a text, where quotes are escaped
_ROWS_AT_ONCE = 10_000


class AnswersOf(msgspec.Struct, frozen=True):
    """What answers depend on besides the profiles and the shift of the store: they are another's where one of these differs.

    Attributes
    ----------
    model
        Digest of the files of the model.
    version
        Of the model: the shift belongs to it.
    """

    model: str
    version: str
    high_percentile: float
    medium_percentile: float


@dataclass(frozen=True)
class BatchAnswers:
    """The scores of all users of a store, with their reasons, as :func:`serving.batch.score.with_reasons` returns them.

    Attributes
    ----------
    eligibility
        Says why somebody has no score.
    """

    of: AnswersOf
    scores: pa.Table
    eligibility: Eligibility

    def rows(self, profiles: pa.Table, arms: Mapping[str, str], *, epoch: str) -> Iterator[tuple[Any, ...]]:
        """Return for each user the id, the code, the answer and its reasons, as rows of the table.

        Parameters
        ----------
        profiles
            Of the same users, in the same order.
        arms
            User to arm; empty where arms are not known.
        """
        encode = msgspec.json.Encoder().encode
        for start in range(0, self.scores.num_rows, _ROWS_AT_ONCE):
            rows = self.scores.slice(start, _ROWS_AT_ONCE).to_pylist()
            for row, detail in zip(rows, self._details(profiles.slice(start, len(rows))), strict=True):
                answer = structs.replace(_score_of(row), detail=detail if row["code"] else UNSET)
                if arms:
                    answer = structs.replace(answer, arm=arms[answer.user_id or ""], epoch=epoch)
                yield row["user_id"], row["code"], encode(answer), encode(_reasons_of(row))

    def _details(self, profiles: pa.Table) -> list[str]:
        columns = [profiles.column(name).cast(pa.float64()).to_numpy() for name in self.eligibility.columns]
        return [self.eligibility.why_not(*days) for days in np.column_stack(columns).tolist()]


def _score_of(row: Mapping[str, Any]) -> Score:
    """Return the score of a row of the batch, without reasons."""
    names = ("user_id", "status", "code", "churn_probability", "percentile", "risk_band", "as_of")
    found = Score(**{name: row[name] for name in names})
    return structs.replace(found, scored_by=row[SCORED_BY]) if row.get(SCORED_BY) else found


def _reasons_of(row: Mapping[str, Any]) -> list[Reason]:
    ranks = [f"reason_{rank}" for rank in range(1, MAX_REASONS + 1)]
    return [
        Reason(row[f"{one}_code"], row[f"{one}_feature"], row[one], row[f"{one}_contribution"])
        for one in ranks
        if row[f"{one}_code"] is not None
    ]


class _Shown(msgspec.Struct):
    risk_band: str
    churn_probability: float | None
    scored_by: str | None = None


_SHOWN = msgspec.json.Decoder(_Shown)


class StoredAnswer(NamedTuple):
    """The answer for one user, found in a store."""

    code: str | None
    answer: bytes
    reasons: bytes

    @property
    def outcome(self) -> str:
        """``scored``, or the code that says why not."""
        return self.code or "scored"

    @property
    def scored_by(self) -> str:
        """The model of new users, where it scored the user; empty where it did not."""
        return "" if self.code else _SHOWN.decode(self.answer).scored_by or ""

    @property
    def scored(self) -> tuple[str, float] | None:
        """Band and probability, of all that the bytes say; None where there is no score, or it is not the champion's."""
        if self.code:
            return None
        found = _SHOWN.decode(self.answer)
        if found.churn_probability is None or found.scored_by:
            return None
        return found.risk_band, found.churn_probability

    def json(self, *, with_reasons: bool) -> bytes:
        """Return the bytes of the answer."""
        return self.answer.replace(_NO_REASONS, b'"reasons":' + self.reasons, 1) if with_reasons else self.answer
