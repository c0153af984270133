"""Many domains on both stacks: identities get several policies, and the servers refuse what MinIO and IAM refuse.

The rule: a change deploys as many domains as split the policies; `make long` deploys 300 and verifies every bucket.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError

from bench.stores import BANDS
from model.bucket_names import BUCKET_NAME_MAXIMUM
from tests.sizes import IS_LONG, sized
from trials.checkout import Checkout, copy_checkout

pytestmark = pytest.mark.e2e

PREFIX = {"local": "joelclaw-local-usw2-", "aws": "joelclaw-prod-usw2-"}
IDENTITIES = {"writer": {"grants": {"*": "write"}}}
SHIPPED = 9
# Two more domains move one or two of the last buckets of a policy; the reads leave the processors to the update.
LAST_OF_POLICY = 4
READ_EVERY_SECONDS = 0.05
# The engine writes the whole state once and not after each resource: a quarter of the CPU time for 400 resources.
FEWER_WRITES = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}


@dataclass(frozen=True)
class Many:
    """A stack with many domains.

    Attributes:
        checkout: Its sandbox.
        stack: Its name.
        domains: Its additional domains.
    """

    checkout: Checkout
    stack: str
    domains: dict[str, dict[str, str]]

    def succeeds(self, *arguments: str) -> str:
        """Run pulumi; returns its output."""
        done = self.checkout.pulumi(self.stack, *arguments, "--stack", self.stack, more=FEWER_WRITES)
        assert done.status == 0, done.output
        return done.output


def names(stack: str, count: int) -> Iterator[str]:
    """Domains: on AIStor with the longest names, because its policies are larger."""
    for number in range(count):
        name = f"domain-{number:03}"
        yield name.ljust(BUCKET_NAME_MAXIMUM - len(PREFIX[stack]), "x") if stack == "local" else name


@pytest.fixture(scope="module", params=["local", "aws"], name="many")
def _many(request: pytest.FixtureRequest, engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    del engine
    stack = str(request.param)
    checkout = replace(copy_checkout(tmp_path_factory.mktemp(f"many-{stack}")), timeout_seconds=sized(240, 3600))
    count = sized(86 if stack == "local" else 60, 300) - SHIPPED
    bands = BANDS if IS_LONG else ("hot",)
    domains = {name: {"band": bands[at % len(bands)]} for at, name in enumerate(names(stack, count))}
    try:
        done = checkout.python("cli", "sandbox", "up", "--stack", stack)
        assert done.status == 0, done.output
        path = checkout.config_file(stack)
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        content["config"] |= {"object-store:domains": domains, "object-store:identities": IDENTITIES}
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        many = Many(checkout, stack, domains)
        many.succeeds("up", "--yes", "--skip-preview")
        yield many
    finally:
        checkout.python("cli", "sandbox", "down", "--stack", stack)


def attached(many: Many, user: str) -> set[str]:
    """The names of the policies that a user has on the server."""
    if many.stack == "local":
        with many.checkout.admin_api("local") as api:
            return set(str(api.user(user)["policyName"]).split(","))
    found = many.checkout.client("aws", "iam").list_attached_user_policies(UserName=user)["AttachedPolicies"]
    return {one["PolicyName"] for one in found}


def test_server_has_every_policy_and_nothing_is_left_to_do(many: Many) -> None:
    """The verifier has several policies, each small enough for the server, and a preview finds nothing to change."""
    resources: list[dict[str, Any]] = json.loads(many.succeeds("stack", "export"))["deployment"]["resources"]
    user = f"{PREFIX[many.stack]}verifier"
    in_state = {one["inputs"]["name"] for one in resources if one.get("inputs", {}).get("name", "").startswith(user)}

    assert len(in_state) > 1
    assert attached(many, user) == in_state
    # For a change `test_no_moment_lacks_a_grant` has one preview for both updates.
    if IS_LONG:
        many.succeeds("preview", "--expect-no-changes", "--refresh")


def test_verify_proves_the_first_and_the_last_domain(many: Many) -> None:
    """The keys may do in each bucket what the plan says, whichever policy says it; `make long` proves all buckets."""
    first, last = "media-raw", list(many.domains)[-1]
    chosen = [] if IS_LONG else ["--bucket", first, "--bucket", last]

    done = many.checkout.python("cli", "verify", "--stack", many.stack, "--quiet", *chosen, stack=many.stack)

    assert done.status == 0, done.output


def policies_of_verifier(many: Many) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The texts of the verifier's policies by name of resource, and what each waits for."""
    resources: list[dict[str, Any]] = json.loads(many.succeeds("stack", "export"))["deployment"]["resources"]
    found = {one["urn"].rpartition("::")[2]: one for one in resources}
    found = {name: one for name, one in found.items() if name.startswith("verifier-policy")}
    texts = {name: str(one["inputs"]["policy"]) for name, one in found.items()}
    return texts, {name: one.get("dependencies") or [] for name, one in found.items()}


def test_no_moment_lacks_a_grant(many: Many) -> None:
    """A domain before all others moves some to the next policy: the verifier reads their buckets during the update."""
    path = many.checkout.config_file(many.stack)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["config"]["object-store:domains"] = {"aaa": {"band": "hot"}, "bbb": {"band": "hot"}, **many.domains}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    published = json.loads(many.succeeds("stack", "output", "credentials", "--json", "--show-secrets"))["verifier"]
    before, _ = policies_of_verifier(many)
    buckets = [f"{PREFIX[many.stack]}{domain}" for domain in many.domains]
    in_first = [bucket for bucket in buckets if bucket in before["verifier-policy"]]
    last = in_first[-LAST_OF_POLICY:]
    stop, refused = Event(), []

    def read_last() -> None:
        address = many.checkout.address(many.stack)
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=address.endpoint,
            region_name=address.region,
            aws_access_key_id=published["access_key_id"],
            aws_secret_access_key=published["secret_access_key"],
            verify=str(address.ca_file),
        )
        while not stop.wait(READ_EVERY_SECONDS):
            for bucket in last:
                try:
                    client.get_bucket_location(Bucket=bucket)
                except ClientError as error:
                    refused.append(f"{bucket}: {error}")

    with ThreadPoolExecutor() as pool:
        reading = pool.submit(read_last)
        try:
            many.succeeds("up", "--yes", "--skip-preview")
        finally:
            stop.set()
        reading.result()

    after, waits = policies_of_verifier(many)
    assert any(bucket not in after["verifier-policy"] for bucket in last)
    assert last[0] in after["verifier-policy"], "read more buckets: all of these move"
    assert refused == []
    assert any("::verifier-attachment-" in urn for urn in waits["verifier-policy"])
    many.succeeds("preview", "--expect-no-changes")
