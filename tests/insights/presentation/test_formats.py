"""Numbers as people read them."""

from insights.presentation.formats import FORMATS, change, day, name, number, share, short


def test_what_is_not_known_is_a_dash():
    nothing = [show(None) for show in FORMATS.values()]
    assert nothing == ["-"] * len(FORMATS)
    assert [share(float("nan")), change(float("nan")), number(float("nan"))] == ["-", "-", "-"]


def test_numbers_have_the_digits_that_matter():
    assert [number(one) for one in (0.123, -12.34, 1234.5)] == ["0.12", "-12.3", "1,234"]
    assert [change(0.0), change(-0.1), short(2_345_678)] == ["+0.0 %", "-10.0 %", "2.35M"]
    assert (name("x"), day(None)) == ("x", "-")
