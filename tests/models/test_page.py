"""A page is one file that runs nothing and fetches nothing; every text in it is escaped."""

from html.parser import HTMLParser

from models.page import Chapter, Page, Picture, Table, Tile, number

EVIL = "<script>alert(1)</script>"


class Parser(HTMLParser):
    """Tags, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def page() -> Page:
    table = Table(EVIL, [{"": EVIL, "users": "1"}, {"": "b & c", "users": "2"}], EVIL)
    picture = Picture('A "picture"', "<svg><g></g></svg>", EVIL)
    return Page(EVIL, EVIL, {f"{EVIL}?": EVIL}, [EVIL], [picture], [table, Table("empty", [])])


def test_texts_are_escaped_and_pictures_go_in_as_they_are():
    found = Parser(page().to_html())
    assert "script" not in found.tags
    assert found.tags.count("svg") == 1
    assert (
        found.texts.count(EVIL) == 9
    )  # title and heading, subtitle, answer, note; words of a picture; of a table, its title, a cell
    assert "b & c" in found.texts


def test_a_page_names_no_address():
    found = Parser(page().to_html())
    assert {"src", "href"} & found.attributes == set()
    assert "://" not in page().to_html()
    assert "url(" not in page().to_html()


def test_the_verdict_comes_first_then_pictures_then_tables():
    html = page().to_html()
    assert html.index("verdict") < html.index('class="verdict"') < html.index("<svg") < html.index("<table")


def chapters() -> Page:
    picture, heat = Picture("drawn", "<svg></svg>"), {"share": [0.0, None, 1.0]}
    table = Table("cells", [{"share": "0"}, {"share": "-"}, {"share": "1"}], heat=heat)
    told = Chapter("one", EVIL, EVIL, [EVIL, EVIL], EVIL, [picture], [table], EVIL, [EVIL])
    folded = Chapter("two", "b", "?", ["words"], is_open=False)
    return Page("report", "", {}, tiles=[Tile(EVIL, EVIL, EVIL, "<svg></svg>")], chapters=[told, folded])


def test_texts_of_chapters_and_tiles_are_escaped():
    found = Parser(chapters().to_html())
    assert "script" not in found.tags
    assert found.tags.count("svg") == 2


def test_links_lead_to_chapters_and_one_may_be_folded():
    html = chapters().to_html()
    for key in ("one", "two"):
        assert f'href="#{key}"' in html
        assert f'<section id="{key}">' in html
    assert html.count('<details class="fold">') == 1


def test_a_cell_is_coloured_by_its_share():
    html = chapters().to_html()
    assert [html.count(f'class="heat {shade}"') for shade in ("h0", "", "h9")] == [1, 1, 1]


def test_the_policy_names_the_style_sheet_by_its_digest():
    import base64
    import hashlib
    import re

    html = page().to_html()
    (style,) = re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in html
    assert " style=" not in html


def test_numbers_are_as_people_read_them():
    assert [number(12345.6), number(0.5, 2), number(float("nan")), number(None)] == ["12,346", "0.50", "-", "-"]
