"""``POST /v1/score``: the contract, the request, the answer, and the server."""
