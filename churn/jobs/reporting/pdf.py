"""The page of the report as PDF, printed by a Chromium that is installed: nothing is fetched, and the same page gives the same bytes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from features.errors import InputError
from features.storage.atomic import write_atomic

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_SECONDS = 300
_HINT = "install Chromium (apt-get install chromium), or name a browser that can print: [report] browser"
_DATES = re.compile(rb"/(CreationDate|ModDate) \(D:\d{14}")


def browser_of(named: str) -> str:
    """Return the command of the browser.

    Parameters
    ----------
    named
        As the settings name it; empty: the first of :data:`BROWSERS` that is there.

    Raises
    ------
    InputError
        When there is none.
    """
    for one in [named] if named else BROWSERS:
        if found := shutil.which(one):
            return found
    what = f"[report] browser: there is no {named}" if named else "--pdf: there is no Chromium on this machine"
    raise InputError(what, hint=_HINT)


def print_pdf(page: Path, place: Path, *, browser: str, day: date) -> None:
    """Print a page.

    Parameters
    ----------
    day
        That the file says it was made on: that of the numbers, so that the bytes are theirs alone.

    Raises
    ------
    InputError
        When the browser fails.
    """
    with TemporaryDirectory() as folder:
        printed = Path(folder) / "page.pdf"
        sandbox = (
            ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        )  # Chromium refuses root with one
        command = [browser, "--headless", "--disable-gpu", "--disable-background-networking", *sandbox]
        command += [f"--user-data-dir={folder}/profile", "--no-pdf-header-footer", f"--print-to-pdf={printed}"]
        try:
            asked = [*command, page.absolute().as_uri()]
            run = subprocess.run(asked, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603  # made here, no shell
        except subprocess.TimeoutExpired as error:
            raise InputError(f"{browser} has not printed the page in {_SECONDS} seconds", hint=_HINT) from error
        if run.returncode or not printed.exists():
            said = run.stderr.decode(errors="replace").strip().splitlines()
            raise InputError(f"{browser} did not print the page: {said[-1] if said else 'it says nothing'}", hint=_HINT)
        made_on = f"D:{day:%Y%m%d}000000".encode()
        write_atomic(place, _DATES.sub(lambda found: b"/" + found[1] + b" (" + made_on, printed.read_bytes()))
