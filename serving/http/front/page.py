"""The pages: one user's score with its reasons at ``/``, the contract for people at ``/docs``. They load nothing, from here or elsewhere.

``/`` asks ``POST /v1/explain``, so that no id is in an address. Its policy allows its own style sheet and script, by digest, and requests
to this service; nothing else.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from models.page import Page, Table, source_of, style
from serving.http.front.paths import SCORE_PATH
from serving.http.openapi import RefusalBody, RequestBody, ResponseBody
from serving.http.problems import KINDS

_NEVER = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def page(path: str) -> HTMLResponse:
    """Return the page at a path."""
    html, policy = _user() if path == "/" else _docs()
    return HTMLResponse(html, headers={"Content-Security-Policy": f"default-src 'none'; {policy}; {_NEVER}"})


@cache
def _user() -> tuple[str, str]:
    """Return the page about one user, and its policy."""
    environment = Environment(
        loader=PackageLoader("serving.http.front", "template"), autoescape=True, undefined=StrictUndefined
    )
    sheet = style() + environment.get_template("page.css").render()
    script = environment.get_template("page.js").render()
    html = environment.get_template("page.html").render(style=Markup(sheet), script=Markup(script))  # noqa: S704  # our own files
    return html, f"style-src {source_of(sheet)}; script-src {source_of(script)}; connect-src 'self'; img-src data:"


@cache
def _docs() -> tuple[str, str]:
    """Return the page about the contract, and its policy."""
    fields = ResponseBody.model_json_schema()["$defs"]["Score"]["properties"].items()
    tables = (
        Table(
            "Ask, and the answer",
            [_row("body", f"POST {SCORE_PATH}", body=RequestBody), _row("answer", "200", body=ResponseBody)],
        ),
        Table("A result", [{"field": name, "meaning": str(about.get("description", ""))} for name, about in fields]),
        Table(
            "A refusal",
            [{"status": f"{kind.status} {kind.title}", "type": kind.urn, "when": kind.description} for kind in KINDS],
            f"An example: {json.dumps(RefusalBody.example)}",
        ),
    )
    notes = (
        "GET /docs.json is the whole contract as OpenAPI; /readyz, /livez and /metrics are for the operator, / for people.",
    )
    found = Page("Churn probabilities", "How to ask, and what the answers mean", {}, notes=notes, tables=tables)
    return found.to_html(), f"style-src {source_of(style())}"


def _row(what: str, how: str, *, body: Any) -> dict[str, str]:
    return {"": what, "how": how, "JSON": json.dumps(body.example)}
