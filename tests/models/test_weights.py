"""Weighted sums, against NumPy's."""

import numpy as np
import pytest

from models.weights import weighted


def test_one_column_is_summed_with_its_weights():
    assert weighted(np.array([1.0, 2.0, 0.5]), np.array([3.0, 4.0, 10.0])) == pytest.approx(16.0)


def test_several_columns_are_summed_each():
    random = np.random.default_rng(1)
    weights, values = random.random(50), random.random((50, 3))
    assert weighted(weights, values) == pytest.approx(weights @ values)
