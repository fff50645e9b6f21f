"""No group is so small that it tells of single people, and none can be had by subtraction."""

from hypothesis import given
from hypothesis import strategies as st

from insights.statistics.small_groups import shown_groups


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 60), max_size=20))
def test_what_is_hidden_is_two_groups_or_more_and_enough_users(sizes: dict[str, int]):
    shown = shown_groups(sizes)
    hidden = [name for name in sizes if name not in shown]
    assert all(sizes[name] >= 20 for name in shown)
    assert len(shown) <= 12
    if hidden and shown:
        assert len(hidden) > 1
        assert sum(sizes[name] for name in hidden) >= 20


def test_nothing_is_hidden_where_all_are_large():
    assert shown_groups({"b": 20, "a": 20, "c": 30}) == ["c", "a", "b"]
