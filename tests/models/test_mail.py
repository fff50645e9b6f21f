"""A page as a mail."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default

from models.charts import Axis, card, line, svg
from models.mail import mail_of
from models.page import Chapter, Page, Picture, Tile

EVIL = "</p><img src=x onerror=alert(1)>"


def page() -> Page:
    drawn = svg(card(line([{"x": 1, "y": 2}, {"x": 2, "y": 3}], Axis("x", ""), y=Axis("y", ""))))
    chapters = [
        Chapter("growth", "增长", "?", ["First.", "Second."], pictures=[Picture("Users", drawn, "How to read it.")]),
        Chapter("orders", "Orders", "?", [f"Lost at {EVIL}.", "Not in the mail."], is_open=False),
    ]
    return Page("A report", "of 5 users", {}, tiles=[Tile("DAU", "5", "+1.0 %")], chapters=chapters)


def test_a_mail_holds_the_words_in_sight_and_their_pictures():
    mail = message_from_bytes(mail_of(page()), policy=default)
    html, plain = mail.get_body(("html",)), mail.get_body(("plain",))
    assert html
    assert plain
    assert mail["Subject"] == "A report"
    for part in (html, plain):
        words = part.get_content()
        assert "Second." in words
        assert "增长" in words
        assert "Lost at" in words
        assert "Not in the mail." not in words
    assert 'src="cid:picture-1"' in html.get_content()
    assert EVIL not in html.get_content()
    (image,) = [one for one in mail.walk() if one.get_content_type() == "image/png"]
    assert image["Content-ID"] == "<picture-1>"
    assert image.get_content().startswith(b"\x89PNG")


def test_the_same_page_is_the_same_mail():
    assert mail_of(page()) == mail_of(page())
