"""A page is one file that runs nothing and fetches nothing; every text in it is escaped."""

from html.parser import HTMLParser

from models.page import Page, Picture, Table, number

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
    assert "http" not in page().to_html()
    assert "url(" not in page().to_html()


def test_the_verdict_comes_first_then_pictures_then_tables():
    html = page().to_html()
    assert html.index("verdict") < html.index('class="verdict"') < html.index("<svg") < html.index("<table")


def test_numbers_are_as_people_read_them():
    assert [number(12345.6), number(0.5, 2), number(float("nan")), number(None)] == ["12,346", "0.50", "-", "-"]
