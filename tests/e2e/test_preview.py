"""The effect of a change on the data, reported after the real engine's preview of both stacks."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import trials.checkout
from tests.console import command as console
from tests.e2e.conftest import lead_here
from tests.sizes import ELSEWHERE, on
from trials.checkout import Done, copy_checkout

if TYPE_CHECKING:
    from trials.checkout import Checkout

pytestmark = pytest.mark.e2e
main = console("preview")

Edit = Callable[[dict[str, Any]], object]
DOMAINS = (
    "agent-loop-artifacts",
    "discovery-raw",
    "docs-derived",
    "docs-raw",
    "media-derived",
    "media-raw",
    "otel-archive",
    "session-archive",
    "vault-backups",
)
IDENTITIES = ("otel-exporter", "reader", "session-archiver", "vault-backup", "verifier", "worker")
SHORTER = "session-archive: objects now expire after 90 days (was 365)"


def each(names: tuple[str, ...], what: str) -> list[str]:
    """One sentence for each item."""
    return [f"{name}: {what}" for name in names]


def domain(name: str, **values: object) -> Edit:
    """Set a key of a domain; None removes it."""

    def edit(taxonomy: dict[str, Any]) -> None:
        for key, value in values.items():
            taxonomy["domains"][name][key] = value
            if value is None:
                del taxonomy["domains"][name][key]

    return edit


def band(name: str, **values: object) -> Edit:
    """Set a key of a band."""
    return lambda taxonomy: taxonomy["bands"][name].update(values)


def grant(identity: str, name: str, access: str | None) -> Edit:
    """Set a grant; None removes it."""

    def edit(taxonomy: dict[str, Any]) -> None:
        grants = taxonomy["identities"][identity]["grants"]
        grants[name] = access
        if access is None:
            del grants[name]

    return edit


def renamed(*, kept: bool) -> Edit:
    """Rename vault-backups to vaults."""

    def edit(taxonomy: dict[str, Any]) -> None:
        taxonomy["domains"] = {
            "vaults" if name == "vault-backups" else name: value for name, value in taxonomy["domains"].items()
        }
        if kept:
            taxonomy["domains"]["vaults"]["renamed_from"] = "vault-backups"
        taxonomy["identities"]["vault-backup"]["grants"] = {"vaults": "append"}

    return edit


def dropped(taxonomy: dict[str, Any]) -> None:
    """Remove vault-backups and the identity that wrote to it."""
    del taxonomy["domains"]["vault-backups"]
    del taxonomy["identities"]["vault-backup"]


@dataclass(frozen=True)
class Case:
    """An edit, and the sentences that it must give.

    Attributes:
        edit: Of the taxonomy.
        config: Of the stack's file.
        danger: Sentences of that level, on both stacks.
        notice: Sentences of that level, on both stacks.
        safe: Sentences of that level, on both stacks.
        local_danger: Further ones only on local, whose append domains keep what a put replaces.
        local_safe: Likewise.
        aws_danger: Further ones only on aws.
        aws_notice: Further ones only on aws.
        aws_safe: Further ones only on aws.
        stale: Acknowledgements that are not needed.
        exit_code: Of the command.
        error: A part of the error's text.
        only: The one stack that it is for.
    """

    edit: Edit | None = None
    config: Mapping[str, object] = field(default_factory=dict)
    danger: list[str] = field(default_factory=list)
    notice: list[str] = field(default_factory=list)
    safe: list[str] = field(default_factory=list)
    local_danger: list[str] = field(default_factory=list)
    local_safe: list[str] = field(default_factory=list)
    aws_danger: list[str] = field(default_factory=list)
    aws_notice: list[str] = field(default_factory=list)
    aws_safe: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    exit_code: int = 0
    error: str = ""
    only: str = ""


CASES = {
    "nothing": Case(),
    "a purpose": Case(domain("docs-raw", purpose="other words")),
    "days shorter": Case(
        domain("session-archive", expire_after_days=90),
        danger=[SHORTER],
        local_danger=["session-archive: noncurrent versions are now removed after 90 days (was 365)"],
        exit_code=1,
    ),
    "days taken away: the band's hold": Case(
        domain("session-archive", expire_after_days=None),
        danger=["session-archive: objects now expire after 180 days (was 365)"],
        local_danger=["session-archive: noncurrent versions are now removed after 180 days (was 365)"],
        exit_code=1,
    ),
    "days longer": Case(
        domain("discovery-raw", expire_after_days=365),
        safe=["discovery-raw: objects now expire after 365 days (was 180)"],
        local_safe=["discovery-raw: noncurrent versions are now removed after 365 days (was 180)"],
    ),
    "hot days shorter": Case(
        domain("agent-loop-artifacts", expire_after_days=7),
        danger=["agent-loop-artifacts: objects now expire after 7 days (was 14)"],
        exit_code=1,
    ),
    "hot days longer": Case(
        domain("agent-loop-artifacts", expire_after_days=30),
        safe=["agent-loop-artifacts: objects now expire after 30 days (was 14)"],
    ),
    "days of a stack's own file": Case(
        config={"domains": {"session-archive": {"expire_after_days": 120}}},
        danger=["session-archive: objects now expire after 120 days (was 365)"],
        local_danger=["session-archive: noncurrent versions are now removed after 120 days (was 365)"],
        exit_code=1,
    ),
    "noncurrent days shorter, for a whole band": Case(
        band("warm", expire_noncurrent_after_days=10),
        danger=each(("docs-derived", "media-derived"), "noncurrent versions are now removed after 10 days (was 30)"),
        aws_danger=each(
            ("discovery-raw", "session-archive"), "noncurrent versions are now removed after 10 days (was 30)"
        ),
        # A hot bucket may have been warm, so it has the same days.
        notice=["agent-loop-artifacts: noncurrent versions are now removed after 10 days (was 30)"],
        exit_code=1,
    ),
    "expiry introduced": Case(
        domain("otel-archive", expire_after_days=365),
        danger=["otel-archive: objects now expire after 365 days (was never)"],
        exit_code=1,
    ),
    "retention longer": Case(
        domain("vault-backups", retention_days=730),
        safe=[
            "vault-backups: noncurrent versions are now removed after 760 days (was 395)",
            "vault-backups: retention of new objects is now 730 days (was 365)",
        ],
    ),
    "a stronger mode": Case(
        domain("docs-raw", retention_mode="COMPLIANCE"),
        notice=["docs-raw: retention mode of new objects is now COMPLIANCE (was GOVERNANCE)"],
    ),
    "hot to warm": Case(
        domain("agent-loop-artifacts", band="warm"),
        safe=[
            "agent-loop-artifacts: moves from hot to warm",
            "agent-loop-artifacts: objects now expire after 180 days (was 14)",
            "agent-loop-artifacts: versions are now kept",
        ],
        aws_notice=["agent-loop-artifacts: objects now move to STANDARD_IA after 30 days (was never)"],
        aws_safe=["agent-loop-artifacts: unfinished uploads are now removed after 7 days (was 2)"],
    ),
    "warm to hot": Case(
        domain("media-derived", band="hot", expire_after_days=None),
        danger=[
            "media-derived: objects now expire after 14 days (was 365)",
            "media-derived: versioning would be SUSPENDED",
        ],
        safe=["media-derived: moves from warm to hot"],
        aws_notice=[
            "media-derived: unfinished uploads are now removed after 2 days (was 7)",
            "media-derived: objects no longer move to another storage class (was STANDARD_IA after 30 days)",
        ],
        exit_code=1,
    ),
    "a lock on a bucket that stands": Case(
        domain("session-archive", band="cold"),
        exit_code=2,
        error="has no object lock, and a bucket can get it only at creation",
    ),
    "leaving cold": Case(
        domain("media-raw", band="warm"), exit_code=2, error="has object lock, which cannot be removed"
    ),
    "a new domain": Case(
        lambda taxonomy: taxonomy["domains"].update({"build-cache": {"band": "hot"}}),
        safe=[
            "build-cache: bucket is new (hot, objects expire after 14 days)",
            "reader: may now read in build-cache",
            "verifier: may now verify in build-cache",
        ],
    ),
    "a stack's own domain": Case(
        config={"domains": {"images": {"band": "warm"}}},
        safe=[
            "images: bucket is new (warm, objects expire after 180 days)",
            "reader: may now read in images",
            "verifier: may now verify in images",
        ],
    ),
    "a domain dropped": Case(
        dropped,
        danger=["vault-backups: bucket would be DELETED"],
        notice=["vault-backup: identity would be DELETED; its key stops working"],
        safe=["reader: may no longer read in vault-backups", "verifier: may no longer verify in vault-backups"],
        exit_code=1,
    ),
    "a rename that keeps the bucket": Case(
        renamed(kept=True), safe=["vaults: renamed from vault-backups; its bucket BUCKET(vault-backups) is kept"]
    ),
    "a rename that does not": Case(
        renamed(kept=False),
        danger=["vault-backups: bucket would be DELETED"],
        notice=["vaults: is it vault-backups under a new name?"],
        safe=[
            "vaults: bucket is new (cold, GOVERNANCE for 365 days, objects do not expire)",
            "reader: may now read in vaults",
            "reader: may no longer read in vault-backups",
            "vault-backup: may now read and put in vaults",
            "vault-backup: may no longer read and put in vault-backups",
            "verifier: may now verify in vaults",
            "verifier: may no longer verify in vault-backups",
        ],
        exit_code=1,
    ),
    "a grant widened": Case(
        grant("otel-exporter", "otel-archive", "write"),
        danger=["otel-exporter: may now delete in otel-archive"],
        aws_danger=[
            "otel-exporter: is no longer refused: puts over an object (puts without If-None-Match) in otel-archive"
        ],
        exit_code=1,
    ),
    "a grant narrowed": Case(grant("worker", "media-raw", "read"), notice=["worker: may no longer put in media-raw"]),
    "a grant taken away": Case(
        grant("worker", "docs-raw", None), notice=["worker: may no longer read and put in docs-raw"]
    ),
    "a new grant": Case(
        grant("worker", "otel-archive", "read"), danger=["worker: may now read in otel-archive"], exit_code=1
    ),
    "a grant on every domain": Case(
        grant("reader", "*", "write"),
        danger=[f"reader: may now put and delete in {name}" for name in DOMAINS],
        exit_code=1,
    ),
    "a new identity": Case(
        lambda taxonomy: taxonomy["identities"].update({"auditor": {"grants": {"media-raw": "read"}}}),
        danger=["auditor: may now read in media-raw"],
        safe=["auditor: identity is new (user USER(auditor))"],
        exit_code=1,
    ),
    "an identity dropped": Case(
        lambda taxonomy: taxonomy["identities"].pop("otel-exporter"),
        notice=["otel-exporter: identity would be DELETED; its key stops working"],
    ),
    "another environment": Case(
        config={"env": "lab"},
        danger=each(DOMAINS, "bucket would be REPLACED")
        + each(IDENTITIES, "credential would be REPLACED without overlap"),
        aws_safe=["stack: connection is updated (defaultTags)"],
        exit_code=1,
    ),
    "protection": Case(
        config={"protect": True, "emptyOnDestroy": False},
        safe=each(DOMAINS, "it is now protected against deletion")
        + each(
            ("agent-loop-artifacts", "discovery-raw", "docs-derived", "media-derived", "session-archive"),
            "it is no longer emptied when it is destroyed",
        ),
    ),
    "acknowledged": Case(
        # On a domain without `append`, so that both stacks say the one sentence.
        domain("media-derived", expire_after_days=90),
        config={"acknowledge": [SHORTER.replace("session-archive", "media-derived")]},
        danger=[SHORTER.replace("session-archive", "media-derived")],
    ),
    "another danger acknowledged": Case(
        domain("session-archive", expire_after_days=91),
        config={"acknowledge": [SHORTER]},
        danger=["session-archive: objects now expire after 91 days (was 365)"],
        local_danger=["session-archive: noncurrent versions are now removed after 91 days (was 365)"],
        stale=[SHORTER],
        exit_code=1,
    ),
    "acknowledged and not needed": Case(config={"acknowledge": [SHORTER]}, stale=[SHORTER]),
    "a later move to a cheaper class": Case(
        band("warm", transition={"storage_class": "STANDARD_IA", "after_days": 60}),
        aws_notice=each(
            ("discovery-raw", "docs-derived", "media-derived", "session-archive"),
            "objects now move to STANDARD_IA after 60 days (was STANDARD_IA after 30 days)",
        ),
    ),
    "unfinished uploads": Case(
        band("cold", abort_multipart_after_days=3),
        aws_notice=each(
            ("docs-raw", "media-raw", "otel-archive", "vault-backups"),
            "unfinished uploads are now removed after 3 days (was 7)",
        ),
    ),
    "bad input": Case(domain("docs-raw", band="frozen"), exit_code=2, error="legal: hot, warm, cold"),
    "tags": Case(
        config={"tags": {"team": "platform"}},
        safe=[*each((*DOMAINS, *IDENTITIES), "its tags change"), "stack: connection is updated (defaultTags)"],
        only="aws",
    ),
    "encryption": Case(
        config={"encryption": "SSE-KMS", "kmsKeyArn": "arn:aws:kms:us-west-2:123456789012:key/x"},
        notice=each(DOMAINS, "default encryption is now SSE-KMS (was SSE-S3)"),
        only="aws",
    ),
    "another region": Case(
        config={"region": "us-east-2"},
        danger=each(DOMAINS, "bucket would be REPLACED"),
        notice=["stack: clients now get the region us-east-2 (was us-west-2)"],
        safe=["stack: connection is updated (region)"],
        exit_code=1,
        only="aws",
    ),
    "what clients are told": Case(
        config={"clientEndpoint": "https://aistor-s3-api.aistor:443"},
        notice=["stack: clients now get the endpoint https://aistor-s3-api.aistor:443 (was ENDPOINT)"],
        only="local",
    ),
}
NAMES = {"local": "joelclaw-local-", "aws": "joelclaw-prod-"}


@contextmanager
def edited(
    checkout: "Checkout", stack: str, edit: Edit | None = None, config: Mapping[str, object] | None = None
) -> "Iterator[None]":
    """The checkout with a change, until the end of the block."""
    taxonomy, file = checkout.path / "infra" / "taxonomy.yaml", checkout.folder(stack).stack_file
    kept = {path: path.read_text(encoding="utf-8") for path in (taxonomy, file)}
    try:
        if edit is not None:
            content = yaml.safe_load(kept[taxonomy])
            edit(content)
            taxonomy.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        if config:
            content = yaml.safe_load(kept[file])
            content["config"].update({f"object-store:{key}": value for key, value in config.items()})
            file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        yield
    finally:
        for path, text in kept.items():
            path.write_text(text, encoding="utf-8")


def previewed(checkout: "Checkout", stack: str, *arguments: str) -> "Done":
    """`object-store preview` of a stack."""
    return checkout.python("cli", "preview", "--stack", stack, *arguments, stack=stack)


def spelled(sentences: list[str], checkout: "Checkout", stack: str) -> list[str]:
    """Sentences with the stack's own names, sorted."""
    endpoint = json.loads(checkout.folder(stack).server_file.read_text(encoding="utf-8"))["endpoint"]
    return sorted(
        sentence.replace("BUCKET(vault-backups)", f"{NAMES[stack]}usw2-vault-backups")
        .replace("USER(auditor)", f"{NAMES[stack]}usw2-auditor")
        .replace("ENDPOINT", endpoint)
        for sentence in sentences
    )


# Cases whose edits concern different items. One preview shows the edits of a line together; the others are shown alone.
TOGETHER = (
    (
        "days shorter",
        "days longer",
        "hot days longer",
        "expiry introduced",
        "retention longer",
        "a stronger mode",
        "a new domain",
        "a stack's own domain",
        "a grant widened",
        "a grant narrowed",
        "a grant taken away",
        "a new grant",
        "a new identity",
    ),
    (
        "a purpose",
        "days taken away: the band's hold",
        "hot to warm",
        "warm to hot",
        "a domain dropped",
        "an identity dropped",
        "acknowledged and not needed",
        "what clients are told",
    ),
    ("days of a stack's own file", "hot days shorter", "a rename that keeps the bucket"),
    ("noncurrent days shorter, for a whole band", "unfinished uploads"),
    ("protection", "a later move to a cheaper class"),
    ("tags", "encryption"),
    ("a lock on a bucket that stands", "leaving cold"),
)


def shown_with(name: str, stack: str) -> tuple[str, ...]:
    """The cases of a stack that one preview shows together with this one."""
    names = next((names for names in TOGETHER if name in names), (name,))
    return tuple(each for each in names if CASES[each].only in ("", stack))


def sentences(names: tuple[str, ...], checkout: "Checkout", stack: str) -> dict[str, list[str]]:
    """What the preview of these cases says, by level."""
    cases, on_aws = [CASES[name] for name in names], stack == "aws"
    return {
        "danger": spelled(
            [s for c in cases for s in [*c.danger, *(c.aws_danger if on_aws else c.local_danger)]], checkout, stack
        ),
        "notice": spelled([s for c in cases for s in [*c.notice, *(c.aws_notice if on_aws else [])]], checkout, stack),
        "safe": spelled(
            [s for c in cases for s in [*c.safe, *(c.aws_safe if on_aws else c.local_safe)]], checkout, stack
        ),
    }


@pytest.fixture(scope="module")
def shown() -> "dict[tuple[str, tuple[str, ...]], Done]":
    """The previews that were run, by stack and cases."""
    return {}


Preview = Callable[[str, tuple[str, ...]], Done]


@pytest.fixture
def preview_of(
    checkout: "Checkout",
    shown: "dict[tuple[str, tuple[str, ...]], Done]",
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Preview:
    """The preview of a stack with the edits of these cases, run once."""

    def preview(stack: str, names: tuple[str, ...]) -> Done:
        if (stack, names) not in shown:
            lead_here(checkout, stack, monkeypatch)
            cases = [CASES[name] for name in names]
            config = {key: value for case in cases for key, value in case.config.items()}
            with edited(checkout, stack, lambda content: [case.edit(content) for case in cases if case.edit], config):
                status = main(["--stack", stack, "--format", "json"])
            shown[stack, names] = Done(status, capsys.readouterr().out)
        return shown[stack, names]

    return preview


def changes_of(done: Done) -> dict[str, list[str]]:
    """The sentences of a preview, sorted, by level."""
    said = json.loads(done.output)
    return {risk: sorted(c["sentence"] for c in said["changes"] if c["risk"] == risk) for risk in said["totals"]}


def says_the_same(names: tuple[str, ...]) -> bool:
    """Whether the preview of these cases has the same sentences on both stacks."""
    cases = [CASES[name] for name in names]
    own = [(c.only, c.local_danger, c.local_safe, c.aws_danger, c.aws_notice, c.aws_safe) for c in cases]
    return not any(value for values in own for value in values)


NAMES_OF_CASES = [(stack, name) for stack in NAMES for name, case in CASES.items() if case.only in ("", stack)]
PREVIEWS = list(dict.fromkeys((stack, shown_with(name, stack)) for stack, name in NAMES_OF_CASES))
#: The stack of each preview that says the same on both; a change runs it there only.
TURNS = dict(zip((names for stack, names in PREVIEWS if stack == "local" and says_the_same(names)), cycle(NAMES)))


def marks(stack: str, names: tuple[str, ...]) -> list[pytest.MarkDecorator]:
    """Those of a preview: for a change, one that both stacks say alike runs on one of them in turn."""
    return [] if TURNS.get(names, stack) == stack else [ELSEWHERE]


@pytest.mark.parametrize(
    ("stack", "name"),
    [pytest.param(stack, name, marks=marks(stack, shown_with(name, stack))) for stack, name in NAMES_OF_CASES],
)
def test_edit_is_said(checkout: "Checkout", stack: str, name: str, preview_of: Preview) -> None:
    """An edit of taxonomy or config gives these sentences, at these levels."""
    case, done = CASES[name], preview_of(stack, shown_with(name, stack))
    found = changes_of(done)

    for risk, expected in sentences((name,), checkout, stack).items():
        assert not Counter(expected) - Counter(found[risk])
    said = json.loads(done.output)
    assert set(case.stale) <= set(said["stale_acknowledgements"])
    assert case.error in "\n".join(said["errors"])


@pytest.mark.parametrize(
    ("stack", "names"),
    [pytest.param(stack, names, id=f"{stack}-{names[0]}", marks=marks(stack, names)) for stack, names in PREVIEWS],
)
def test_nothing_else_is_said(checkout: "Checkout", stack: str, names: tuple[str, ...], preview_of: Preview) -> None:
    """The preview of these edits has no further sentence, and its exit status is that of the worst edit."""
    cases, done = [CASES[name] for name in names], preview_of(stack, names)
    said = json.loads(done.output)

    assert done.status == max(case.exit_code for case in cases), done.output
    found = changes_of(done)
    assert {risk: found[risk] for risk in ("danger", "notice", "safe")} == sentences(names, checkout, stack)
    assert said["stale_acknowledgements"] == [line for case in cases for line in case.stale]
    assert bool(said["errors"]) == any(case.error for case in cases)


@on("stack", ["aws"], left=["local"])
def test_bucket_that_is_protected_is_said_to_be(checkout: "Checkout", stack: str) -> None:
    """The engine stops at a protected bucket: an unacknowledged danger exits 1, an acknowledged one exits 2."""
    urn = next(
        line.split()[-1]
        for line in checkout.pulumi(stack, "stack", "--show-urns", "--stack", stack).output.splitlines()
        if "URN: " in line and line.endswith("Bucket::vault-backups")
    )
    gone = "vault-backups: bucket would be DELETED"
    assert checkout.pulumi(stack, "state", "protect", urn, "--yes", "--stack", stack).status == 0
    try:
        with edited(checkout, stack, dropped):
            open_danger = previewed(checkout, stack)
        with edited(checkout, stack, dropped, {"acknowledge": [gone]}):
            acknowledged = previewed(checkout, stack)
        off = previewed(checkout, stack, "--format", "json")
    finally:
        assert checkout.pulumi(stack, "state", "unprotect", urn, "--yes", "--stack", stack).status == 0

    assert (open_danger.status, acknowledged.status) == (1, 2)
    assert f"danger  {gone}\n" in open_danger.output
    assert f'    - "{gone}"' in open_danger.output
    assert "the bucket is protected, so the update would stop there" in acknowledged.output
    assert [c["sentence"] for c in json.loads(off.output)["changes"] if c["risk"] == "danger"] == [
        "vault-backups: its protection against deletion is removed"
    ]


# What opens a bucket to every caller: lines of the program, and what the preview says when they are changed.
OPENED = (
    ("block_public_policy=True", "block_public_policy=False", "public access is no longer blocked"),
    (
        "policy=as_json(bucket_policy(plan.name))",
        "policy=as_json(bucket_policy(plan.name)).replace('Deny', 'Allow')",
        "its policy now allows public access",
    ),
)


def test_public_access_is_a_danger(checkout: "Checkout") -> None:
    """Each setting that opens a bucket to every caller is reported for each bucket, from any place in the program."""
    path = checkout.path / "infra" / "aws.py"
    before = path.read_text(encoding="utf-8")
    opened = before
    for old, new, _ in OPENED:
        assert old in opened
        opened = opened.replace(old, new)
    path.write_text(opened, encoding="utf-8")
    try:
        done = previewed(checkout, "aws", "--format", "json")
    finally:
        path.write_text(before, encoding="utf-8")

    assert done.status == 1, done.output
    said = json.loads(done.output)
    dangers = sorted(c["sentence"] for c in said["changes"] if c["risk"] == "danger")
    assert dangers == sorted(line for *_, sentence in OPENED for line in each(DOMAINS, sentence))


@on("stack", ["local"], left=["aws"])
def test_drift_is_seen_after_a_refresh_only(checkout: "Checkout", stack: str) -> None:
    """A plain preview does not show a rule changed by hand; `--refresh` reports what `up` would do about it."""
    client, bucket = checkout.client(stack), f"{NAMES[stack]}usw2-discovery-raw"
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    drifted = [{**rule, "Expiration": {"Days": 300}} if rule["ID"] == "band-warm" else rule for rule in rules]
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": drifted})
    try:
        plain, fresh = previewed(checkout, stack), previewed(checkout, stack, "--refresh")
    finally:
        client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})

    mended = previewed(checkout, stack, "--refresh")

    assert (plain.status, fresh.status) == (0, 1)
    assert plain.output.startswith(f"{stack}: no change; ")
    assert mended.output.startswith(plain.output.splitlines()[0])
    assert "discovery-raw: objects now expire after 180 days (was 300)" in fresh.output


def test_failure_that_the_engine_does_not_explain_is_one(checkout: "Checkout") -> None:
    """A failed preview exits 2, for any content of its JSON."""
    more = {"PULUMI_DEBUG_PROVIDERS": "minio:1"}
    command = [trials.checkout.PYTHON, "-m", "cli", "preview", "--stack", "local"]
    done = checkout.run(command, "local", more)

    assert done.status == 2, done.output
    assert "would fail" in done.output or "printed no preview" in done.output


@on("stack", ["aws"], left=["local"])
def test_data_at_risk_is_read_with_a_handed_out_key(checkout: "Checkout", stack: str) -> None:
    """Objects of buckets whose expiry gets shorter are counted, by an identity that may read them."""
    client, bucket = checkout.client(stack), f"{NAMES[stack]}usw2-session-archive"
    client.put_object(Bucket=bucket, Key="a", Body=b"x" * 1000)
    client.put_object(Bucket=bucket, Key="b", Body=b"x" * 500)
    try:
        with edited(checkout, stack, domain("session-archive", expire_after_days=90)):
            shorter = previewed(checkout, stack, "--data-at-risk", "--format", "json")
        with edited(
            checkout,
            stack,
            lambda taxonomy: (
                taxonomy["domains"].pop("session-archive"),
                taxonomy["identities"].pop("session-archiver"),
            ),
        ):
            gone = previewed(checkout, stack, "--data-at-risk", "--max-keys", "1")
    finally:
        for version in client.list_object_versions(Bucket=bucket).get("Versions", []):
            client.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])

    assert shorter.status == 1, shorter.output
    said = json.loads(shorter.output)
    assert said["unread"] == []
    (found,) = said["data_at_risk"]
    assert found["bucket"] == bucket
    assert (found["read_keys"], found["complete"], found["current"]["within_30_days"]["objects"]) == (2, True, 0)
    assert "nothing would be eligible to expire within 30 days" in found["sentences"][0]
    assert gone.status == 1
    assert "at least 1 object" in gone.output
    assert "would be removed with the bucket" in gone.output


@pytest.fixture
def small(engine: None, stack: str, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Checkout]":
    """A deployed sandbox with one warm and one cold domain; every step of a small stack is faster."""
    del engine
    checkout = copy_checkout(tmp_path_factory.mktemp("small"), ("media-derived", "vault-backups"))
    try:
        checkout.must("sandbox", "up", "--stack", stack)
        made = checkout.up(stack, "--stack", stack)
        assert made.status == 0, made.output
        yield checkout
    finally:
        checkout.python("cli", "sandbox", "down", "--stack", stack)


def moved(taxonomy: dict[str, Any]) -> None:
    """A warm domain becomes hot, and a cold one gets another name."""
    domain("media-derived", band="hot", expire_after_days=None)(taxonomy)
    renamed(kept=True)(taxonomy)


def moved_back(taxonomy: dict[str, Any]) -> None:
    """The hot domain is warm again, and the cold one has its first name."""
    domain("media-derived", band="warm")(taxonomy)
    taxonomy["domains"] = {
        "vault-backups" if name == "vaults" else name: value for name, value in taxonomy["domains"].items()
    }
    taxonomy["domains"]["vault-backups"]["renamed_from"] = ["vault-backups", "vaults"]
    taxonomy["identities"]["vault-backup"]["grants"] = {"vault-backups": "append"}


@on("stack", ["aws"], left=["local"])
def test_moves_between_hot_and_warm_and_a_rename_are_done_in_place(small: "Checkout", stack: str) -> None:
    """`up` recreates and deletes no bucket, an object stays, and the changed domains are proven after each step."""
    client, bucket = small.client(stack), f"{NAMES[stack]}usw2-media-derived"
    client.put_object(Bucket=bucket, Key="kept", Body=b"kept")
    taxonomy = small.path / "infra" / "taxonomy.yaml"

    for edit in (moved, moved_back):
        content = yaml.safe_load(taxonomy.read_text(encoding="utf-8"))
        edit(content)
        taxonomy.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        done = small.up(stack, "--stack", stack)
        assert done.status == 0, done.output
        assert "replaced" not in done.output
        assert "Bucket vault" not in done.output
        verified = small.python("verify", "--stack", stack, stack=stack)
        assert verified.status == 0, verified.output
        assert client.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"kept"
        assert previewed(small, stack).output.startswith(f"{stack}: no change")


def test_bucket_that_exists_is_not_taken_over(checkout: "Checkout", stack: str) -> None:
    """If the bucket of a new domain exists, the program stops before it declares anything, and says how to adopt it."""
    name = f"{NAMES[stack]}usw2-build-cache"
    checkout.client(stack).create_bucket(
        Bucket=name, **({"CreateBucketConfiguration": {"LocationConstraint": "us-west-2"}} if stack == "aws" else {})
    )
    try:
        with edited(checkout, stack, config={"domains": {"build-cache": {"band": "hot"}}}):
            done = checkout.up(stack, "--stack", stack)
    finally:
        checkout.client(stack).delete_bucket(Bucket=name)

    assert done.status != 0
    assert f"{name}: the bucket already exists, but it is not in the stack" in done.output
    assert f"object-store adopt --stack {stack}" in done.output
    assert "Traceback" not in done.output
