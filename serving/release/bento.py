"""A Bento of a release: a folder that starts the service, with its packages and every requirement pinned, and nothing else.

::

    <BENTOML_HOME>/bentos/churn/<version>/src/    features/, models/, serving/; release/: the release as it was written
    <BENTOML_HOME>/bentos/churn/<version>/env/    requirements.txt, with the versions that are installed here; Dockerfile

It is named by a digest of its content. Neither MLflow nor the code that trains is in it.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from features.errors import InputError
from features.storage.versions import digest_of
from serving.release.release import check_release, store_of

NAME, SERVICE = "churn", "serving.service:ChurnService"
PACKAGES = ("features", "models", "serving")
# What the service imports; what these need comes with them.
REQUIREMENTS = (
    "babel",
    "bentoml",
    "duckdb",
    "filelock",
    "fsspec",
    "httptools",
    "jinja2",
    "lightgbm",
    "limits",
    "msgspec",
    "numpy",
    "packaging",
    "prometheus-client",
    "pyarrow",
    "pydantic",
    "pytz",
    "scikit-learn",
    "scipy",
    "starlette",
    "threadpoolctl",
    "tzdata",
    "uvicorn",
    "uvloop",
)
_TOP = Path(__file__).parents[2]  # of the checkout, or where the wheel was installed to
_IGNORED = shutil.ignore_patterns("__pycache__", "registry", "spark", "spark.py")


@dataclass(frozen=True)
class BentoFolder:
    """A Bento in BentoML's store.

    Attributes
    ----------
    bytes
        Size of its content.
    """

    tag: str
    path: Path
    bytes: int


def build_bento(release: Path) -> BentoFolder:
    """Build a Bento of a release, unless one of the same content is there.

    Raises
    ------
    InputError
        When the release is damaged or has no store, or BentoML cannot build.
    """
    check_release(release)
    if store_of(release) is None:
        raise InputError(f"{release} has no profile store", hint="fill it: churn score --as-of DATE")
    with TemporaryDirectory(prefix="churn-bento-") as folder:
        draft = Path(folder)
        for name in PACKAGES:
            shutil.copytree(_TOP / name, draft / name, ignore=_IGNORED)
        shutil.copytree(release, draft / "release")
        (draft / "bentofile.yaml").write_bytes(msgspec.yaml.encode(_build_options()))
        version = digest_of(draft)
        path = _store() / "bentos" / NAME / version
        if not path.exists():
            _build(draft, version)
    size = sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return BentoFolder(f"{NAME}:{version}", path, size)


def pinned(names: Iterable[str]) -> list[str]:
    """Return the requirements of some packages and of all that they need, each with the version that is installed, sorted by name.

    Raises
    ------
    InputError
        When one is not installed.
    """
    found: dict[str, str] = {}
    waiting, seen = [Requirement(name) for name in names], set[str]()
    while waiting:
        one = waiting.pop()
        if str(one) in seen:
            continue
        seen.add(str(one))
        try:
            installed = distribution(one.name)
        except PackageNotFoundError:
            raise InputError(
                f"{one.name} is not installed", hint="install churn again: its wheel requires it"
            ) from None
        found[canonicalize_name(one.name)] = installed.version
        waiting += _needed(one, installed.requires or ())
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _needed(by: Requirement, requires: Iterable[str]) -> Iterator[Requirement]:
    for text in requires:
        one = Requirement(text)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in (by.extras or {""})):
            yield one


def _build_options() -> dict[str, object]:
    return {
        "service": SERVICE,
        "description": "Churn probabilities with reasons over HTTP: POST /v1/score.",
        "include": [*(f"{name}/**/*" for name in PACKAGES), "release/**/*"],
        "python": {
            "packages": pinned(REQUIREMENTS),
            "lock_packages": False,
        },  # it is complete, and locking asks the network
        "docker": {
            "python_version": ".".join(platform.python_version_tuple()[:2]),
            "system_packages": ["libgomp1"],  # LightGBM's OpenMP
        },
    }


def _store() -> Path:
    return Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml").absolute()


def _build(draft: Path, version: str) -> None:
    command = [sys.executable, "-m", "bentoml", "build", "--version", version, "--do-not-track"]
    about = {
        "PYTHONPATH": str(draft),
        "BENTOML_HOME": str(_store()),
        "BENTOML_DO_NOT_TRACK": "true",
        "DO_NOT_TRACK": "1",
    }
    _store().mkdir(parents=True, exist_ok=True)
    # Made here, no shell; PYTHONPATH, so that the packages that are built are those of the draft.
    ran = subprocess.run(command, cwd=draft, env=os.environ | about, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode:
        said = re.sub(r"\s+", " ", (ran.stderr or ran.stdout).strip())[-500:]
        raise InputError(f"BentoML cannot build the Bento: {said}", hint="BENTOML_HOME names where Bentos are kept")
