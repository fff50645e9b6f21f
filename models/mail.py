"""A page as a mail: the same words and the same pictures, drawn as PNG, as mail programs show neither SVG nor style sheets."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import SMTP
from typing import cast

import vl_convert

from models.page import Page, template

_SCALE = 1.5
_SIZE = re.compile(r"<svg ")
_BOUNDARY = "=_part_{}"


def mail_of(page: Page) -> bytes:
    """Return a page as the text of a mail without addresses: what is in sight in full, of folded chapters the first sentence.

    The same page gives the same bytes.
    """
    shown = dict.fromkeys(one.svg for chapter in page.chapters if chapter.is_open for one in chapter.pictures)
    images = {svg: f"picture-{place}" for place, svg in enumerate(shown, 1)}
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = page.title
    mail.set_content(_plain(page), cte="base64")
    mail.add_alternative(template("mail.html").render(page=page, images=images), subtype="html", cte="base64")
    html = cast("EmailMessage", mail.get_payload(1))
    for svg, name in images.items():
        png = vl_convert.svg_to_png(_with_namespace(svg), scale=_SCALE)
        html.add_related(png, "image", "png", cid=f"<{name}>", filename=f"{name}.png", disposition="inline")
    for place, part in enumerate(one for one in mail.walk() if one.is_multipart()):
        part.set_boundary(_BOUNDARY.format(place))
    return mail.as_bytes()


def _plain(page: Page) -> str:
    lines = [page.title, page.subtitle, ""]
    lines += [f"{one.label}: {one.value} {one.change}".rstrip() for one in page.tiles]
    for chapter in page.chapters:
        lines += ["", chapter.title, *(chapter.sentences if chapter.is_open else chapter.sentences[:1])]
    return "\n".join(lines) + "\n"


def _with_namespace(svg: str) -> str:
    return _SIZE.sub('<svg xmlns="http://www.w3.org/2000/svg" ', svg, count=1)
