"""What becomes of a file on a bad disk: it is cut short, a bit of it is turned, or it is gone (``Path.unlink``)."""

from pathlib import Path


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def alter(path: Path) -> None:
    """Turn one bit in the middle."""
    content = bytearray(path.read_bytes() or b"0")
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
