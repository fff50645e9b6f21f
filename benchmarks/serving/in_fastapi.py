"""The same work in FastAPI, as its guide has it: pydantic reads the request, and FastAPI encodes the answer."""

from __future__ import annotations

import os
from typing import Any

import msgspec
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.serving import bare
from benchmarks.serving.bare import BUNDLE, MODEL, STORE
from serving.score import score

ABOUT, QUALITY = msgspec.to_builtins(bare.ABOUT), msgspec.to_builtins(bare.QUALITY)


class UserItem(BaseModel):
    """A user id, or a profile."""

    user_id: str | None = None
    profile: dict[str, float | str | None] | None = None


class UserItems(BaseModel):
    """Users to score."""

    items: list[UserItem]
    reasons: bool = True


app = FastAPI()


@app.post("/v1/score")
async def answer(asked: UserItems) -> dict[str, Any]:
    """Answer user ids from the store, and profiles with the model."""
    if asked.items[0].profile is None:
        found = STORE.answers([str(item.user_id) for item in asked.items])
        results = [msgspec.json.decode(one.json(with_reasons=asked.reasons)) for one in found if one]
    else:
        profiles = [item.profile or {} for item in asked.items]
        results = msgspec.to_builtins(score(MODEL, profiles, bands=BUNDLE.scoring, with_reasons=asked.reasons))
    return {"request_id": os.urandom(16).hex(), "model": ABOUT, "quality": QUALITY, "results": results}
