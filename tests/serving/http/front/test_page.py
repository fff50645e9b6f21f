from serving.http.front.page import page
from serving.http.problems import KINDS


def text() -> str:
    return bytes(page().body).decode()


def test_the_page_shows_a_request_every_field_of_a_result_and_every_problem():
    found = text()
    assert "&quot;items&quot;" in found
    for name in ("churn_probability", "percentile", "detail", *(f"{kind.status} {kind.title}" for kind in KINDS)):
        assert f"<th scope=row>{name}</th>" in found


def test_the_page_loads_nothing_and_is_framed_by_nobody():
    headers = page().headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "<script" not in text()
