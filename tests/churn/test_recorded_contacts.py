"""What the team's tools record of contacts: who, when, at what cost, and which arm."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

import churn
from churn.contacts.recorded import RecordedContacts
from churn.contacts.treatment import treatment_of


def recorded(folder: Path, column: str, rows: Sequence[tuple[str, str, str]], *, written: str = "") -> RecordedContacts:
    """The contacts of a table with one more column."""
    lines = [f"user_id,contacted_at,{column}", *(",".join(row) for row in rows)]
    (folder / "contacts.csv").write_text("\n".join(lines))
    contacts = f'[contacts]\npath = "contacts.csv"\ncolumns = {{ {column} = "{column}" }}\n'
    (folder / "churn.toml").write_text(f"{contacts}[contacts.format]\n{written}\n")
    return RecordedContacts(churn.Project(folder / "churn.toml", home=folder / "home"), "UTC")


def test_who_was_contacted_at_a_cost_that_is_unreadable_was_contacted(tmp_path: Path):
    costs = ("2", "4", "free", "nan", "")
    found = recorded(tmp_path, "cost", [("anna", f"2026-04-{day}", cost) for day, cost in enumerate(costs, 14)])
    assert found.contacts is not None
    assert (len(found.contacts.at["anna"]), found.contacts.cost) == (5, 3.0)
    assert found.set_aside == {"cost is unreadable": 2}


def test_costs_that_are_read_are_not_spoken_of(tmp_path: Path):
    assert recorded(tmp_path, "cost", [("anna", "2026-04-14", "2")]).set_aside == {}
    assert recorded(tmp_path, "campaign", [("anna", "2026-04-14", "spring")]).set_aside == {}


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_arms_at_one_instant_held_out_counts_and_else_the_latest(tmp_path: Path, order: int):
    rows = [
        *[("anna", "2026-04-14", "treated"), ("anna", "2026-04-14", "held_out")],
        *[("bob", "2026-04-13", "held_out"), ("bob", "2026-04-14", "treated")],
    ]
    assert recorded(tmp_path, "arm", rows[::order]).given_arms == {"anna": "held_out", "bob": "treated"}


@pytest.mark.parametrize(
    ("costs", "mean"), [(("1.234", "1,5"), 617.75), (("2,5", "3,50"), 3.0), (("1,5", "-", "2,50", "unknown"), 2.0)]
)
def test_a_cost_may_have_a_comma_before_decimals(tmp_path: Path, costs: Sequence[str], mean: float):
    rows = [("anna", f"2026-04-{day}", f'"{cost}"') for day, cost in enumerate(costs, 14)]
    found = recorded(tmp_path, "cost", rows, written='decimal = ","\nnull = ["-"]')
    assert found.contacts is not None
    assert found.contacts.cost == pytest.approx(mean)
    assert found.set_aside == ({"cost is unreadable": 1} if "unknown" in costs else {})


def test_who_is_assigned_to_be_held_out_was_not_contacted(tmp_path: Path):
    rows = [
        *[("anna", "2026-04-14", "held_out"), ("bob", "2026-04-14", "treated")],
        *[("carl", "2026-04-14", "held_out"), ("carl", "2026-04-15", "")],  # a contact for all that
    ]
    found = recorded(tmp_path, "arm", rows)
    assert found.contacts is not None
    assert {user: len(times) for user, times in found.contacts.at.items()} == {"bob": 1, "carl": 1}
    assert found.last_days(before=date(2026, 4, 20)) == {"bob": date(2026, 4, 14), "carl": date(2026, 4, 15)}
    assert found.given_arms == {"anna": "held_out", "bob": "treated", "carl": "held_out"}
    assert found.given_share == 2 / 3
    assert set(treatment_of(found.project).entries.column("user_id").to_pylist()) == {"bob", "carl"}


def test_last_days_may_go_up_to_the_latest_contact_after_the_cutoff(tmp_path: Path):
    rows = [
        ("anna", "2026-04-19T23:00:00", ""),
        ("anna", "2026-04-20T08:00:00", ""),
        ("bob", "2026-04-21T08:00:00", ""),
    ]
    found = recorded(tmp_path, "campaign", rows)
    assert found.latest == "2026-04-21T08:00:00+00:00"
    monday, tuesday = date(2026, 4, 20), date(2026, 4, 21)
    assert found.last_days(before=monday) == {"anna": date(2026, 4, 19)}
    assert found.last_days(before=monday, until="2026-04-20T08:00:00+00:00") == {"anna": monday}
    assert found.last_days(before=monday, until=found.latest) == {"anna": monday, "bob": tuesday}
    assert found.last_days(before=tuesday, until="2026-04-01T00:00:00+00:00") == {"anna": monday}


def test_the_cost_of_a_contact_is_that_of_those_who_were_contacted(tmp_path: Path):
    (tmp_path / "contacts.csv").write_text(
        "user_id,contacted_at,arm,cost\nanna,2026-04-14,held_out,0\neve,2026-04-14,held_out,none\nbob,2026-04-14,treated,4\n"
    )
    (tmp_path / "churn.toml").write_text(
        '[contacts]\npath = "contacts.csv"\ncolumns = { arm = "arm", cost = "cost" }\n'
    )
    found = RecordedContacts(churn.Project(tmp_path / "churn.toml", home=tmp_path / "home"), "UTC")
    assert found.contacts is not None
    assert found.contacts.cost == 4
    assert found.set_aside == {}
