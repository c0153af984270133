"""model.allowed.decide: what is wider is found with a request that shows it; what means the same is proven the same."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from model.allowed import Access, example, for_strangers, more_allowed, sentence
from model.allowed.requests import operations
from model.allowed.statements import Cloud
from model.allowed.strangers import STRANGER
from tests.model.allowed import servers
from tests.model.allowed.plans import CLOUDS, governed, plan

RAW = "arn:aws:s3:::joelclaw-local-usw2-media-raw"


def allow(*actions: str, resource: object = f"{RAW}/*", **more: object) -> dict[str, Any]:
    """A document of one statement."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_plan_is_proven_equal_to_itself(cloud: Cloud) -> None:
    """The documents of each identity allow nothing more than themselves, also with a statement that changes nothing."""
    never = {"NumericLessThan": {"s3:max-keys": "1"}, "NumericGreaterThan": {"s3:max-keys": "1"}}
    nothing = allow("s3:*", Condition=never)
    for identity in plan().identities:
        access = governed(identity.name, cloud)

        assert more_allowed(access, access) is None
        assert more_allowed(governed(identity.name, cloud, nothing), access) is None


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_put_under_a_prefix_is_found(cloud: Cloud) -> None:
    """A second policy that lets the reader put under a prefix is found, and said in words."""
    planned = governed("reader", cloud)
    live = governed("reader", cloud, allow("s3:PutObject", resource=f"{RAW}/2026/*"))

    found = more_allowed(live, planned)

    assert found is not None
    assert (found.action, found.bucket, found.key[:5]) == ("s3:PutObject", RAW.partition(":::")[2], "2026/")
    assert sentence(found) == "`reader` may put under `2026/*` of `joelclaw-local-usw2-media-raw`"
    assert example(found).startswith(f"`s3:PutObject` on `{RAW}/2026/")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_less_is_not_more(cloud: Cloud) -> None:
    """Documents without some of the planned ones allow nothing more."""
    planned = governed("reader", cloud, allow("s3:PutObject", resource=f"{RAW}/2026/*"))

    assert more_allowed(governed("reader", cloud), planned) is None


def policy(**statement: object) -> dict[str, Any]:
    """A bucket's policy of one statement."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


GATHERED = {"Action": "s3:GetObject", "Resource": f"{RAW}/*"}
BUCKET = RAW.partition(":::")[2]


@pytest.mark.parametrize(
    ("who", "names"),
    [
        ({"Principal": {"AWS": "arn:aws:iam::999999999999:root"}}, ["arn:aws:iam::999999999999:root"]),
        ({"Principal": {"AWS": "999999999999"}}, ["arn:aws:iam::999999999999:root"]),
        ({"Principal": {"Service": "logging.s3.amazonaws.com"}}, ["Service logging.s3.amazonaws.com"]),
        ({"Principal": "*"}, [STRANGER, ""]),
        ({"NotPrincipal": {"AWS": "arn:aws:iam::999999999999:root"}}, [STRANGER, ""]),
        ({"Principal": {"Other": "x"}}, [STRANGER, ""]),
    ],
)
def test_strangers_in_the_policy_of_a_bucket_are_named(who: dict[str, Any], names: list[str]) -> None:
    """Another account, a service, everybody, all but one, and a kind of principal that is not known."""
    found = list(for_strangers({BUCKET: policy(**GATHERED, **who)}, {}, "aws"))

    assert [one.principal for one in found] == names
    assert all(one.action == "s3:GetObject" for one in found)


def test_a_wider_trust_is_found() -> None:
    """A trust policy for more subjects is wider; the same subjects in another form are not."""

    def trust(operator: str, *subjects: str) -> dict[str, Any]:
        keys = {"idp.example:sub": list(subjects)}, {"idp.example:aud": "sts"}
        return policy(
            Principal={"Federated": "arn:aws:iam::1:oidc-provider/idp.example"},
            Action="sts:AssumeRoleWithWebIdentity",
            Condition={operator: keys[0], "StringEqualsIfExists": keys[1], "Null": {"idp.example:aud": "false"}},
        )

    planned = {"": trust("StringEquals", "repo:a", "repo:b")}

    assert not list(for_strangers({"": trust("StringLike", "repo:b", "repo:a")}, planned, "aws"))
    (found,) = for_strangers({"": trust("StringLike", "repo:*")}, planned, "aws")
    assert found.action == "sts:AssumeRoleWithWebIdentity"
    assert found.conditions["idp.example:sub"][0].startswith("repo:")


UNKNOWN = [
    pytest.param({"Condition": {"StringMatches": {"s3:prefix": "a"}}}, id="operator"),
    pytest.param({"Condition": {"StringEquals": {"s3:prefix": "${aws:PrincipalTag/team}"}}}, id="variable"),
    pytest.param({"Condition": {"NumericLessThan": {"s3:max-keys": "many"}}}, id="value"),
    pytest.param({"Condition": {"NumericLessThan": {"s3:max-keys": {"a": 1}}}}, id="form of a value"),
    pytest.param({"Condition": "never"}, id="form of a condition"),
    pytest.param({"Resource": f"{RAW}/${{aws:SourceAccount}}/*"}, id="variable in a resource"),
    pytest.param({"NotAfter": "2027"}, id="element"),
]


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("element", UNKNOWN)
def test_what_is_not_understood_may_allow_more(cloud: Cloud, element: dict[str, Any]) -> None:
    """It is named in the request; where both sides have it, they are equal; a Deny that has it may not hold."""
    planned = governed("reader", cloud)
    unknown = allow("s3:PutObject") | {"Statement": [{**allow("s3:PutObject")["Statement"][0], **element}]}
    live = governed("reader", cloud, unknown)

    found = more_allowed(live, planned)

    assert found is not None
    assert found.unknown
    assert "not understood" in sentence(found)
    assert more_allowed(live, live) is None
    everything = allow("s3:PutObject")
    denied = {"Version": "2012-10-17", "Statement": [{**unknown["Statement"][0], "Effect": "Deny"}]}
    assert more_allowed(governed("reader", cloud, everything, denied), planned) is not None


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("document", ["no JSON", "[]", '{"Statement": 1}', '{"Statement": [1]}'])
def test_what_is_not_a_document_may_allow_anything(cloud: Cloud, document: str) -> None:
    """A text that cannot be read is named, and does not stop the comparison."""
    found = more_allowed(governed("reader", cloud, document), governed("reader", cloud))

    assert found is not None
    assert found.unknown


@pytest.mark.parametrize("cloud", CLOUDS)
def test_an_action_that_no_list_has_is_decided(cloud: Cloud) -> None:
    """A wildcard is wider than all the actions that it stands for today."""
    names = [one.action for one in operations(cloud) if one.action.startswith("s3:Get") and not one.says]
    live = governed("reader", cloud, allow("s3:Get*", resource="*"))
    planned = governed("reader", cloud, allow(*names, resource="*"))

    found = more_allowed(live, planned)

    assert found is not None
    assert found.action.lower().startswith("s3:get")
    assert found.action not in names


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("resource", [RAW, f"{RAW}/*"])
def test_an_action_that_no_list_has_is_found_on_each_kind_of_resource(cloud: Cloud, resource: str) -> None:
    """A bucket and an object: which of them it is for is not known."""
    planned = governed("reader", cloud)

    found = more_allowed(governed("reader", cloud, allow("s3:Transmogrify*", resource=resource)), planned)

    assert found is not None
    assert found.action.lower().startswith("s3:transmogrify")


def test_a_listed_action_does_not_stand_for_others_of_its_class() -> None:
    """What begins like an action of buckets may be an action of objects one day."""
    found = more_allowed(governed("reader", "aws", allow("s3:GetBucketTagging*")), governed("reader", "aws"))

    assert found is not None
    assert found.action.lower() == "s3:getbuckettaggingx"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_wildcards_without_end_are_decided_too(cloud: Cloud) -> None:
    """Patterns that would need too many steps become unknown as a whole: equal to themselves, and else wider."""
    rng = Random(1)  # noqa: S311 - the same patterns each time
    wild = [f"{RAW}/*{'*'.join(rng.choices('abc', k=9))}*" for _ in range(30)]
    live = governed("reader", cloud, allow("s3:PutObject", resource=wild))

    assert more_allowed(live, live) is None
    found = more_allowed(live, governed("reader", cloud))
    assert found is not None
    assert any("many wildcards" in one for one in found.unknown)


def test_conditions_without_end_are_decided_too() -> None:
    """More combinations than fit in time count as more, and the request says so."""
    keys = [f"s3:ExistingObjectTag/{n}" for n in range(40)]
    rng = Random(2)  # noqa: S311 - the same conditions each time
    clauses = [{"StringEquals": {key: rng.choice("ab") for key in rng.sample(keys, 3)}} for _ in range(170)]
    statements = [{**allow("s3:PutObject")["Statement"][0], "Condition": one} for one in clauses]
    wide = {"Version": "2012-10-17", "Statement": statements}

    found = more_allowed(governed("reader", "aws", allow("s3:PutObject")), governed("reader", "aws", wide))

    assert found is not None


@pytest.mark.parametrize(
    ("operator", "planned", "live", "value"),
    [
        ("NumericLessThanEquals", "5", "6", "6"),
        ("NumericEquals", ["1.1", "1.3"], ["1.1", "1.2", "1.3"], "1.2"),
        ("NumericNotEquals", ["1.1", "1.2", "1.3"], ["1.1", "1.3"], "1.2"),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"),
        ("IpAddress", "10.0.0.0/9", "10.0.0.0/8", "10.128.0.0"),
        ("IpAddress", "2001:db8::/33", "2001:db8::/32", "2001:db8:8000::"),
        ("StringLike", "a?", "a??", "a"),
        ("ForAllValues:StringEquals", ["a", "b"], ["a", "b", "c"], "c"),
    ],
)
def test_the_edges_of_values_are_found(operator: str, planned: object, live: object, value: str) -> None:
    """Between two numbers, dates and networks, and for texts and sets: the value that only the live one has."""
    wide, narrow = (
        governed("reader", "aws", allow("s3:PutObject", Condition={operator: {"s3:some-key": one}}))
        for one in (live, planned)
    )

    found = more_allowed(wide, narrow)

    assert found is not None
    assert any(one.startswith(value) for one in found.conditions["s3:some-key"])


def test_minio_deletes_versions_unless_that_is_denied() -> None:
    """Without the Deny of `s3:DeleteObjectVersion`, `s3:DeleteObject` also deletes versions."""
    delete = allow("s3:DeleteObject")
    deny = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "s3:DeleteObjectVersion", "Resource": "*"}],
    }
    live, planned = (Access("u", "aistor", (one,), names=frozenset("u")) for one in ((delete,), (delete, deny)))

    found = more_allowed(live, planned)

    assert found is not None
    assert sentence(found) == f"`u` may delete versions in `{BUCKET}`"
    assert found.conditions["s3:versionid"] != ("",)


def test_minio_ignores_the_resources_of_a_statement_for_any_action() -> None:
    """`*` as an action is one of MinIO's STS, so the statement's resources do not count."""
    everything = allow("*", resource="arn:aws:s3:::a/*")
    live, planned = (
        Access("u", "aistor", ((one,),)) for one in (everything, allow("s3:*", resource="arn:aws:s3:::a/*"))
    )

    found = more_allowed(live, planned)

    assert found is not None
    assert found.bucket != "a"


def test_a_policy_of_a_bucket_lets_a_user_past_a_boundary() -> None:
    """On AWS a policy that names the user allows what its permission boundary does not."""
    planned = governed("reader", "aws")
    bounded = replace(planned, layers=(*planned.layers, (allow("s3:ListBucket", resource="*"),)))
    named = policy(**GATHERED, Principal={"AWS": servers.user_arn("reader")})
    live = replace(bounded, of_resources={**planned.of_resources, BUCKET: named})

    assert more_allowed(bounded, planned) is None
    assert more_allowed(live, bounded) is not None
