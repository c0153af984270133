"""A preview without engine and secrets: the plan of this checkout compared with another revision or a deployment.

The rule: it reads only files and git, so it can run for a pull request from a fork, and it says what it cannot see. It
leaves out the encrypted values of a stack's file, because no plan depends on one.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from infra.moves import impossible_moves
from infra.namespace import NAMESPACE
from infra.program import check_on_cloud
from infra.settings import StackConfig, check_config, parse_config
from model.deployment import Deployment, build_deployment
from model.generations import parse_generations
from model.plan import StorePlan, build_plan
from model.policies import refuses_overwrites
from model.problems import InvalidInputError, Problem, on_screen
from model.stack_names import stack_file
from model.taxonomy import Taxonomy
from model.taxonomy_file import TAXONOMY_FILE, extended, load, parse
from model.user_names import UserNames
from model.written import read_written
from model.written_json import read_json_file
from model.written_yaml import FILE_BYTES_MAXIMUM, date_of_engine, parse_yaml
from ops.git import run_git
from ops.keys.outside import OutsideError
from ops.preview.change import Aspect, Change, Risk
from ops.preview.explain import explain
from ops.preview.shape import StoreShape, of_plan

UNSEEN = (
    "the live store and the stack's state: drift, what the engine itself would replace, and the names of users",
    "objects: how many would be eligible to expire",
)
# Settings of a stack's file whose changes are reported beside those of the plan.
_SAID = ("cloud", "region", "endpoint", "client_endpoint", "ca_bundle", "kms_key_arn", "allowed_account_ids", "tags")


@dataclass(frozen=True)
class Side:
    """One side of the comparison.

    Attributes:
        plan: Its plan.
        shape: The plan's shape, for the comparison.
        config: The stack's config; None for a published deployment, which holds none.
    """

    plan: StorePlan
    shape: StoreShape
    config: StackConfig | None


def of_checkout(stack: str, folder: Path, names: UserNames = UserNames.BY_REGION) -> Side:
    """The side of this checkout.

    Args:
        stack: The stack's name.
        folder: The folder of Pulumi.yaml.
        names: The form of the names of users, as the other side has it.

    Raises:
        InvalidInputError: The taxonomy or the stack's file is invalid, or its cloud would refuse the plan.
    """
    name = stack_file(stack)
    side = _side(load(), read_written(folder / name, name, FILE_BYTES_MAXIMUM), stack, names)
    if (config := side.config) is not None:
        where = f"{stack_file(stack)}: {NAMESPACE}:"
        check_config(config, stack, where)
        check_on_cloud(side.plan, config.cloud, config.region, config.allowed_account_ids, where)
    return side


def of_revision(stack: str, folder: Path, revision: str) -> Side:
    """The side of a git revision, read with this checkout's code.

    Raises:
        InvalidInputError: The revision does not exist, or its files are invalid.
    """
    where = f"{revision}:infra/{TAXONOMY_FILE.name}"
    taxonomy = parse(parse_yaml(_shown(folder, revision, f"infra/{TAXONOMY_FILE.name}"), where), where)
    return _side(taxonomy, _shown(folder, revision, stack_file(stack)), stack)


def of_deployment(path: Path) -> Side:
    """The side of a published deployment's file.

    Raises:
        InvalidInputError: The file cannot be read, or has another version.
    """
    deployment = Deployment.parse(read_json_file(path), str(path))
    return Side(deployment.plan, _shape(deployment, None), None)


def compared(before: Side, after: Side) -> list[Change]:
    """The changes from one side to the other.

    Raises:
        InvalidInputError: An existing bucket cannot be changed that way (`infra.moves`).
    """
    problems = impossible_moves(after.plan, {bucket.name: bucket.locked for bucket in before.plan.buckets})
    if problems:
        raise InvalidInputError(problems)
    standing = {bucket.domain: bucket.name for bucket in before.plan.buckets}
    renamed = {
        former: bucket.domain
        for bucket in after.plan.buckets
        for former in bucket.renamed_from
        if standing.get(former) == bucket.name and bucket.domain not in standing
    }
    further = _config_changes(before.config, after.config)
    return explain(before.shape, after.shape, renamed=renamed, further=further)


def changed_code(folder: Path, revision: str) -> tuple[str, ...]:
    """Files other than the taxonomy that decide about resources and differ from a revision."""
    # Each option against a setting of the user's git: its own diff program, renames as one file, relative paths.
    asked = ("diff", "--name-only", "-z", "--no-ext-diff", "--no-renames", "--no-relative", revision, "--")
    names = _git(folder, *asked, "infra", "model", "requirements.txt", "Pulumi.yaml").rstrip("\0").split("\0")
    return tuple(on_screen(name) for name in names if name not in ("", f"infra/{TAXONOMY_FILE.name}"))


def _side(taxonomy: Taxonomy, text: bytes, stack: str, names: UserNames = UserNames.BY_REGION) -> Side:
    where = f"{stack_file(stack)}: {NAMESPACE}:"
    config = parse_config(_plain(text, stack_file(stack)), where)
    whole = extended(taxonomy, domains=config.domains, identities=config.identities, where=where)
    plan = build_plan(
        whole,
        env=config.env,
        region_code=config.region_code,
        tls_only=_tls_only(config),
        where=where,
        refuses_overwrites=refuses_overwrites(config.cloud),
        generations=parse_generations(config.credentials, whole.identities, where),
        names=names,
    )
    deployment = build_deployment(
        plan, stack=stack, cloud=config.cloud, region=config.region, kms_key=config.kms_key_arn or None
    )
    return Side(plan, _shape(deployment, config), config)


def _shape(deployment: Deployment, config: StackConfig | None) -> StoreShape:
    return of_plan(
        deployment.plan,
        deployment.cloud,
        {item.feature for item in deployment.unsupported},
        protected=config.protect if config else None,
        empty_on_destroy=config.empty_on_destroy if config else None,
        encryption=deployment.encryption,
    )


def _tls_only(config: StackConfig) -> bool:
    if config.cloud == "aws":
        return True
    return all(url.startswith("https://") for url in (config.endpoint, config.client_endpoint or config.endpoint))


def _plain(text: bytes, where: str) -> dict[str, str]:
    """The config values that are not encrypted, in the form in which the engine passes them."""
    content = parse_yaml(text, where, date=date_of_engine)
    content = {} if content is None else content
    values = (content.get("config") or {}) if isinstance(content, dict) else None
    if not isinstance(values, dict):
        place = f"{where}: config" if isinstance(content, dict) else where
        raise InvalidInputError([Problem(place, "is not a mapping", "", f"config: {{{NAMESPACE}:env: prod}}")])
    # The engine completes a key without a namespace with the project's name.
    named = {key if ":" in key else f"{NAMESPACE}:{key}": value for key, value in values.items()}
    return {
        key.removeprefix(f"{NAMESPACE}:"): _as_text(value)
        for key, value in named.items()
        if key.startswith(f"{NAMESPACE}:") and not _is_encrypted(value)
    }


def _as_text(value: object) -> str:
    """A config value as the engine passes it on; Go's JSON writes 1.0 as 1."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


def _is_encrypted(value: object) -> bool:
    """Whether a value is encrypted, wholly or in a part; the engine then decrypts the whole value."""
    if isinstance(value, dict):
        return "secure" in value or any(map(_is_encrypted, value.values()))
    return isinstance(value, list) and any(map(_is_encrypted, value))


def _config_changes(before: StackConfig | None, after: StackConfig | None) -> list[Change]:
    if before is None or after is None:
        return []
    changes = [
        Change("stack", f"{name.replace('_', ' ')} changes in the stack's file", Risk.NOTICE, Aspect.CONNECTION)
        for name in _SAID
        if getattr(before, name) != getattr(after, name)
    ]
    if before.admin_api != after.admin_api:
        now, was = after.admin_api or "not set", before.admin_api or "not set"
        what = f"adminApi is now {now} (was {was}) in the stack's file"
        advice = (
            f"a stack whose identities are managed otherwise refuses this setting until its state is moved: "
            f"object-store switch-admin-api --stack NAME --to {after.admin_api}"
            if after.admin_api
            else "this changes nothing in a deployed stack: its state decides"
        )
        changes.append(Change("stack", what, Risk.NOTICE, Aspect.CONNECTION, advice))
    return changes


def _shown(folder: Path, revision: str, name: str) -> bytes:
    # Not `git show`, which applies the user's text conversions.
    return _git(folder, "cat-file", "blob", f"{revision}:./{name}").encode(errors="surrogateescape")


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = run_git(folder, *arguments)
    except OutsideError as error:
        raise InvalidInputError([Problem("git", str(error), "git on the PATH", "--base-deployment FILE")]) from None
    if done.status:
        raise InvalidInputError(
            [
                Problem(
                    f"git {' '.join(arguments)}",
                    done.errors.strip(),
                    "a fetched revision",
                    "git fetch origin main, then --base-revision origin/main",
                )
            ]
        )
    return done.output
