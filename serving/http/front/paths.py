"""The paths of the service, and the scopes of a key that open each; probes need none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from serving.keys import SCOPES, Scope

SCORE_PATH: Literal["/v1/score"] = "/v1/score"
EXPLAIN_PATH: Literal["/v1/explain"] = "/v1/explain"
MODEL_PATH, REASONS_PATH = "/v1/model", "/v1/reasons"
METRICS_PATH = "/metrics"
PROBES = frozenset({"/livez", "/readyz", "/healthz"})
# The server's own page at "/" loads a tracker from another site; ours loads nothing.
PAGE_PATHS = frozenset({"/", "/docs"})
CONTRACTS = frozenset({"/docs.json", "/schema.json"})
DOCUMENTS = frozenset({MODEL_PATH, REASONS_PATH})

_ANY: frozenset[Scope] = frozenset(SCOPES)
NEEDED: Mapping[str, frozenset[Scope]] = {
    SCORE_PATH: frozenset({"score"}),
    EXPLAIN_PATH: frozenset({"page"}),
    **dict.fromkeys(DOCUMENTS, frozenset[Scope]({"score", "page"})),
    **dict.fromkeys(PAGE_PATHS | CONTRACTS, _ANY),
    METRICS_PATH: frozenset({"metrics"}),
}
