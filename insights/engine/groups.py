"""What is known of users besides when they were active: where they came from, and what they use."""

from __future__ import annotations

from insights.engine.active_days import ActiveDays

# contract column that divides users into groups; each is a column of both tables below
DIMENSIONS = ("channel", "device_os", "device_model", "app_version", "network")


def known_dimensions(log: ActiveDays) -> tuple[str, ...]:
    """Return the dimensions that the log has."""
    return tuple(name for name in DIMENSIONS if name in log.facts)


def make_groups(log: ActiveDays) -> None:
    """Make ``origins`` and ``latest``: ``uid`` and the first, or the last, known value of each dimension."""
    for table, of, at in (("origins", "arg_min", "first_at"), ("latest", "arg_max", "last_at")):
        values = "".join(f", {of}({name}, {at}) as {name}" for name in DIMENSIONS)
        log.make(table, f"select uid{values} from ({log.relation('contexts')}) group by uid")
