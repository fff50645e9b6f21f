"""The one rule, as properties.

A profile is a pure function of the frozen profile specification and of one user's events before the cutoff: so neither later
events, nor the order of rows, nor other users can change one bit of it.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from features.profiles.build import build_profiles
from features.profiles.specification import Specification
from features.snapshots import instant
from tests.builders import Row, World, events_at, passing_world, write
from tests.worlds import FIRST, FITTED, TWO_WINDOWS, RandomLog, examples, random_logs

few = examples(5, 24)


def world(log: RandomLog, rows: Sequence[Row]) -> AbstractContextManager[World]:
    """The log's settings over other rows."""
    return passing_world(rows, **log.settings())


def frozen(whole: World) -> Specification:
    """Every feature that the whole log can answer, over two windows."""
    return whole.specification(fitted=FITTED, windows=TWO_WINDOWS)


def bits(world: World, specification: Specification, cutoffs: Sequence[date]) -> dict[tuple[str, date], list[Any]]:
    """Profiles by user and cutoff, floats as the hexadecimal text of their bits."""
    profiles = build_profiles(world.activity(), specification, cutoffs=cutoffs).to_pylist()
    return {
        (profile["user_id"], profile["cutoff"]): [
            value.hex() if isinstance(value, float) else value for value in profile.values()
        ]
        for profile in profiles
    }


def before(log: RandomLog, cutoff: date) -> list[Row]:
    return [row for row in log.rows if row["event_time"].astimezone(UTC) < instant(cutoff, log.zone)]


@few
@given(random_logs())
def test_events_at_or_after_the_cutoff_never_change_a_profile(log: RandomLog):
    cutoff = log.cutoffs[0]
    with world(log, log.rows) as whole, world(log, before(log, cutoff)) as known_then:
        specification = frozen(whole)
        assert bits(whole, specification, [cutoff]) == bits(known_then, specification, [cutoff])


@few
@given(random_logs())
def test_days_kept_from_the_whole_log_are_those_of_the_log_as_it_was(log: RandomLog):
    cutoff, columns = log.cutoffs[0], "* exclude (user_id, day)"
    with world(log, log.rows) as whole, world(log, before(log, cutoff)) as known_then:
        for relation in ("days", "contexts", "event_types"):
            kept = [found for found in whole.daily(columns, relation=relation) if found[1] < str(cutoff)]
            assert kept == known_then.daily(columns, relation=relation)


@few
@given(random_logs())
def test_activity_kept_from_the_whole_log_gives_the_profiles_that_fresh_activity_gives(log: RandomLog):
    cutoff = log.cutoffs[0]
    with world(log, log.rows) as kept:
        kept.activity()
        assert kept.activity().is_reused
        specification = frozen(kept)
        first = bits(kept, specification, [cutoff])
        write(kept.path, before(log, cutoff))
        assert not kept.activity().is_reused
        assert bits(kept, specification, [cutoff]) == first


@few
@given(random_logs(), st.randoms(use_true_random=False), st.integers(1, 4))
def test_the_order_of_rows_and_their_split_over_files_never_change_a_profile(
    log: RandomLog, random: Random, files: int
):
    shuffled = random.sample(log.rows, len(log.rows))
    with world(log, log.rows) as whole, world(log, shuffled) as one_file:
        split = split_over(files, shuffled, one_file)
        specification = frozen(whole)
        assert bits(split, specification, log.cutoffs) == bits(whole, specification, log.cutoffs)


def split_over(files: int, rows: Sequence[Row], one_file: World) -> World:
    """The same rows, dealt out to several files."""
    folder = one_file.home.with_name("split")
    for file in range(files):
        write(folder / f"{file}.parquet", rows[file::files])
    events = events_at(folder, rows, covered_until=one_file.settings.events.covered_until)
    return World(replace(one_file.settings, events=events), one_file.home)


@few
@given(random_logs(), st.data())
def test_other_users_never_change_a_profile(log: RandomLog, data: st.DataObject):
    users = {data.draw(st.sampled_from(log.users)), FIRST["user_id"]}
    own = [row for row in log.rows if row["user_id"] in users]
    with world(log, log.rows) as crowded, world(log, own) as alone:
        specification = frozen(crowded)
        found = bits(crowded, specification, log.cutoffs)
        assert {key: found[key] for key in found if key[0] in users} == bits(alone, specification, log.cutoffs)


@few
@given(random_logs())
def test_other_cutoffs_in_the_same_build_never_change_a_profile(log: RandomLog):
    with world(log, log.rows) as whole:
        specification = frozen(whole)
        together = bits(whole, specification, log.cutoffs)
        one_by_one = [bits(whole, specification, [cutoff]) for cutoff in log.cutoffs]
    assert together == {key: profile for profiles in one_by_one for key, profile in profiles.items()}
