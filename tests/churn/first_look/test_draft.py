"""The text of a proposed churn.toml is TOML, whatever the log holds."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from churn.first_look.draft import Draft, Line, project_name_of, toml_value
from churn.results.first_look import Finding
from churn.settings import Settings


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_is_read_back_as_it_was(text: str):
    assert tomllib.loads(f"value = {toml_value(text)}")["value"] == text


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
)
def test_evidence_never_leaves_its_comment(evidence: str, place: str):
    columns = {"user_id": Finding("who", evidence)}
    draft = Draft((evidence,), "log", {"path": Line(place, evidence)}, columns)
    assert tomllib.loads(draft.to_toml()) == {
        "project": {"name": "log"},
        "events": {"path": place, "columns": {"user_id": "who"}},
    }


@given(st.text())
def test_the_name_of_a_project_is_one_that_settings_take(place: str):
    Settings.model_validate({"project": {"name": project_name_of(place)}})
