"""Scores of all users at a cutoff as columns: who is eligible, how likely they leave, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.catalogue.definition import Feature
from models.churn_model import ChurnModel
from models.encoding import by_rows, encode
from models.reasons import MAX_REASONS, ChosenReasons, Narrator
from serving.batch.new_users import NewUsers, by_model
from serving.score import CHUNK_ROWS, RISK_BANDS, SCORED_BY, shown_percentile
from serving.settings import ScoringSettings

SCORE_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("user_id", "status", "code")),
        *((name, pa.float64()) for name in ("raw_score", "churn_probability", "percentile")),
        ("risk_band", pa.string()),
        ("as_of", pa.date32()),
    ]
)
REASON_SCHEMA = pa.schema(
    [
        pa.field(f"reason_{rank}{part}", pa.float64() if part == "_contribution" else pa.string())
        for rank in range(1, MAX_REASONS + 1)
        for part in ("", "_code", "_feature", "_contribution")
    ]
)
Mask = NDArray[np.bool_]


def score_table(model: ChurnModel, profiles: pa.Table, *, bands: ScoringSettings) -> pa.Table:
    """Score profiles, the same as :func:`serving.score.score` does one by one.

    Parameters
    ----------
    profiles
        ``user_id``, ``cutoff`` and the features of the model.

    Returns
    -------
    One row per profile, in their order, with the columns of :data:`SCORE_SCHEMA`; ``raw_score`` in log-odds before calibration.
    Who is not eligible has the code, and nulls.
    """
    eligible = is_eligible(model, profiles)
    raw = by_rows(profiles.filter(pa.array(eligible)), model.specification, score=model.raw)
    percentile = model.reference.percentile(raw)
    places = np.searchsorted([bands.medium_percentile, bands.high_percentile], percentile, side="right")
    columns: dict[str, Any] = {
        "user_id": profiles.column("user_id").cast(pa.string()),
        "status": pa.array(np.where(eligible, "scored", "unscored"), pa.string()),
        "code": pa.array(["not_eligible"] * len(eligible), pa.string(), mask=eligible),
        "raw_score": _where(eligible, raw),
        "churn_probability": _where(eligible, model.probability(raw)),
        "percentile": _where(eligible, shown_percentile(percentile)),
        "risk_band": _where(eligible, np.array(RISK_BANDS, dtype=object)[::-1][places]),
        "as_of": profiles.column("cutoff"),
    }
    return pa.table(columns, schema=SCORE_SCHEMA)


def with_new_users(scores: pa.Table, new_users: NewUsers, *, bands: ScoringSettings) -> pa.Table:
    """Give new users the scores of their own model, and append ``scored_by``: which model that is, null where it is the champion.

    Parameters
    ----------
    scores
        Of the champion, of all users, as :func:`score_table` returns them.
    """
    own = score_table(new_users.model, new_users.profiles, bands=bands)
    places = pc.index_in(scores.column("user_id").combine_chunks(), own.column("user_id").combine_chunks())
    is_new: Any = places.is_valid()
    for number, name in enumerate(SCORE_SCHEMA.names):
        column = pc.if_else(is_new, own.column(name).combine_chunks().take(places), scores.column(name))
        scores = scores.set_column(number, SCORE_SCHEMA.field(name), column)
    is_scored = pc.and_(is_new, scores.column("raw_score").is_valid())
    return scores.append_column(SCORED_BY, pc.if_else(is_scored, new_users.scored_by, pa.scalar(None, pa.string())))


def is_eligible(model: ChurnModel, profiles: pa.Table) -> Mask:
    """Tell who is scored, shape (n,)."""
    rule = model.eligibility
    days = [profiles.column(name).cast(pa.float64()).to_numpy() for name in rule.columns]
    return np.asarray(rule.mask(*days), dtype=np.bool_)


def with_reasons(
    scores: pa.Table, model: ChurnModel, *, profiles: pa.Table, new_users: NewUsers | None = None
) -> pa.Table:
    """Append the columns of :data:`REASON_SCHEMA` to scores: what moved each score most; nulls where there is no score.

    Parameters
    ----------
    profiles
        Of the same users, in the same order.
    new_users
        Whom a model of their own has scored; None: nobody.
    """
    scored, schema = np.asarray(scores.column("raw_score").is_valid()), pa.schema([*scores.schema, *REASON_SCHEMA])
    found = by_model(reasons, model, profiles=profiles.filter(pa.array(scored)), new_users=new_users)
    for name in REASON_SCHEMA.names:
        scores = scores.append_column(name, _where(scored, found.column(name).to_numpy(zero_copy_only=False)))
    return scores.cast(schema) if scores.num_rows else schema.empty_table()


def reasons(model: ChurnModel, profiles: pa.Table, *, raising: bool = False) -> pa.Table:
    """Explain scores, in blocks of rows: the columns of :data:`REASON_SCHEMA`, one row per profile.

    Parameters
    ----------
    raising
        Only what raises the risk.
    """
    blocks = (profiles.slice(start, CHUNK_ROWS) for start in range(0, profiles.num_rows, CHUNK_ROWS))
    return pa.concat_tables([REASON_SCHEMA.empty_table(), *(_reasons(model, one, raising=raising) for one in blocks)])


def _reasons(model: ChurnModel, profiles: pa.Table, *, raising: bool) -> pa.Table:
    contributions = model.contributions(encode(profiles, model.specification))
    chosen = model.narrator.choose(contributions, known=known_values(profiles, model.narrator), raising=raising)
    return reason_columns(chosen, model.narrator, profiles=profiles)


def known_values(profiles: pa.Table, narrator: Narrator) -> Mask:
    """Tell which features have a value, shape (n, features)."""
    return np.column_stack([np.asarray(profiles.column(one.name).is_valid()) for one in narrator.features])


def reason_columns(chosen: ChosenReasons, narrator: Narrator, *, profiles: pa.Table) -> pa.Table:
    """Put chosen features into words: the columns of :data:`REASON_SCHEMA`."""
    texts, codes, names = (np.full(chosen.features.shape, None, dtype=object) for _ in range(3))
    for place in np.unique(chosen.features[chosen.features >= 0]):
        feature, (rows, ranks) = narrator.features[place], np.nonzero(chosen.features == place)
        texts[rows, ranks] = _words(feature, narrator, profiles=profiles, rows=rows)
        codes[rows, ranks], names[rows, ranks] = feature.family, feature.name
    totals = np.where(chosen.features >= 0, np.round(chosen.contributions, 6), np.nan)
    found: list[pa.Array[Any]] = []
    for rank in range(MAX_REASONS):
        found += [pa.array(_at(part, rank), pa.string()) for part in (texts, codes, names)]
        found.append(pa.array(_at(totals, rank), pa.float64(), from_pandas=True))
    return pa.table(found, schema=REASON_SCHEMA)


def _at(part: NDArray[Any], rank: int) -> NDArray[Any]:
    """Return a column; nulls where a model has fewer families than ranks."""
    return part[:, rank] if rank < part.shape[1] else np.full(len(part), None, dtype=object)


def _words(feature: Feature, narrator: Narrator, *, profiles: pa.Table, rows: NDArray[np.int64]) -> list[str]:
    places, companion = pa.array(rows, pa.int64()), feature.usual[0] if feature.usual else ""
    values = profiles.column(feature.name).take(places).to_pylist()
    is_known = companion in profiles.column_names
    own = profiles.column(companion).take(places).to_pylist() if is_known else [None] * len(values)
    return [narrator.words(feature, value, own=usual) for value, usual in zip(values, own, strict=True)]


def _where(mask: Mask, values: NDArray[Any]) -> pa.Array[Any]:
    """Return values where a mask holds, in their order, and nulls elsewhere."""
    found = np.full(len(mask), None, dtype=object)
    found[mask] = values
    return pa.array(found, from_pandas=True)
