"""The page as people use it, in a real Chromium: with the keyboard alone, in light and dark, on a desk and on a phone."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chromium import Tab, accessibility_faults, browser, tab
from tests.serving.conftest import WithKeys

pytestmark = pytest.mark.skipif(browser() is None, reason="no Chromium on this machine: apt-get install chromium")

ANSWERED = "!document.getElementById('answer').hidden && document.getElementById('status').textContent === ''"
REFUSED = "document.getElementById('alert').textContent !== ''"
ROW_PIXELS = 60  # what stands in one row need not begin at one height
PICTURES = os.environ.get("TEST_PICTURES", "")  # folder where pictures are kept, to be looked at


@pytest.fixture(scope="module")
def page(with_keys: WithKeys) -> Iterator[Tab]:
    with tab() as found:
        yield found


@pytest.fixture(autouse=True)
def _opened(page: Tab, with_keys: WithKeys) -> None:
    """As a browser does after it was given the key as a password."""
    password = base64.b64encode(f"me:{with_keys.page}".encode()).decode()
    page.look()
    page.said.clear()
    page.open(with_keys.server.address + "/", Authorization=f"Basic {password}")


def keep(page: Tab, name: str) -> None:
    if PICTURES:
        page.picture(Path(PICTURES) / f"{name}.png")


def ask(page: Tab, user: str, *, until: str = ANSWERED) -> None:
    """With the keyboard alone: the field is the second stop, after the link."""
    page.evaluate("document.activeElement.blur()")
    for _ in range(2):
        page.press("Tab", 9)
    assert page.evaluate("document.activeElement.id") == "user"
    page.evaluate("document.activeElement.select()")
    page.type(user)
    page.press("Enter", 13, "\r")
    page.wait_for(until)


@pytest.fixture(scope="module")
def riskiest(with_keys: WithKeys) -> str:
    """The user with the highest probability."""
    headers = {"Authorization": f"Bearer {with_keys.page}"}

    def probability(user: str) -> float:
        found = with_keys.server.client.post("/v1/explain", json={"user_id": user}, headers=headers).json()
        return found["result"]["churn_probability"] or 0.0

    return max((f"u{place}" for place in range(120)), key=probability)


def test_a_risky_user_is_shown_with_place_and_reasons(page: Tab, riskiest: str):
    keep(page, "empty")
    ask(page, riskiest)
    keep(page, "risky")
    assert page.text("#verdict").endswith("% of the reference population.")
    tiles = page.evaluate("[...document.querySelectorAll('.tile b')].map((one) => one.innerText)")
    assert tiles[1] == "high"
    assert tiles[3] == "2026-06-01"
    assert page.evaluate("document.querySelectorAll('#reasons li svg rect').length") > 2
    assert page.evaluate("document.querySelector('#place svg').getAttribute('aria-label')").startswith("Percentile")
    assert page.evaluate("document.activeElement.id") == "heading"
    assert riskiest not in page.evaluate("location.href")
    assert page.said == []


def test_what_is_derived_follows_a_change_and_an_impossible_profile_is_refused(page: Tab, riskiest: str):
    ask(page, riskiest)
    before = page.text(".tile b")
    page.evaluate("document.getElementById('change').open = true")

    def change(feature: str, value: str) -> None:
        page.evaluate(f"document.getElementById('f-{feature}').select()")
        page.type(value)

    change("active_days_7d", "9")
    page.press("Enter", 13, "\r")
    page.wait_for(REFUSED)
    keep(page, "error")
    assert page.text("#alert").startswith("changes: active_days_7d is at least 0 and at most 7")
    last = "document.getElementById('f-days_since_last_event').value = 0.5"
    page.evaluate(last + "; document.getElementById('f-days_since_last_event').dispatchEvent(new Event('input'))")
    for feature, value in (
        ("active_days_7d", "6"),
        ("active_days_28d", "20"),
        ("events_7d", "40"),
        ("events_28d", "90"),
    ):
        change(feature, value)
    page.press("Enter", 13, "\r")
    page.wait_for("document.getElementById('heading').textContent === 'The answer on the changed profile'")
    keep(page, "changed")
    assert page.text("#alert") == ""
    assert page.text(".tile b") != before
    assert f"Before the changes: {before}" in page.text("#verdict")
    assert "active day share 7d" in page.text("#verdict")
    assert page.evaluate("document.getElementById('f-active_day_share_7d').disabled")


def test_who_is_not_there_and_what_is_not_json_is_said_in_words(page: Tab):
    ask(page, "nobody")
    assert page.text("#verdict") == "This id is not in the profile store."
    assert page.evaluate("document.querySelectorAll('#reasons li').length") == 0
    page.evaluate("document.getElementById('by-profile').open = true; document.getElementById('user').value = ''")
    page.evaluate("document.getElementById('profile').focus()")
    page.type("{")
    page.evaluate("document.querySelector('#ask button').click()")
    page.wait_for(REFUSED)
    assert page.text("#alert b") == "The profile is not JSON."


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_and_every_text_can_be_read(page: Tab, riskiest: str, dark: bool):
    page.look(width=390, height=844, dark=dark)
    ask(page, riskiest)
    page.evaluate("document.getElementById('change').open = true")
    keep(page, "dark" if dark else "narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    low = json.loads(page.evaluate(CONTRAST))
    assert low == []


# Contrast of every text with what is behind it, by WCAG 2.2 (1.4.3): at least 4.5, and 3 where it is large.
CONTRAST = """
(() => {
  const part = (value) => { const c = value / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const found = colour(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() && !one.disabled &&
    !(one instanceof SVGElement) && [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
  const low = texts.filter((one) => {
    const style = getComputedStyle(one);
    const [a, b] = [light(colour(style.color)), light(behind(one))].sort((x, y) => y - x);
    const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    return (a + 0.05) / (b + 0.05) < (isLarge ? 3 : 4.5);
  });
  return JSON.stringify([...new Set(low.map((one) => one.tagName + "." + one.className + " " + one.textContent.slice(0, 30)))]);
})()
"""


def test_everything_has_a_name_for_those_who_do_not_see_it(page: Tab, riskiest: str):
    ask(page, riskiest)
    page.evaluate("document.getElementById('change').open = true")
    page.call("Accessibility.enable")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    asked = {
        "textbox",
        "searchbox",
        "spinbutton",
        "combobox",
        "button",
        "link",
        "image",
        "heading",
        "DisclosureTriangle",
    }
    nameless = [
        one["role"]["value"]
        for one in nodes
        if not one["ignored"] and one["role"]["value"] in asked and not one["name"]["value"].strip()
    ]
    assert nameless == []
    assert sum(one["role"]["value"] == "spinbutton" for one in nodes) > 10


def test_axe_sees_what_is_wrong(page: Tab):
    page.evaluate("document.body.innerHTML = '<main><h1>Wrong</h1><img src=x><input><p>pale</p></main>'")
    page.evaluate("Object.assign(document.querySelector('p').style, {color: '#bbb', backgroundColor: '#fff'})")
    assert {one.partition(":")[0] for one in accessibility_faults(page)} == {"color-contrast", "image-alt", "label"}


@pytest.mark.parametrize("dark", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_axe_finds_nothing_serious_on_the_page_in_any_state(page: Tab, riskiest: str, dark: bool):
    page.look(width=390 if dark else 1100, dark=dark)
    assert accessibility_faults(page) == []
    ask(page, riskiest)
    page.evaluate("document.getElementById('change').open = true")
    assert accessibility_faults(page) == []
    page.evaluate("document.getElementById('f-active_days_7d').select()")
    page.type("9")
    page.press("Enter", 13, "\r")
    page.wait_for(REFUSED)
    assert accessibility_faults(page) == []


FOCUS = """(() => {
  const one = document.activeElement, place = one.getBoundingClientRect(), style = getComputedStyle(one);
  const isMarked = style.outlineStyle !== "none" || style.boxShadow !== "none";
  const shown = document.elementFromPoint(place.left + place.width / 2, place.top + place.height / 2);
  return [one.id || one.tagName, Math.round(place.top + scrollY), isMarked && one.contains(shown)];
})()"""


def test_the_keyboard_goes_from_top_to_bottom_and_shows_where_it_is(page: Tab, riskiest: str):
    ask(page, riskiest)
    page.evaluate("document.getElementById('change').open = true")
    page.evaluate(
        "document.querySelector('h1').tabIndex = -1; document.querySelector('h1').focus()"
    )  # the start of the page
    stops: list[tuple[str, int, bool]] = []
    while len(stops) < 200:
        page.press("Tab", 9)
        name, top, is_marked = page.evaluate(FOCUS)
        if name == "BODY":
            break
        stops.append((name, top, is_marked))
    names, tops = [name for name, _, _ in stops], [top for _, top, _ in stops]
    assert names[:2] == ["A", "user"]
    assert sum(name.startswith("f-") for name in names) > 10
    assert [name for name, _, is_marked in stops if not is_marked] == []  # or behind the bar at the bottom
    assert [names[place] for place in range(1, len(tops)) if tops[place] < tops[place - 1] - ROW_PIXELS] == []
