"""The SHA-256 of each file of a model, in its manifest: checked before LightGBM reads one, whose process a damaged file would end.

Models that were saved before have none. Of these, trees are checked to be whole.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from features.errors import InputError

MANIFEST = "churn_model.json"
_KEY = "digests"
_SIZES = re.compile(rb"^tree_sizes=([\d ]*)$", re.MULTILINE)
_WAY_OUT = "restore it from a backup, go back to another version (churn rollback), or train one: churn train"


def with_digests(manifest: bytes, folder: Path, *, files: Iterable[str]) -> bytes:
    """Return a manifest with the digests of files in a folder, and with its own over all that it says besides."""
    content: dict[str, Any] = msgspec.json.decode(manifest)
    content[_KEY] = {name: _digest((folder / name).read_bytes()) for name in files}
    content[_KEY][MANIFEST] = _own_digest(content)
    return msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=1)


def checked_digests(manifest: bytes, place: Path) -> dict[str, str]:
    """Return the digests of the other files that a manifest names; none of an older model.

    Raises
    ------
    InputError
        When the manifest, read from ``place``, is not what was saved.
    """
    content = msgspec.json.decode(manifest, type=dict[str, Any])
    digests: Any = content.get(_KEY)
    if not isinstance(digests, dict):
        return {}
    if digests.pop(MANIFEST, None) != _own_digest(content):
        raise damaged(place, "its content does not have the SHA-256 that it names")
    return digests


def checked_text(path: Path, expected: str | None) -> str:
    """Read the trees of a model.

    Parameters
    ----------
    expected
        Their digest; None: of an older model, whose trees are only checked to be whole.

    Raises
    ------
    InputError
        When they are not what was saved.
    """
    read = path.read_bytes()
    if expected is None and not _is_whole(read):
        raise damaged(path, "the file ends before the last of its trees")
    if expected is not None and _digest(read) != expected:
        raise damaged(path, f"its SHA-256 is {_digest(read)[:12]}..., expected {str(expected)[:12]}...")
    return read.decode()


def damaged(path: Path, why: str) -> InputError:
    """Return the error of a file that is not what was saved."""
    return InputError(f"{path} is damaged: {why}", hint=_WAY_OUT)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _own_digest(content: dict[str, Any]) -> str:
    """Return a digest of what a manifest says, however it is laid out."""
    return _digest(msgspec.json.encode(content, order="sorted"))


def _is_whole(trees: bytes) -> bool:
    """Tell whether LightGBM's text holds all trees that its head announces."""
    sizes = _SIZES.search(trees)
    announced = sum(map(int, sizes[1].split())) if sizes else 0
    return trees.find(b"end of trees") == trees.find(b"Tree=0") + announced
