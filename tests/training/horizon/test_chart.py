"""The chart of the horizon advice: a PNG of both panels, the same bytes each time."""

from pathlib import Path

from training.horizon.advice import Advice, IdleRow
from training.horizon.chart import draw
from training.horizon.rule import Candidate
from training.horizon.survival import Share


def advice(recommended: int | None = 14) -> Advice:
    back, none = Share(0.08, 0.05, 0.11), Share(0.2, None, None)
    candidates = (
        Candidate(7, 8, 20, 900, 200, Share(0.3, 0.25, 0.35), 0.2, back_soon=back, back_ever=back),
        Candidate(14, 6, 19, 900, 180, none, 0.1, back_soon=None, back_ever=None),
    )
    rows = tuple(IdleRow(day, 100 - day, Share(1 / day, None, None), back, day, 2 * day) for day in range(1, 20))
    return Advice(rows, candidates, 7, recommended, "a rule", "a reason", (), reach_days=40, return_share=0.1)


def test_equal_advice_gives_equal_bytes(tmp_path: Path):
    draw(advice(), tmp_path / "one.png")
    draw(advice(), tmp_path / "two.png")
    found = (tmp_path / "one.png").read_bytes()
    assert found.startswith(b"\x89PNG")
    assert found == (tmp_path / "two.png").read_bytes()


def test_it_is_drawn_without_a_recommendation_and_without_intervals(tmp_path: Path):
    draw(advice(None), tmp_path / "none.png")
    draw(advice(), tmp_path / "some.png")
    assert (tmp_path / "none.png").read_bytes() != (tmp_path / "some.png").read_bytes()
