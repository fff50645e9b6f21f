"""What a Bento requires, and what is refused; that it answers by itself is shown by ``tests/test_packaging.py``."""

from importlib.metadata import version
from pathlib import Path

import pytest

from features.errors import InputError
from features.storage.versions import Place
from serving.release.bento import REQUIREMENTS, build_bento, pinned
from serving.release.bundle import ServingBundle
from serving.release.release import write_release


def test_everything_that_is_needed_is_pinned_to_the_version_that_is_installed_here():
    found = dict(one.split("==") for one in pinned(REQUIREMENTS))
    assert set(REQUIREMENTS) < set(found)
    assert all(version(name) == number for name, number in found.items())
    assert {"scipy", "click", "anyio"} <= set(found)  # of LightGBM, BentoML, Starlette
    assert not {"mlflow", "mlflow-skinny", "churn", "altair", "pandas", "pyspark"} & set(found)
    assert list(found) == sorted(found)


def test_what_an_extra_needs_is_pinned_where_the_extra_is_asked_for():
    found = [{one.partition("==")[0] for one in pinned([name])} for name in ("psycopg", "psycopg[binary]")]
    assert found[1] - found[0] == {"psycopg-binary"}


def test_what_is_not_installed_is_named():
    with pytest.raises(InputError, match="no-such-package is not installed"):
        pinned(["no-such-package"])


def test_a_release_without_profiles_or_with_damaged_files_is_refused(bundle: ServingBundle, tmp_path: Path):
    release = write_release(Place(tmp_path / "releases"), bundle)
    with pytest.raises(InputError, match="has no profile store"):
        build_bento(release)
    (release / "release.json").write_text("{}")
    with pytest.raises(InputError, match="is damaged"):
        build_bento(release)
