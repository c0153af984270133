"""Random documents: the server's own answers agree with each decision of `model.allowed`."""

from random import Random

import pytest

from model.allowed import Access, more_allowed
from model.allowed.statements import Cloud
from tests.model.allowed import documents, servers
from tests.sizes import sized

CLOUDS: tuple[Cloud, ...] = ("aistor", "aws")
NAME = "reader"
PRINCIPALS = ("*", servers.user_arn(NAME), servers.user_arn("other"))
#: Requests that look for a gap where nothing more is said to be allowed.
TRIES = 15


def governed(rng: Random, cloud: Cloud) -> Access:
    """A caller with one or two documents, sometimes with a limit and with the policy of a bucket."""
    own = tuple(documents.document(rng, cloud) for _ in range(rng.randint(1, 2)))
    layers = (own, (documents.document(rng, cloud),)) if rng.random() < 0.25 else (own,)
    is_signed = rng.random() < 0.85
    of_buckets = {}
    if cloud == "aws" and (rng.random() < 0.4 or not is_signed):
        of_buckets = {"a": documents.document(rng, cloud, principals=PRINCIPALS)}
    elif not is_signed:
        of_buckets = {"a": documents.document(rng, cloud, principals=("*",))}
    if not is_signed:
        return Access("", cloud, (), of_buckets)
    account = frozenset((f"arn:aws:iam::{servers.ACCOUNT}:root", servers.ACCOUNT))
    return Access(NAME, cloud, layers, of_buckets, frozenset((servers.user_arn(NAME),)), account)


def changed(rng: Random, access: Access, cloud: Cloud) -> Access:
    """The same caller with one statement more, in its own documents or in a bucket's policy."""
    if not access.layers or (access.of_resources and rng.random() < 0.5):
        more = documents.statement(rng, cloud, principals=PRINCIPALS if cloud == "aws" else ("*",))
        raw = access.of_resources["a"]
        assert isinstance(raw, dict)
        policy = {**raw, "Statement": [*raw["Statement"], more]}
        return Access(access.principal, cloud, access.layers, {"a": policy}, access.names, access.accounts)
    more = {"Version": "2012-10-17", "Statement": [documents.statement(rng, cloud)]}
    layers = ((*access.layers[0], more), *access.layers[1:])
    return Access(access.principal, cloud, layers, access.of_resources, access.names, access.accounts)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_decisions_agree_with_the_server(cloud: Cloud) -> None:
    """A request that is given is allowed live and not by the plan; where none is given, none is found either."""
    found = proven = 0
    for seed in range(sized(60, 2000)):
        rng = Random(seed)  # noqa: S311 - the same documents each time
        planned = governed(rng, cloud)
        live = changed(rng, planned, cloud)
        if rng.random() < 0.4:
            live, planned = planned, live

        request = more_allowed(live, planned)

        if request is not None:
            found += 1
            where = f"seed {seed}: {request}"
            assert not request.unknown, where
            assert servers.shown(live, request), where
            assert not servers.shown(planned, request), where
            continue
        proven += 1
        for _ in range(TRIES):
            action = rng.choice(("GetObject", "PutObject", "DeleteObject", "DeleteObjectVersion", "ListBucket"))
            key = "" if action == "ListBucket" else rng.choice(("k", "x/1", "x/", "q/", "k1", "x", "1/2"))
            resource = f"arn:aws:s3:::{rng.choice('abc')}{'/' if key else ''}{key}"
            asked = (f"s3:{action}", resource, documents.context(rng))
            assert not servers.allowed(live, *asked) or servers.allowed(planned, *asked), f"seed {seed}: {asked}"
    assert min(found, proven) > sized(10, 300)
