"""The page at ``/`` and ``/docs``: how to ask, and what the answers mean. It loads nothing, from here or elsewhere."""

from __future__ import annotations

import html
import json
from functools import cache
from typing import Any

from starlette.responses import HTMLResponse

from serving.http.front.paths import SCORE_PATH
from serving.http.openapi import RefusalBody, RequestBody, ResponseBody
from serving.http.problems import KINDS

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
}
_STYLE = """
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
pre { overflow-x: auto; padding: .75rem; border: 1px solid; border-radius: .25rem }
table { border-collapse: collapse } th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0 }
"""


_LINKS = (
    '<a href="docs.json">docs.json</a> is the whole contract as OpenAPI; <a href="readyz">readyz</a>, '
    '<a href="livez">livez</a> and <a href="metrics">metrics</a> are for the operator.'
)


def page() -> HTMLResponse:
    """Return the page."""
    return HTMLResponse(_html(), headers=_HEADERS)


@cache
def _html() -> str:
    score = RESULT_OF_A_USER["$defs"]["Score"]["properties"]
    fields = [(name, str(about.get("description", ""))) for name, about in score.items()]
    problems = [(f"{kind.status} {kind.title}", kind.description) for kind in KINDS]
    parts = (
        f"<h1>Churn probabilities</h1><p>POST {SCORE_PATH} with JSON:</p>{_json(RequestBody.example)}",
        f"<p>The answer, with results in the order of the items:</p>{_json(ResponseBody.example)}",
        f"<h2>A result</h2>{_table(fields)}",
        f"<h2>A refusal</h2>{_json(RefusalBody.example)}{_table(problems)}",
        f"<p>{_LINKS}</p>",
    )
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Churn probabilities</title>'
    return (
        f"<!doctype html><html lang=en><head>{head}<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


RESULT_OF_A_USER: dict[str, Any] = ResponseBody.model_json_schema()


def _json(value: Any) -> str:
    return f"<pre>{html.escape(json.dumps(value, indent=1))}</pre>"


def _table(rows: list[tuple[str, str]]) -> str:
    cells = (f"<tr><th scope=row>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in rows)
    return f"<table>{''.join(cells)}</table>"
