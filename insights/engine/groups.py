"""What is known of users besides when they were active: where they came from, and what they use."""

from __future__ import annotations

from insights.engine.active_days import ActiveDays

# contract column that divides users into groups; each is a column of both tables below
DIMENSIONS = ("channel", "device_os", "device_model", "app_version", "network")


def known_dimensions(log: ActiveDays) -> tuple[str, ...]:
    """Return the dimensions that the log has."""
    return tuple(name for name in DIMENSIONS if name in log.facts)


def make_groups(log: ActiveDays) -> None:
    """Make ``origins`` and ``latest``: ``uid`` and the first, or the last, known value of each dimension.

    Of several at the same instant, ``origins`` has the first one in their order, ``latest`` the last, whatever the order of the rows.
    """
    for table, of, at in (("origins", "arg_min", "first_at"), ("latest", "arg_max", "last_at")):
        values = "".join(f", {of}({name}, row({at}, {name})) as {name}" for name in DIMENSIONS)
        log.make(table, f"select uid{values} from ({log.relation('contexts')}) group by uid")
