from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from models.churn_model import ChurnModel
from models.reasons import Reason
from serving.batch.score import score_table, to_table
from serving.score import CHUNK_ROWS, Score, score
from serving.settings import ScoringSettings
from tests.models.model_builder import profiles_of, rows_of, tiny_model

BANDS = ScoringSettings()
SCORES = score(tiny_model(), rows_of(profiles_of(120, seed=3)), bands=BANDS)


def test_a_table_and_its_rows_get_the_same_scores(model: ChurnModel, profiles: pa.Table):
    assert score_table(model, profiles, bands=BANDS) == SCORES


def test_the_border_of_a_chunk_changes_no_score(model: ChurnModel, profiles: pa.Table):
    copies = pa.concat_tables([profiles] * (CHUNK_ROWS // profiles.num_rows + 1))
    found = score_table(model, copies, bands=BANDS)
    assert len(found) == copies.num_rows > CHUNK_ROWS
    assert all(found[row] == SCORES[row % 120] for row in range(CHUNK_ROWS - 60, CHUNK_ROWS + 60))


def test_each_reason_has_columns_of_its_own():
    table = to_table(SCORES)
    assert table.num_rows == 120
    place = next(place for place, one in enumerate(SCORES) if one.reasons)
    row: dict[str, Any] = table.slice(place, 1).to_pylist()[0]
    assert row["reason_1"] == SCORES[place].reasons[0].text
    assert row["reason_1_code"] == SCORES[place].reasons[0].code
    assert row["churn_probability"] == SCORES[place].churn_probability
    assert np.isclose(row["reason_1_contribution"], SCORES[place].reasons[0].contribution)


def test_a_user_with_one_reason_has_no_second_and_an_unscored_user_has_none():
    reason = Reason("recency", "days_since_last_event", "last active 6 days ago", 0.84)
    scored = Score("anna", "scored", None, 0.4, 93.5, "high", date(2026, 6, 1), [reason])
    rows = to_table([scored, Score("bob", "unscored", "not_eligible", as_of=date(2026, 6, 1))]).to_pylist()
    none = {"reason_2": None, "reason_2_code": None, "reason_2_contribution": None}
    none |= {"reason_3": None, "reason_3_code": None, "reason_3_contribution": None}
    assert rows[0] == {
        "user_id": "anna",
        "status": "scored",
        "code": None,
        "churn_probability": 0.4,
        "percentile": 93.5,
        "risk_band": "high",
        "as_of": date(2026, 6, 1),
        "reason_1": "last active 6 days ago",
        "reason_1_code": "recency",
        "reason_1_contribution": 0.84,
        **none,
    }
    assert (rows[1]["code"], rows[1]["churn_probability"], rows[1]["reason_1"]) == ("not_eligible", None, None)


def test_no_scores_are_an_empty_table_of_the_same_columns_and_types():
    assert to_table([]).schema == to_table(SCORES).schema
    assert to_table([]).num_rows == 0
