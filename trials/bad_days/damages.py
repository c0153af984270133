"""The damages of bad days: each loses or changes one thing, past Pulumi.

The rule: a damage that finds nothing to damage raises an error, so no day is mended that never was bad.
"""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from model.resources import TYPES
from trials.bad_days.stack import BadDayError, Stack
from trials.killing import kill_tree, stop

HOT, WARM, COLD = "agent-loop-artifacts", "docs-derived", "media-raw"
#: One domain of each band; the damages need no other.
FEW_DOMAINS = (HOT, WARM, COLD)
IDENTITY = "worker"
LATE = {"late": {"band": "warm", "expire_after_days": 90}}
_SEED = 209
_KILL_SECONDS = 60.0
_POLL_SECONDS = 0.02


def delete_bucket(domain: str) -> Callable[[Stack], None]:
    """A bucket of a domain is deleted, with all that is in it."""

    def damage(stack: Stack) -> None:
        name, s3 = stack.bucket(domain).name, stack.s3
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                s3.delete_object(
                    Bucket=name, Key=one["Key"], VersionId=one["VersionId"], BypassGovernanceRetention=True
                )
        s3.delete_bucket(Bucket=name)

    return damage


def remove_rules(stack: Stack) -> None:
    """The lifecycle rules of a bucket are removed."""
    stack.s3.delete_bucket_lifecycle(Bucket=stack.bucket(WARM).name)


def suspend_versioning(stack: Stack) -> None:
    """The versioning of a warm bucket is suspended."""
    stack.s3.put_bucket_versioning(Bucket=stack.bucket(WARM).name, VersioningConfiguration={"Status": "Suspended"})


def clear_retention(stack: Stack) -> None:
    """The default retention of a cold bucket is cleared."""
    stack.s3.put_object_lock_configuration(
        Bucket=stack.bucket(COLD).name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )


def make_public(stack: Stack) -> None:
    """Everybody may read a bucket, by a bucket policy (on AWS the public-access block is opened first)."""
    name = stack.bucket(WARM).name
    if stack.by == "aws":
        settings = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        stack.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(settings, False))
    statement = (
        f'{{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{name}/*"}}'
    )
    stack.s3.put_bucket_policy(Bucket=name, Policy=f'{{"Version": "2012-10-17", "Statement": [{statement}]}}')


def drop_bucket_policy(stack: Stack) -> None:
    """The policy of a bucket and its public-access block are deleted (aws)."""
    stack.s3.delete_bucket_policy(Bucket=stack.bucket(WARM).name)
    stack.s3.delete_public_access_block(Bucket=stack.bucket(WARM).name)


def delete_user(stack: Stack) -> None:
    """A user is deleted, with its access keys."""
    user = stack.user(IDENTITY)
    if stack.by == "aws":
        _without_keys_and_policies(stack, user)
        stack.iam.delete_user(UserName=user)
        return
    with stack.api() as api:
        api.remove_user(user)


def delete_policy(stack: Stack) -> None:
    """A policy is detached and deleted."""
    detach_policy(stack)
    if stack.by == "aws":
        stack.iam.delete_policy(PolicyArn=_policy(stack)["Arn"])
        return
    with stack.api() as api:
        api.remove_policy(stack.user(IDENTITY))


def detach_policy(stack: Stack) -> None:
    """A policy is detached from its user."""
    user = stack.user(IDENTITY)
    if stack.by == "aws":
        stack.iam.detach_user_policy(UserName=user, PolicyArn=_policy(stack)["Arn"])
        return
    with stack.api() as api:
        api.detach(user, user)


def delete_key(stack: Stack) -> None:
    """An access key is deleted."""
    key = stack.credentials()[IDENTITY].access_key_id
    if stack.by == "aws":
        stack.iam.delete_access_key(UserName=stack.user(IDENTITY), AccessKeyId=key)
        return
    with stack.api() as api:
        api.delete_service_account(key)


def delete_role(stack: Stack) -> None:
    """A role is deleted (aws)."""
    role = stack.user("reader")
    for policy in stack.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        stack.iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    stack.iam.delete_role(RoleName=role)


def disable_user(stack: Stack) -> None:
    """A user is switched off (AIStor)."""
    with stack.api() as api:
        api.set_user_status(stack.user(IDENTITY), "disabled")


def disable_key(stack: Stack) -> None:
    """An access key is switched off."""
    key = stack.credentials()[IDENTITY].access_key_id
    if stack.by == "aws":
        stack.iam.update_access_key(UserName=stack.user(IDENTITY), AccessKeyId=key, Status="Inactive")
        return
    with stack.api() as api:
        policy = api.service_account(key)["policy"]
        api.update_service_account(key, policy=policy, status="off")


def lose_state(stack: Stack) -> None:
    """The state and all its copies are lost; the config remains."""
    folder = stack.checkout.state_folder(stack.name)
    found = [path for path in folder.rglob("*") if path.is_file() and path.name.startswith(f"{stack.name}.")]
    if not found:
        raise BadDayError(f"no state in {folder}")
    for path in found:
        path.unlink()


def lose_state_with_copy(stack: Stack) -> None:
    """The state is lost, and an export of it is left."""
    stack.must("stack", "export", "--file", "state.json")
    lose_state(stack)


def empty_attributes(stack: Stack) -> None:
    """The engine was killed while it wrote the attributes beside the state's file."""
    file = stack.state_file
    file.with_name(f"{file.name}.attrs").write_bytes(b"")
    if "failed to load checkpoint: EOF" not in stack.pulumi("up", "--yes", "--skip-preview").output:
        raise BadDayError("the state was read without its attributes")


def tear_state(stack: Stack) -> None:
    """The machine failed while the engine wrote the state's file."""
    file = stack.state_file
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    if "failed to load checkpoint" not in stack.pulumi("up", "--yes", "--skip-preview").output:
        raise BadDayError("the torn state was read")


def whole_state(stack: Stack) -> dict[str, str]:
    """The state's file in the documented line."""
    return {".pulumi/stacks/object-store/local.json": str(stack.state_file)}


def create_bucket_by_hand(stack: Stack) -> None:
    """A bucket exists that the config now plans."""
    region = stack.checkout.address(stack.name).region
    where: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    stack.s3.create_bucket(Bucket=stack.name_of("late"), **where)
    stack.set_config(domains=LATE)
    stack.must_be_refused()


def empty_state(stack: Stack) -> None:
    """A refresh by a refused admin took every resource of the store out of the state."""
    _forget(stack, lambda _: True)


def half_empty_state(stack: Stack) -> None:
    """A refresh took half of the resources out of the state."""
    chance = random.Random(_SEED)  # noqa: S311 - which half does not matter, but it must be the same half each time
    _forget(stack, lambda _: chance.random() < 0.5)  # noqa: PLR2004 - half


def restore_older_state(stack: Stack) -> None:
    """The state is the one from before the last update, which added a domain."""
    older = stack.state()
    stack.set_config(domains=LATE)
    stack.must("up", "--yes", "--skip-preview")
    stack.put_state(older)


def forget_late_domain(stack: Stack) -> None:
    """Take back what `restore_older_state` added, in the config and by an update."""
    for values in ({"protect": False}, {"domains": None}, {"protect": True}):
        stack.set_config(**values)
        stack.must("up", "--yes", "--skip-preview")


def kill_engine(stack: Stack) -> None:
    """The engine is killed in the middle of an update that adds a domain."""
    stack.set_config(domains=LATE)
    environ = stack.checkout.environment(stack.name)
    command = [stack.checkout.engine(stack.name), "up", "--yes", "--skip-preview", "--non-interactive"]
    update = subprocess.Popen(  # noqa: S603 - the sandbox's pulumi
        command, cwd=stack.checkout.path, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + _KILL_SECONDS
    while not _stopped_while_creating(update.pid, stack):
        if update.poll() is not None or time.monotonic() > deadline:
            raise BadDayError("the update ended before it could be killed")
        time.sleep(_POLL_SECONDS)
    kill_tree(update.pid)
    update.wait()


def destroy(stack: Stack) -> None:
    """`pulumi destroy --skip-preview` deleted all that is not protected."""
    done = stack.pulumi("destroy", "--yes", "--skip-preview")
    if done.status == 0:
        raise BadDayError("the destruction of protected buckets was not refused")


def replace_server(stack: Stack) -> None:
    """The server is replaced by an empty one at the same place."""
    stack.restart_server("store.pickle")


def two_updates_at_once(stack: Stack) -> None:
    """Two people run `pulumi up` at the same time."""
    stack.set_config(tags={"team": "platform"} if stack.by == "aws" else None)
    environ = stack.checkout.environment(stack.name)
    command = [stack.checkout.engine(stack.name), "up", "--yes", "--skip-preview", "--non-interactive"]
    both = [
        subprocess.Popen(  # noqa: S603 - the sandbox's pulumi
            command, cwd=stack.checkout.path, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    for one in both:
        one.wait()


def older_provider(stack: Stack) -> None:
    """The state was written by an older version of the provider."""
    state = stack.state()
    providers = [one for one in state["deployment"]["resources"] if one["type"].startswith("pulumi:providers:")]
    changed = [one["inputs"] for one in providers if "version" in one.get("inputs", {})]
    if not changed:
        raise BadDayError("no provider in the state has a version")
    for inputs in changed:
        inputs["version"] = "0.16.0" if stack.by != "aws" else "7.0.0"
    stack.put_state(state)


def _forget(stack: Stack, lost: Callable[[Mapping[str, Any]], bool]) -> None:
    state = stack.state()
    held = state["deployment"]["resources"]
    kinds = {kind for kind in TYPES[stack.by].values() if "dynamic" not in kind or stack.by == "v4"}
    gone = {one["urn"] for one in held if one["type"] in kinds and lost(one)}
    # A resource whose dependency left the state left it too, as in a refresh.
    while more := {
        one["urn"]
        for one in held
        if one["urn"] not in gone and gone & {*one.get("dependencies", ()), one.get("parent")}
    }:
        gone |= more
    if not gone:
        raise BadDayError("nothing left the state")
    state["deployment"]["resources"] = [one for one in held if one["urn"] not in gone]
    stack.put_state(state)


def _without_keys_and_policies(stack: Stack, user: str) -> None:
    for key in stack.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        stack.iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    for policy in stack.iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]:
        stack.iam.detach_user_policy(UserName=user, PolicyArn=policy["PolicyArn"])


def _policy(stack: Stack) -> dict[str, Any]:
    attached = stack.iam.list_attached_user_policies(UserName=stack.user(IDENTITY))["AttachedPolicies"]
    if attached:
        return {"Arn": attached[0]["PolicyArn"]}
    found = stack.iam.list_policies(Scope="Local")["Policies"]
    return next(one for one in found if one["PolicyName"] == stack.user(IDENTITY))


def _stopped_while_creating(process: int, stack: Stack) -> bool:
    """Stop an engine that is creating something; a state that it was just writing is for another day (`tear_state`)."""
    if not _is_creating(stack):
        return False
    stop(process)
    if _is_creating(stack):
        return True
    os.kill(process, signal.SIGCONT)
    return False


def _is_creating(stack: Stack) -> bool:
    try:
        latest = json.loads(stack.state_file.read_text(encoding="utf-8"))["checkpoint"]["latest"]
    except (FileNotFoundError, ValueError):  # the engine writes the file at this moment
        return False
    return any(one["type"] == "creating" for one in latest.get("pending_operations") or ())
