"""The public names of the package: every one is there, and importing the package loads none of them."""

import subprocess
import sys

import pytest

import features


@pytest.mark.parametrize("name", features.__all__)
def test_a_public_name_is_there(name: str):
    assert getattr(features, name).__name__ == name


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        features.nothing  # noqa: B018


def test_importing_the_package_loads_nothing_else():
    code = (
        "import sys, features; print(sorted(name for name in sys.modules if name.startswith(('features.', 'duckdb'))))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
