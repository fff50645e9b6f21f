"""Why the users of a list are at risk: only what raises the risk, and what nearly all share is said once, above the list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.churn_model import ChurnModel
from models.encoding import encode
from serving.batch.new_users import NewUsers, by_model
from serving.batch.score import REASON_SCHEMA, known_values, reason_columns
from serving.score import CHUNK_ROWS

SHARED = 0.8  # of the rows: a reason that more of them have tells nobody apart
MIN_ROWS = 20  # rows of a list in which something is shared
_TEXTS = ("reason_1", "reason_2", "reason_3")


@dataclass(frozen=True)
class ListReasons:
    """The columns of :data:`serving.batch.score.REASON_SCHEMA`, a row per user, and the texts that nearly all would have."""

    table: pa.Table
    shared: tuple[str, ...] = ()


def list_reasons(model: ChurnModel, profiles: pa.Table, *, new_users: NewUsers | None = None) -> ListReasons:
    """Explain the scores of a list.

    Parameters
    ----------
    profiles
        Of its users, in its order.
    new_users
        Whom a model of their own has scored; None: nobody.
    """

    def explained(said: Collection[str]) -> pa.Table:
        return by_model(partial(_explained, said=said), model, profiles=profiles, new_users=new_users)

    found = ListReasons(explained(()))
    while new := _shared(found.table):  # what takes its place may be shared as well
        shared = (*found.shared, *new)
        found = ListReasons(explained(shared), shared)
    return found


def _shared(found: pa.Table) -> tuple[str, ...]:
    if found.num_rows < MIN_ROWS:
        return ()
    counts = Counter(str(text) for name in _TEXTS for text in found.column(name).drop_null().to_pylist())
    return tuple(text for text, count in counts.most_common() if count > SHARED * found.num_rows)


def _explained(model: ChurnModel, profiles: pa.Table, *, said: Collection[str]) -> pa.Table:
    """Explain in blocks of rows, without the families whose words were said already."""
    blocks = (profiles.slice(start, CHUNK_ROWS) for start in range(0, profiles.num_rows, CHUNK_ROWS))
    return pa.concat_tables([REASON_SCHEMA.empty_table(), *(_block(model, one, said=said) for one in blocks)])


def _block(model: ChurnModel, profiles: pa.Table, *, said: Collection[str]) -> pa.Table:
    narrator, contributions = model.narrator, model.contributions(encode(profiles, model.specification))
    known = known_values(profiles, narrator)
    families = np.array([feature.family for feature in narrator.features])
    while True:  # each turn removes at least one family
        chosen = narrator.choose(contributions, known=known, raising=True)
        found = reason_columns(chosen, narrator, profiles=profiles)
        is_said = _said_already(found, said, families=families)
        if not is_said.any():
            return found
        contributions[is_said] = 0


def _said_already(found: pa.Table, said: Collection[str], *, families: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Tell for each row which features belong to a family whose words were said, shape (n, features)."""
    mask = np.zeros((found.num_rows, len(families)), dtype=np.bool_)
    for name in _TEXTS:
        rows = np.asarray(pc.is_in(found.column(name), value_set=pa.array(said, pa.string())))
        codes = found.column(f"{name}_code").to_numpy(zero_copy_only=False)
        mask |= rows[:, None] & (codes[:, None] == families[None, :])
    return mask
