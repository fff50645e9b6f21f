"""Headers of requests and answers."""

import pytest

from serving.http.front.headers import CORS, SECURITY_HEADERS, echoed, named

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_request_is_found_again_by_its_names():
    names = named({b"x-request-id": b"order-17", b"traceparent": TRACE.encode()})
    assert echoed(names) == (("X-Request-Id", "order-17"), ("traceparent", TRACE))


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "x",
        TRACE + "\r\nSet-Cookie: a=b",
        TRACE.upper(),
        TRACE.replace("00f067aa0ba902b7", "0" * 16),
        "ff" + TRACE[2:],
    ],
)
def test_a_traceparent_that_is_none_is_not_sent_back(sent: str):
    ((name, made),) = echoed(named({b"traceparent": sent.encode()}))
    assert (name, len(made)) == ("X-Request-Id", 32)


def test_header_names_are_lower_case_and_credentials_of_a_browser_are_never_allowed():
    assert all(name == name.lower() for name, _ in SECURITY_HEADERS)
    assert CORS["allow_credentials"] is False
