"""A log in a database becomes settings with query and watermark, and without its connection."""

from __future__ import annotations

import sqlite3
import tomllib
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.churn.conftest import Command


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """A table of orders; returns its URL."""
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute(
            "create table orders (id integer, customer_id integer, ordered_at text, total real, serial integer)"
        )
        for row in range(200):
            moment = datetime(2026, 1, 1, 9) + timedelta(hours=7 * row)  # noqa: DTZ001
            values = (row + 1, 100 + row * row % 17, f"{moment:%Y-%m-%d %H:%M:%S}", row / 4, 1000 + row)
            connection.execute("insert into orders values (?, ?, ?, ?, ?)", values)
    return f"sqlite:///{tmp_path / 'shop.db'}"


def test_a_query_becomes_settings(command: Command, tmp_path: Path, shop: str):
    query = "select id, customer_id, ordered_at, total from orders"
    ran = command("init", "--connection", shop, "--query", query)
    assert ran.code == 0, ran.err
    written = tomllib.loads((tmp_path / "churn.toml").read_text())
    assert written["project"]["name"] == "shop"
    assert (written["events"]["query"], written["events"]["watermark"]) == (query, "id")
    assert written["events"]["columns"] == {
        "user_id": "customer_id",
        "event_time": "ordered_at",
        "event_type": "'purchase'",
        "amount": "total",
    }
    assert shop not in (tmp_path / "churn.toml").read_text()
    assert "200; set aside 0" in ran.out


def test_of_two_columns_that_grow_one_has_to_be_named(command: Command, tmp_path: Path, shop: str):
    ran = command("init", "--connection", shop, "--query", "select * from orders")
    assert ran.code == 2
    assert "--answer watermark=serial" in ran.err
    ran = command("init", "--connection", shop, "--query", "select * from orders", "--answer", "watermark=serial")
    assert ran.code == 0, ran.err
    assert tomllib.loads((tmp_path / "churn.toml").read_text())["events"]["watermark"] == "serial"


@pytest.mark.parametrize("options", [(), ("a.csv", "--query", "select 1"), ("--connection", "sqlite://")])
def test_one_log_has_to_be_named(command: Command, options: tuple[str, ...]):
    ran = command("init", *options)
    assert ran.code == 2
    assert "name one log" in ran.err
