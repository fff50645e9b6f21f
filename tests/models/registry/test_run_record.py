"""The record of a training: long texts are cut to what every store of MLflow accepts."""

from models.registry.run_record import shortened


def test_a_short_text_stays_as_it_is():
    assert shortened("# Title\n\nText") == "# Title\n\nText"


def test_a_long_text_ends_after_a_complete_line():
    lines = [f"| row {number} | value |" for number in range(1_000)]
    found = shortened("\n".join(lines))
    *kept, blank, dots = found.splitlines()
    assert len(found) <= 5_000
    assert kept == lines[: len(kept)]
    assert len(kept) > 200
    assert (blank, dots) == ("", "...")
