"""Categories get the place of their value in the frozen map; the table's way and the mapping's way give the same numbers."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from features.errors import InputError
from features.profiles.specification import Specification
from models.encoding import encode, encode_rows, fit_categories

# tenure_days is a number, last_device_os a category
SPECIFICATION = Specification(
    ("tenure_days", "last_device_os"), (7,), categories={"last_device_os": ("android", "ios", "windows")}
)
UNKNOWN = 3.0
SCHEMA = pa.schema([("tenure_days", pa.float64()), ("last_device_os", pa.string())])


def table(*rows: tuple[float | None, str | None]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], SCHEMA)


def same(left: np.ndarray, right: np.ndarray) -> bool:
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


# --- Codes ---------------------------------------------------------------------------------------------------------


def test_a_category_is_the_place_of_its_value_in_the_map():
    found = encode(table((1.0, "android"), (2.0, "windows"), (3.0, "ios")), SPECIFICATION)
    assert found.tolist() == [[1, 0], [2, 2], [3, 1]]


@pytest.mark.parametrize("value", ["symbian", "Android", "", " ios", "None", "nan"])
def test_a_value_that_training_never_saw_is_unknown(value: str):
    assert encode(table((1.0, value)), SPECIFICATION).tolist() == [[1, UNKNOWN]]


def test_null_is_neither_zero_nor_unknown():
    assert np.isnan(encode(table((None, None)), SPECIFICATION)).all()
    assert encode(table((0.0, "symbian")), SPECIFICATION).tolist() == [[0, UNKNOWN]]


def test_a_column_that_the_model_does_not_look_at_is_missing_for_it_both_ways():
    unused = structs.replace(SPECIFICATION, unused=("last_device_os",))
    found = encode(table((1.0, "ios")), unused)
    assert found[0, 0] == 1
    assert np.isnan(found[0, 1])
    assert same(found, encode_rows([{"tenure_days": 1.0, "last_device_os": "ios"}], unused))


def test_an_empty_table_is_an_empty_matrix():
    empty = encode(SCHEMA.empty_table(), SPECIFICATION)
    assert empty.shape == encode_rows([], SPECIFICATION).shape == (0, 2)


def test_columns_come_in_the_order_of_the_specification_whatever_their_order_in_the_table():
    turned = table((5.0, "ios")).select(["last_device_os", "tenure_days"])
    assert encode(turned, SPECIFICATION).tolist() == [[5, 1]]


def test_columns_that_the_model_does_not_know_are_ignored():
    assert encode(table((5.0, "ios")).append_column("more", [[1]]), SPECIFICATION).tolist() == [[5, 1]]


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match="lack 1 of the model's features, among them last_device_os"):
        encode(table((5.0, "ios")).drop_columns(["last_device_os"]), SPECIFICATION)


# --- The map -------------------------------------------------------------------------------------------------------


def values(*found: str | None) -> pa.Table:
    return pa.table({"last_device_os": pa.array(found, pa.string())})


def test_the_most_frequent_value_comes_first_and_ties_go_by_their_bytes():
    profiles = values("b", "a", "c", "c", "é", "Z", None, None, None)
    assert fit_categories(profiles, ["last_device_os"], maximum=10) == {"last_device_os": ("c", "Z", "a", "b", "é")}


def test_values_beyond_the_maximum_share_unknown():
    frozen = fit_categories(values("a", "a", "b", "b", "c"), ["last_device_os"], maximum=2)
    specification = Specification(("last_device_os",), (7,), categories=frozen)
    assert encode(values("a", "b", "c", "d"), specification)[:, 0].tolist() == [0, 1, 2, 2]


def test_a_text_feature_that_is_always_null_has_an_empty_map():
    assert fit_categories(values(None, None), ["last_device_os"], maximum=5) == {"last_device_os": ()}
    specification = Specification(("last_device_os",), (7,), categories={"last_device_os": ()})
    assert encode(values("a"), specification).tolist() == [[0]]


@pytest.mark.parametrize("found", [[1.0, 2.5], [True, False], [date(2026, 1, 5), date(2026, 1, 6)], ["a", "b"]])
def test_the_map_and_the_codes_read_the_values_of_a_dictionary_alike(found: list[Any]):
    profiles = pa.table({"last_device_os": pa.array([found[0], *found, None]).dictionary_encode()})
    frozen = fit_categories(profiles, ["last_device_os"], maximum=5)
    codes = encode(profiles, Specification(("last_device_os",), (7,), categories=frozen))[:, 0]
    assert codes.tolist()[:3] == [0, 0, 1]
    assert np.isnan(codes[3])


@given(found=st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=1, max_size=30), seed=st.integers(0, 3))
def test_the_map_does_not_depend_on_the_order_of_rows(found: list[str | None], seed: int):
    order = np.random.default_rng(seed).permutation(len(found))
    turned = values(*(found[place] for place in order))
    assert fit_categories(turned, ["last_device_os"], maximum=3) == fit_categories(
        values(*found), ["last_device_os"], maximum=3
    )


# --- Two ways, one answer ------------------------------------------------------------------------------------------

row = st.tuples(
    st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1e-300]),
    st.none() | st.sampled_from(["android", "ios", "windows"]) | st.text(max_size=5),
)


@given(rows=st.lists(row, min_size=1, max_size=8))
def test_a_table_and_mappings_are_encoded_to_the_same_bits(rows: list[tuple[float | None, str | None]]):
    profiles = table(*rows)
    assert same(encode(profiles, SPECIFICATION), encode_rows(profiles.to_pylist(), SPECIFICATION))


@given(rows=st.lists(row, min_size=2, max_size=8))
def test_a_row_is_encoded_the_same_alone_and_among_others(rows: list[tuple[float | None, str | None]]):
    profiles: list[dict[str, Any]] = table(*rows).to_pylist()
    together = encode_rows(profiles, SPECIFICATION)
    assert all(same(together[[place]], encode_rows([one], SPECIFICATION)) for place, one in enumerate(profiles))


def test_rows_that_are_encoded_some_at_a_time_get_the_scores_of_all_at_once(monkeypatch: pytest.MonkeyPatch):
    from models import encoding
    from tests.models.model_builder import profiles_of, specification

    profiles = profiles_of(25)
    whole = encode(profiles, specification())
    monkeypatch.setattr(encoding, "_ROWS_AT_ONCE", 7)
    found = encoding.by_rows(profiles, specification(), score=lambda matrix: np.nansum(matrix, axis=1))
    assert found.tolist() == np.nansum(whole, axis=1).tolist()
    nobody = encoding.by_rows(profiles.slice(0, 0), specification(), score=lambda matrix: matrix.sum(axis=1))
    assert nobody.shape == (0,)
