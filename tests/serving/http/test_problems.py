import json

from features.errors import InputError
from serving.http.problems import KINDS, NOT_READY, TOO_LARGE, RequestProblem, not_ready, refusal


def test_an_ordinary_error_is_an_invalid_request():
    answer = refusal(InputError("items: wrong", hint="send others"), request_id="r1")
    assert (answer.status, answer.media_type, answer.headers) == (400, "application/problem+json", ())
    assert json.loads(answer.content) == {
        "type": "urn:churn:problem:invalid-request",
        "title": "Invalid request",
        "status": 400,
        "detail": "items: wrong",
        "error": "items: wrong",
        "hint": "send others",
        "request_id": "r1",
    }


def test_a_problem_has_the_status_of_its_kind():
    answer = refusal(RequestProblem("too much", kind=TOO_LARGE, hint="send less"), request_id="r1")
    assert (answer.status, json.loads(answer.content)["type"]) == (413, "urn:churn:problem:body-too-large")


def test_a_service_that_is_not_ready_says_when_to_try_again():
    answer = refusal(not_ready(), request_id="r1")
    assert (answer.status, dict(answer.headers)) == (503, {"Retry-After": "5"})
    own = RequestProblem("later", kind=NOT_READY, hint="wait", headers=(("Retry-After", "1"),))
    assert dict(refusal(own, request_id="r1").headers) == {"Retry-After": "1"}


def test_kinds_differ_and_are_described():
    assert len({one.urn for one in KINDS}) == len(KINDS)
    assert all(one.title and one.description for one in KINDS)
