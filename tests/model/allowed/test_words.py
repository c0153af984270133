"""model.allowed.words: a request in words names who, what, where, and what is in doubt."""

from dataclasses import replace
from typing import Any

import pytest

from model.allowed import Request, example, sentence
from model.allowed.strangers import STRANGER


def request(
    action: str = "s3:PutObject",
    area: str = "arn:aws:s3:::b/*",
    principal: str = "reader",
    **more: Any,  # noqa: ANN401 - fields of a request
) -> Request:
    """A request on an object of the bucket `b`."""
    asked = Request(principal, action, resource="arn:aws:s3:::b/2026/x", bucket="b", key="2026/x", conditions={})
    return replace(asked, areas=(area,), **more)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (request(), "`reader` may put in `b`"),
        (request(area="arn:aws:s3:::b/2026/*"), "`reader` may put under `2026/*` of `b`"),
        (request(area="arn:aws:s3:::b/2026/x"), "`reader` may put `2026/x` of `b`"),
        (request(area="*"), "`reader` may put in every bucket"),
        (request(area="arn:aws:s3:::joelclaw-*"), "`reader` may put in `joelclaw-*`"),
        (request(principal=""), "an anonymous caller may put in `b`"),
        (request(principal=STRANGER), "every principal of every account may put in `b`"),
        (request(says="delete versions"), "`reader` may delete versions in `b`"),
        (request("s3:PutObjectTagging"), "`reader` may ask for `s3:PutObjectTagging` in `b`"),
        (request("iam:CreateUser", bucket="", key=""), "`reader` may ask for `iam:CreateUser`"),
        (
            request(unknown=("element Foo: 1",)),
            "`reader` may put in `b`, if this holds, which is not understood: element Foo: 1",
        ),
    ],
)
def test_a_sentence(asked: Request, said: str) -> None:
    """One sentence without a full stop."""
    assert sentence(asked) == said


def test_an_example_has_all_that_the_request_needs() -> None:
    """The action, the resource, the values of keys, and the keys that must be absent."""
    asked = request(conditions={"s3:prefix": ("a", "b"), "aws:SecureTransport": ("true",), "s3:x-amz-acl": ()})

    assert example(asked) == (
        "`s3:PutObject` on `arn:aws:s3:::b/2026/x` with aws:SecureTransport `true`, s3:prefix `a` and `b` "
        "without s3:x-amz-acl"
    )
    assert example(request("iam:CreateUser")) == "`iam:CreateUser`"
