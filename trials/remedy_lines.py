"""Runs the lines of a finding's remedy against a running store, as a person would run them in a shell.

The rule: a line is taken as it is printed. The AWS CLI's lines go to boto3, which has the same commands and arguments;
the lines of `mc` go to the admin API. `pulumi` and `object-store` stand for what the program puts again.
"""

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from trials.stores import AwsIdentities, Store

# Arguments of the AWS CLI whose value is a structure.
_STRUCTURES = frozenset(
    {
        "accelerate-configuration",
        "bucket-logging-status",
        "legal-hold",
        "notification-configuration",
        "request-payment-configuration",
        "retention",
        "versioning-configuration",
    }
)
_NAMES = {"bucket-logging-status": "BucketLoggingStatus", "acl": "ACL"}


def run_remedy(store: Store, remedy: str) -> None:
    """Run every line of a remedy, in its order."""
    for line in re.findall(r"`([^`]+)`", remedy):
        for command in line.split(" && "):
            _run(store, shlex.split(command))


def _run(store: Store, words: Sequence[str]) -> None:
    match words:
        case ["aws", "s3api", command, *arguments]:
            _aws(store.client, command, arguments)
        case ["aws", "iam", command, *arguments]:
            _aws(_iam(store), command, arguments)
        case ["mc", *arguments]:
            _mc(store, arguments)
        case ["pulumi", "up", *_] | ["object-store", "recover", *_]:
            _up(store)
        case ["pulumi", "config", *_] | ["object-store", "keys" | "switch-admin-api", *_]:
            pass  # the other way, or for a deployed stack alone
        case _:
            raise AssertionError(f"a remedy that nothing runs: {' '.join(words)}")


def _iam(store: Store) -> Any:  # noqa: ANN401 - boto3's client on AWS, the sandbox's on AIStor
    return store.identities.iam  # type: ignore[attr-defined]  # each of the two has one


def _aws(client: Any, command: str, arguments: Sequence[str]) -> None:  # noqa: ANN401 - any client of boto3
    given: dict[str, Any] = {}
    for option, value in zip(arguments[::2], arguments[1::2], strict=True):
        name = option.removeprefix("--")
        if name == "endpoint-url":
            continue
        own = _NAMES.get(name) or "".join(part.capitalize() for part in name.split("-"))
        given[own] = _structure(value) if name in _STRUCTURES else value
    method = command.replace("-", "_")
    if command == "put-object-retention":
        given["BypassGovernanceRetention"] = True
    getattr(client, method)(**given)


def _structure(value: str) -> Any:  # noqa: ANN401 - any structure of an API
    if value.startswith("{"):
        return json.loads(value)
    return dict(pair.split("=", 1) for pair in value.split(","))


def _mc(store: Store, words: Sequence[str]) -> None:
    iam = _iam(store)
    match words:
        case ["quota", "clear", place]:
            iam.call("set-bucket-quota", bucket=place.partition("/")[2], size=0)
        case ["admin", "policy", "detach", _, name, "--user", user]:
            iam.detach_policy(user, [name])
        case ["admin", "group", "remove", _, group, user]:
            iam.call("update-group-members", group=group, members=[user], isRemove=True)
        case ["admin", "user", "remove", _, user]:
            iam.remove_user(user)
        case ["admin", "user", "svcacct", "rm", _, key]:
            iam.delete_service_account(key)
        case _:
            raise AssertionError(f"mc {' '.join(words)}: nothing runs it")


def _up(store: Store) -> None:
    for bucket in store.plan.buckets:
        store.put_settings(bucket)
    for identity in store.plan.identities:
        store.restore_user_policy(identity.name)
    if isinstance(store.identities, AwsIdentities):
        return
    for identity in store.plan.identities:
        _iam(store).set_user_status(identity.user_name, "enabled")
