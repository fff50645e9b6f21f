"""`churn report --pdf`: printed by a Chromium that is there, the same bytes each time."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

import churn
from churn.jobs.reporting.pdf import BROWSERS, browser_of, print_pdf
from features.errors import InputError
from models.page import Page

BROWSER = next((found for one in BROWSERS if (found := shutil.which(one))), "")
needs_chromium = pytest.mark.skipif(not BROWSER, reason="there is no Chromium (apt-get install chromium)")


@pytest.mark.slow
@needs_chromium
def test_the_same_page_is_the_same_pdf(tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text(Page("A report", "留存", {"Question": "answer"}).to_html())
    for name in ("a.pdf", "b.pdf"):
        print_pdf(page, tmp_path / name, browser=BROWSER, day=date(2026, 1, 5))
    found = (tmp_path / "a.pdf").read_bytes()
    assert found == (tmp_path / "b.pdf").read_bytes()
    assert found.startswith(b"%PDF")
    assert b"/CreationDate (D:20260105000000" in found


def test_a_browser_that_is_not_there_is_named_before_the_log_is_read(tmp_path: Path):
    settings = {"report.pdf": True, "report.browser": "no-such-browser"}
    with pytest.raises(InputError, match="there is no no-such-browser") as error:
        churn.Project(home=tmp_path / "home", events=str(tmp_path / "gone.parquet"), settings=settings).report()
    assert "install Chromium" in str(error.value)


def test_a_browser_that_fails_is_told_with_its_own_words(tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text("<p>")
    with pytest.raises(InputError, match="did not print the page"):
        print_pdf(page, tmp_path / "a.pdf", browser=str(shutil.which("false")), day=date(2026, 1, 5))
    assert not (tmp_path / "a.pdf").exists()


def test_the_first_browser_that_is_there_prints():
    if BROWSER:
        assert browser_of("") == BROWSER
    else:
        with pytest.raises(InputError, match="there is no Chromium"):
            browser_of("")
