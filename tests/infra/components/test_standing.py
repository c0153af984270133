"""The program and existing resources: refused before anything is declared, or kept under a new name."""

from typing import TYPE_CHECKING

import pulumi
import pytest

from model.resources import TYPES as TYPES_OF
from model.resources import About, By, identity_types
from model.taxonomy_file import load
from model.user_names import ServerName, Taken

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.infra.components.conftest import Run

TYPES = {
    "aistor": ("minio:index/s3Bucket:S3Bucket", "objectLocking"),
    "aws": ("aws:s3/bucket:Bucket", "objectLockEnabled"),
}


def state(cloud: str, **locked: bool) -> "dict[str, Any]":
    """A stack's state with these buckets, and one other resource."""
    kind, lock = TYPES[cloud]
    buckets = {
        f"urn:{name}": {
            "type": kind,
            "outputs": {"bucket": f"joelclaw-local-usw2-{name}".replace("_", "-"), lock: value},
        }
        for name, value in locked.items()
    }
    return {**buckets, "urn:user": {"type": "aws:iam/user:User", "outputs": {"name": "x"}}}


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_move_that_cannot_be_done_declares_nothing(run_program: "Callable[..., Run]", cloud: str) -> None:
    """A lock that would have to be added or removed ends the program with both problems."""
    with pytest.raises(pulumi.RunError) as caught:
        run_program(cloud, state=state(cloud, media_raw=False, session_archive=True))

    assert "domains.media-raw.band: joelclaw-local-usw2-media-raw has no object lock" in str(caught.value)
    assert "domains.session-archive.band: joelclaw-local-usw2-session-archive has object lock" in str(caught.value)


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_bucket_that_exists_and_is_not_the_stacks_declares_nothing(
    run_program: "Callable[..., Run]", cloud: str
) -> None:
    """A bucket of the state exists rightly; any other one is named."""
    known = state(cloud, media_raw=True)
    both = {"joelclaw-local-usw2-media-raw", "joelclaw-local-usw2-docs-raw"}
    with pytest.raises(pulumi.RunError) as caught:
        run_program(cloud, state=known, existing=both)

    assert "joelclaw-local-usw2-docs-raw: the bucket already exists" in str(caught.value)
    assert "joelclaw-local-usw2-media-raw" not in str(caught.value)
    assert "object-store adopt --stack test" in str(caught.value)


def user_of_before(by: By) -> "dict[str, Any]":
    """A stack's state with one user, from before names had a region code."""
    kind = TYPES_OF[by][About.USER]
    urn = f"urn:pulumi:test::object-store::{kind}::worker-user"
    return {urn: {"type": kind, "outputs": {"name": "joelclaw-local-worker"}}}


@pytest.mark.parametrize(("cloud", "by"), [("aistor", "v3"), ("aistor", "v4"), ("aws", "aws")])
def test_standing_stack_keeps_its_names(run_program: "Callable[..., Run]", cloud: str, by: By) -> None:
    """One user without a region code decides for all users and policies; a new stack has it in all of them."""
    standing, new = (
        run_program(cloud, state=user_of_before(by)),
        run_program(cloud, **({"adminApi": by} if cloud == "aistor" else {})),
    )

    for run, prefix in ((standing, "joelclaw-local-"), (new, "joelclaw-local-usw2-")):
        names = {one.inputs["name"] for one in run.resources if one.type in identity_types(by) and "name" in one.inputs}
        assert names == {f"{prefix}{identity}" for identity in load().identities}
        plan = run.outputs["deployment"]["plan"]
        assert {identity["user_name"] for identity in plan["identities"]} == names


@pytest.mark.parametrize(("cloud", "by"), [("aistor", "v3"), ("aistor", "v4"), ("aws", "aws")])
def test_name_that_another_stack_has_declares_nothing(run_program: "Callable[..., Run]", cloud: str, by: By) -> None:
    """The other stack's user stays as it is: its name is refused with the line to paste."""
    held = Taken(ServerName(About.USER, "joelclaw-local-reader"), frozenset({"joelclaw-local-euw1-"}))
    with pytest.raises(pulumi.RunError) as caught:
        run_program(cloud, state=user_of_before(by), taken=[held])

    assert "joelclaw-local-reader: the user already exists, but it is not in the stack" in str(caught.value)
    assert "for the buckets joelclaw-local-euw1-…" in str(caught.value)
    assert "write: pulumi config set --stack test object-store:env NAME" in str(caught.value)
    assert run_program(cloud, taken=[held], **({"adminApi": by} if cloud == "aistor" else {})).of(
        "Bucket" if cloud == "aws" else "S3Bucket"
    )


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_bucket_of_the_state_that_is_gone_declares_nothing(run_program: "Callable[..., Run]", cloud: str) -> None:
    """An update stops with the way back, also for a bucket that the plan does not have any more."""
    known = state(cloud, media_raw=True, former=False)
    with pytest.raises(pulumi.RunError) as caught:
        run_program(cloud, state=known, gone=frozenset({"joelclaw-local-usw2-former"}))

    assert "joelclaw-local-usw2-former: the bucket is in the stack, and the server does not have it" in str(
        caught.value
    )
    assert "joelclaw-local-usw2-media-raw" not in str(caught.value)
    assert "object-store recover --stack test" in str(caught.value)


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_bucket_of_the_state_that_is_gone_is_a_warning_of_a_preview(
    run_program: "Callable[..., Run]", cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview with a refresh shows what the update makes anew, so it goes on."""
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    monkeypatch.setattr("pulumi.runtime.is_dry_run", lambda: True)

    run = run_program(cloud, state=state(cloud, media_raw=True), gone=frozenset({"joelclaw-local-usw2-media-raw"}))

    assert run.resources
    assert "has none of the stack's 1 buckets" in said[0]
    assert "object-store recover --stack test --all-gone" in said[0]


@pytest.mark.parametrize(
    ("server", "known", "refused"),
    [("old.example.com:9000", False, True), ("old.example.com:9000", True, False), ("", False, False)],
)
def test_other_server_with_the_buckets_is_known_by_its_keys(
    run_program: "Callable[..., Run]",
    monkeypatch: pytest.MonkeyPatch,
    server: str,
    known: bool,  # noqa: FBT001 - a parameter of the test
    refused: bool,  # noqa: FBT001 - likewise
) -> None:
    """The keys are asked for only where the state names another endpoint, and one that is known suffices."""
    asked: list[list[str]] = []

    def knows(keys: list[str], _settings: object) -> bool:
        asked.append(keys)
        return known

    monkeypatch.setattr("infra.standing.knows_a_key", knows)
    key = {"type": "minio:index/iamServiceAccount:IamServiceAccount", "outputs": {"accessKey": "AK"}}
    provider = {"type": "pulumi:providers:minio", "outputs": {"minioServer": server, "minioSsl": "true"}}
    states = {**state("aistor", media_raw=True, former=False), "urn:key": key}
    if server:
        states["urn:provider::aistor"] = provider
    if refused:
        with pytest.raises(pulumi.RunError) as caught:
            run_program("aistor", state=states, gone=frozenset({"joelclaw-local-usw2-former"}))
        assert "none of its 1 access keys, so it is not the one at old.example.com:9000" in str(caught.value)
        assert "`object-store recover --stack test --all-gone`, then `pulumi up --stack test`" in str(caught.value)
        # That it lacks a bucket, too, is no loss: the line for one leads elsewhere.
        assert "joelclaw-local-usw2-former" not in str(caught.value)
    else:
        assert run_program("aistor", state=states).resources
    assert asked == ([["AK"]] if server else [])


@pytest.mark.usefixtures("small_policies")
@pytest.mark.parametrize("cloud_and_api", ["aistor v3", "aistor v4", "aws"])
def test_policy_that_gains_a_domain_changes_first(run_program: "Callable[..., Run]", cloud_and_api: str) -> None:
    """The verifier's last domain of the first policy moves into the second: that one is changed and attached first."""
    cloud, _, version = cloud_and_api.partition(" ")
    settings = {"adminApi": version} if version else {}
    many = {f"{'long' * 8}-{number:03}": {"band": "hot"} for number in range(14)}
    more = {"aaa": {"band": "hot"}, "bbb": {"band": "hot"}, "ccc": {"band": "hot"}, **many}
    kind = {"aistor v3": "IamPolicy", "aistor v4": "Policy", "aws": "Policy"}[cloud_and_api]
    before = run_program(cloud, domains=many, **settings).of(kind)
    policies = {
        f"urn:pulumi:test::object-store::x::{name}": {"type": one.type, "outputs": {"policy": one.inputs["policy"]}}
        for name, one in before.items()
    }

    after = run_program(cloud, domains=more, state=policies, **settings)

    assert before["verifier-policy-2"].inputs["policy"] != after.of(kind)["verifier-policy-2"].inputs["policy"]
    assert "verifier-attachment-2" in after.of(kind)["verifier-policy"].depends_on
    assert not before["verifier-policy"].depends_on & {"verifier-attachment-2"}
    again = run_program(cloud, domains=many, state=policies, **settings)
    assert not any("verifier-attachment" in one.depends_on for one in again.of(kind).values())


@pytest.mark.usefixtures("small_policies")
def test_other_order_of_domains_is_a_warning(
    run_program: "Callable[..., Run]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """One update cannot move two domains past each other without a moment that lacks one."""
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    many = {f"{'long' * 8}-{number:03}": {"band": "hot"} for number in range(14)}
    before = run_program("aws", domains=many).of("Policy")
    policies = {
        f"urn:pulumi:test::object-store::x::{name}": {"type": one.type, "outputs": {"policy": one.inputs["policy"]}}
        for name, one in before.items()
    }

    run_program("aws", domains=dict(reversed(many.items())), state=policies)

    assert any("the domains of verifier have another order than before" in line for line in said)


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_renamed_domain_keeps_its_bucket_and_answers_to_its_former_names(
    run_program: "Callable[..., Run]", cloud: str
) -> None:
    """All resources of the bucket have the former names as aliases, and the bucket keeps the oldest name."""
    domains = {"third": {"band": "warm", "renamed_from": ["first", "second"]}}
    run = run_program(cloud, domains=domains)

    own = run.children("third")
    assert len(own) >= 3
    for resource in own:
        suffix = resource.name.removeprefix("third")
        assert resource.aliases == (f"first{suffix}", f"second{suffix}")
    bucket = next(resource for resource in own if resource.name == "third")
    assert bucket.inputs["bucket"] == "joelclaw-local-usw2-first"
    assert all(not resource.aliases for resource in run.children("media-raw"))


def test_domain_that_got_its_first_name_back_is_no_alias_of_itself(run_program: "Callable[..., Run]") -> None:
    """Only the name in between is an alias."""
    run = run_program("aistor", domains={"first": {"band": "hot", "renamed_from": ["first", "second"]}})

    aliases = [resource.aliases[0] for resource in run.children("first")]
    assert aliases == ["second", "second-lifecycle", "second-policy"]


def test_state_that_is_being_written_is_read_again(run_program: "Callable[..., Run]") -> None:
    """The engine writes its checkpoint while the program starts; a failed read succeeds soon after."""
    run = run_program("aistor", unreadable=3)

    assert len(run.of("S3Bucket")) == 9


def test_state_that_stays_unreadable_declares_nothing(
    run_program: "Callable[..., Run]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last attempt the program ends with the engine's message."""
    monkeypatch.setattr("infra.standing.STATE_SECONDS", 0.3)
    with pytest.raises(
        pulumi.RunError, match=r"cannot read the state .*, so nothing was declared: .*failed to load checkpoint"
    ):
        run_program("aistor", unreadable=1000)


PLUGINS = tuple(sorted(identity_types("v3")))
OWN = tuple(sorted(identity_types("v4")))


def with_types(*types: str) -> "dict[str, Any]":
    """A state with a resource of each of these types."""
    return {f"urn:{kind}": {"type": kind, "outputs": {}} for kind in types}


@pytest.mark.parametrize(
    ("held", "wanted", "by"), [(PLUGINS, "v4", "v3"), (OWN, "v3", "v4")], ids=["v3 to v4", "v4 to v3"]
)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "partly made"])
def test_identities_of_another_admin_api_declare_nothing(
    run_program: "Callable[..., Run]", held: tuple[str, ...], wanted: str, by: str, *, whole: bool
) -> None:
    """One existing user, policy, attachment or key is enough: an update would recreate it and delete the old one."""
    for types in [held] if whole else [(one,) for one in held]:
        with pytest.raises(pulumi.RunError) as caught:
            run_program("aistor", state=with_types(*types), adminApi=wanted)

        assert f"adminApi: {by} manages users, policies or keys of this stack" in str(caught.value)
        assert f"this update would use {wanted}" in str(caught.value)
        assert f"object-store switch-admin-api --stack test --to {wanted}" in str(caught.value)


@pytest.mark.parametrize(("held", "wanted"), [(PLUGINS, "v3"), (OWN, "v4"), ((), "v3"), ((), "v4")])
def test_identities_of_the_same_admin_api_and_none_at_all_are_declared(
    run_program: "Callable[..., Run]", held: tuple[str, ...], wanted: str
) -> None:
    """Existing identities continue, and a new stack may start with either API."""
    run = run_program("aistor", state={**with_types(*held), **state("aistor", media_raw=True)}, adminApi=wanted)

    assert len(run.of({"v3": "IamUser", "v4": "User"}[wanted])) == 6


@pytest.mark.parametrize(
    "held", [PLUGINS, OWN, PLUGINS[:1], OWN[-1:]], ids=["v3", "v4", "a part of v3", "a part of v4"]
)
def test_state_decides_where_the_config_says_nothing(run_program: "Callable[..., Run]", held: tuple[str, ...]) -> None:
    """A standing stack keeps what manages its identities, also one that lost most of them from its state."""
    run = run_program("aistor", state={**with_types(*held), **state("aistor", media_raw=True)})

    assert {one.type for one in run.resources} >= identity_types("v3" if held[0] in PLUGINS else "v4")


@pytest.mark.parametrize("held", [{}, state("aistor", media_raw=True)], ids=["new stack", "no identity left"])
def test_stack_without_identities_gets_our_own(run_program: "Callable[..., Run]", held: "dict[str, Any]") -> None:
    """No config key is needed for them, and no resource of the plugin is an identity."""
    found = {one.type for one in run_program("aistor", state=held).resources}

    assert found >= identity_types("v4")
    assert not found & identity_types("v3")


@pytest.mark.parametrize("wanted", ["v3", "v4", ""])
def test_state_with_both_is_refused(run_program: "Callable[..., Run]", wanted: str) -> None:
    """After an interrupted move, either version would recreate the other half; the line to v4 or to the config's."""
    to = wanted or "v4"
    with pytest.raises(pulumi.RunError, match=f"this update would use {to}") as caught:
        run_program("aistor", state=with_types(PLUGINS[0], OWN[1]), adminApi=wanted)

    assert f"object-store switch-admin-api --stack test --to {to}" in str(caught.value)


def test_aws_is_never_asked_about_its_admin_api(run_program: "Callable[..., Run]") -> None:
    """AWS has no admin API, for any state."""
    for held in (PLUGINS, OWN):
        run = run_program("aws", state=with_types(*held))

        assert len(run.of("Bucket")) == 9
