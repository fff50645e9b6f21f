"""What there is to compare with: Starlette with one route that does the same work, and nothing else.

The same store, the same answers; the same model, reasons and JSON; no checks, no metrics, no limits, no other routes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.http.contract import ModelInfo, ScoreRequest
from serving.http.endpoint import quality_of
from serving.release.bundle import read_bundle
from serving.score import score
from serving.store.profile_store import ProfileStore

BUNDLE = read_bundle(Path(os.environ["CHURN_SERVED"]))
STORE = ProfileStore(BUNDLE.store)
MODEL = BUNDLE.model
ABOUT = ModelInfo(BUNDLE.name, BUNDLE.version, BUNDLE.alias, MODEL.quality.trained_through)
QUALITY = quality_of(MODEL)
DECODER, ENCODER = msgspec.json.Decoder(ScoreRequest), msgspec.json.Encoder()


async def answer(request: Request) -> Response:
    """Answer user ids from the store, and profiles with the model."""
    asked = DECODER.decode(await request.body())
    results: list[Any]
    if asked.items[0].profile is None:
        found = STORE.answers([str(item.user_id) for item in asked.items])
        results = [msgspec.Raw(one.json(with_reasons=asked.reasons)) for one in found if one]
    else:
        profiles = [item.profile or {} for item in asked.items]
        results = score(MODEL, profiles, bands=BUNDLE.scoring, with_reasons=asked.reasons)
    about = {"request_id": os.urandom(16).hex(), "model": ABOUT, "quality": QUALITY, "results": results}
    return Response(ENCODER.encode(about), media_type="application/json")


app = Starlette(routes=[Route("/v1/score", answer, methods=["POST"])])
