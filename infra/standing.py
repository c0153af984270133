"""The resources that exist before the program declares any: the stack's, from the engine, and the server's buckets.

The rule: it reads the state, not the last published outputs, because an interrupted first update published nothing.
The engine's answer also holds secrets, so it keeps only types, and names and locks of buckets. `infra.moves` decides
what may not change.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pulumi
from tenacity import Retrying, stop_after_delay, wait_fixed

from infra.moves import already_there, generations_of, impossible_moves, managed_by, too_many_keys, unswitched
from infra.settings import Settings
from model.plan import StorePlan
from model.problems import InvalidInputError, Problem
from model.resources import TYPES, About

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mypy_boto3_s3 import S3Client

# A function of the engine itself: resource/deploy/builtins.go of pulumi/pulumi.
STATE_FUNCTION = "pulumi:pulumi:readStackResourceOutputs"
LOCK_OUTPUT = {TYPES["v3"][About.BUCKET]: "objectLocking", TYPES["aws"][About.BUCKET]: "objectLockEnabled"}
JOBS = 16
STATE_SECONDS = 10
STATE_PAUSE_SECONDS = 0.1


def check_standing(plan: StorePlan, settings: Settings) -> None:
    """Refuse changes that an update cannot make to the existing resources.

    Raises:
        InvalidInputError: A lock would have to change, a new bucket already exists, another admin API than the
            configured one manages the identities, or a user would have a third access key.
    """
    resources = resources_of_stack()
    locked = {
        resource["outputs"]["bucket"]: bool(resource["outputs"].get(LOCK_OUTPUT[resource["type"]]))
        for resource in resources
        if resource["type"] in LOCK_OUTPUT and "bucket" in resource["outputs"]
    }
    problems = impossible_moves(plan, locked)
    if settings.aistor is not None:
        by = managed_by(resource["type"] for resource in resources)
        problems += unswitched(by, settings.aistor.admin_api, settings.where, settings.stack)
    else:
        held = generations_of((resource["type"], resource["urn"]) for resource in resources)
        problems += too_many_keys(plan, held, settings.where, settings.stack)
    new = [bucket.name for bucket in plan.buckets if bucket.name not in locked]
    problems += already_there(existing_buckets(new, settings), settings.stack)
    if problems:
        raise InvalidInputError(problems)


def resources_of_stack() -> list[Mapping[str, Any]]:
    """The resources in the state of the running stack, each with its `urn`, its `type` and its `outputs`.

    The engine writes a state file when the program starts, and the write is not atomic. If the read fails at that
    moment ("failed to load checkpoint: EOF"), it is retried.

    Raises:
        pulumi.RunError: The state cannot be read.
    """
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    try:
        for attempt in Retrying(
            stop=stop_after_delay(STATE_SECONDS), wait=wait_fixed(STATE_PAUSE_SECONDS), reraise=True
        ):
            with attempt:
                answer = pulumi.runtime.invoke(STATE_FUNCTION, {"stackName": name}).value or {}
    except Exception as error:  # noqa: BLE001 - invoke raises no narrower class
        raise pulumi.RunError(f"cannot read the state of {name}, so nothing was declared: {error}") from None
    return [{**resource, "urn": urn} for urn, resource in (answer.get("outputs") or {}).items()]


def existing_buckets(names: Iterable[str], settings: Settings) -> set[str]:
    """The names that belong to existing buckets which the provisioning admin can see.

    Raises:
        InvalidInputError: The server does not answer, or refuses the keys.
    """
    wanted = list(names)
    if not wanted:
        return set()
    with _admin_client(settings) as client, ThreadPoolExecutor(min(JOBS, len(wanted))) as pool:
        found = pool.map(lambda name: _exists(client, name, settings), wanted)
        return {name for name, exists in zip(wanted, found, strict=True) if exists}


def _exists(client: "S3Client", name: str, settings: Settings) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - like boto3

    try:
        client.head_bucket(Bucket=name)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == HTTPStatus.NOT_FOUND:
            return False
        if status == HTTPStatus.MOVED_PERMANENTLY:
            return True  # this account's bucket, in another region
        if status == HTTPStatus.FORBIDDEN and settings.aistor is None:
            return False  # another account's bucket, or none: creating it will show
        raise InvalidInputError([_unanswered(name, f"HTTP {status}", settings)]) from None
    except BotoCoreError as error:
        raise InvalidInputError([_unanswered(name, str(error), settings)]) from None
    return True


def _unanswered(name: str, answer: str, settings: Settings) -> Problem:
    where, legal = (
        ("the SDK's credential chain", "AWS credentials that may list the bucket")
        if settings.aistor is None
        else (f"{settings.where}adminUser, adminPassword, region", "the provisioning admin's keys, the server's region")
    )
    return Problem(
        where,
        f"cannot tell whether {name} exists: {answer}",
        legal,
        f"object-store preflight --stack {settings.stack}",
    )


def _admin_client(settings: Settings) -> "AbstractContextManager[S3Client]":
    from infra.s3_client import open_client  # noqa: PLC0415 - a preview that creates no bucket does not need boto3

    aistor = settings.aistor
    return open_client(
        endpoint=aistor.endpoint.url if aistor else None,
        region=settings.region,
        ca_pem=aistor.ca_pem if aistor else None,
        access_key_id=aistor.admin_user if aistor else None,
        secret_access_key=aistor.admin_password if aistor else None,
    )
