"""ops.preview.trusted: who may assume a role, read from its trust policy."""

import json
from typing import Any

import pytest

from model.policies import as_json, trust_policy
from model.trust import OidcTrust
from ops.preview.trusted import EVERYBODY, trusted


def test_the_programs_own_document_is_told_by_subject() -> None:
    """Independent of the account."""
    trust = OidcTrust(issuer="https://ci.example.com", subject=("job:a", "job:b*"))

    assert trusted(json.loads(as_json(trust_policy(trust, "")))) == {
        "job:a of ci.example.com for sts.amazonaws.com",
        "job:b* of ci.example.com for sts.amazonaws.com",
    }


@pytest.mark.parametrize(
    "document", [None, {}, {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}]
)
def test_what_is_not_understood_is_everybody(document: dict[str, Any] | None) -> None:
    """It reports too much rather than too little."""
    assert trusted(document) == {EVERYBODY}
