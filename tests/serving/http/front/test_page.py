import base64
import hashlib
import re

import pytest

from serving.http.front.page import page
from serving.http.problems import KINDS


def text(path: str) -> str:
    return bytes(page(path).body).decode()


def test_the_contract_is_shown_with_every_field_of_a_result_and_every_problem():
    found = text("/docs")
    assert "&#34;items&#34;" in found
    for name in ("churn_probability", "percentile", "detail", *(f"{kind.status} {kind.title}" for kind in KINDS)):
        assert f"<td>{name}</td>" in found


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_nothing_and_is_framed_by_nobody(path: str):
    policy = page(path).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert policy.endswith("frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
    assert "unsafe" not in policy
    assert not re.search(r"""(src|href)=["'](https?:)?//""", text(path))


@pytest.mark.parametrize("tag", ["style", "script"])
def test_the_policy_names_what_is_in_the_page_by_its_digest(tag: str):
    (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text("/"), flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    assert f"{tag}-src 'sha256-{digest}'" in page("/").headers["content-security-policy"]


def test_no_style_is_in_an_attribute_which_the_policy_forbids():
    assert not re.search(r"""\sstyle=|setAttribute\("style""", text("/"))
