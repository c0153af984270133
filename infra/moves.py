"""Changes of taxonomy or config that an update cannot make to existing resources, and the steps to make them.

The rule: a bucket gets object lock at creation and keeps it for ever. The engine would say "update" and do nothing
(AIStor: pulumi-minio 0.17.1) or destroy and recreate the bucket (AWS: `object_lock_enabled` replaces,
terraform-provider-aws issue 36529), so the program refuses before the engine starts. Days within a band and moves
between hot and warm change in place. Pure: `infra.standing` reads the existing resources.
"""

from collections.abc import Collection, Iterable, Mapping

from infra.namespace import NAMESPACE
from model.plan import BucketPlan, StorePlan
from model.problems import Problem
from model.remedies import Remedy, for_stack
from model.resources import About, AdminApiVersion, identity_types, subject_of, types_about
from model.taxonomy import BandName
from model.user_names import Taken

KEY_TYPES = types_about(About.KEY)
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
KEYS_PER_USER = 2
_PLURAL = {About.USER: "users", About.ROLE: "roles", About.POLICY: "policies"}
_VERSIONS: tuple[AdminApiVersion, ...] = ("v3", "v4")
MANAGED_BY: Mapping[str, AdminApiVersion] = {kind: by for by in _VERSIONS for kind in identity_types(by)}


def impossible_moves(plan: StorePlan, locked: Mapping[str, bool]) -> list[Problem]:
    """The buckets whose lock would have to change.

    Args:
        plan: The wanted plan.
        locked: Whether each existing bucket of the stack has object lock, by bucket name.
    """
    return [
        _lock_problem(bucket)
        for bucket in plan.buckets
        if bucket.name in locked and locked[bucket.name] != bucket.locked
    ]


def managed_by(types: Iterable[str]) -> frozenset[AdminApiVersion]:
    """The admin APIs that manage a state's identities, by its resource types; empty if it has no identities."""
    return frozenset(MANAGED_BY[kind] for kind in types if kind in MANAGED_BY)


def admin_api_of(said: AdminApiVersion | None, held: Collection[AdminApiVersion]) -> AdminApiVersion:
    """The admin API of a stack: what the config says, else what the state holds; v4 for a new stack.

    A state that holds both gets v4, and `unswitched` refuses it.

    Args:
        said: The config's `adminApi`; None if it does not say.
        held: The admin APIs that manage the state's identities (`managed_by`).
    """
    return said or ("v3" if set(held) == {"v3"} else "v4")


def unswitched(held: Collection[str], wanted: str, where: str, stack: str) -> list[Problem]:
    """A problem if another admin API manages the identities, because an update would recreate and then delete them.

    Args:
        held: The admin APIs that manage the state's identities (`managed_by`).
        wanted: The admin API of the stack (`admin_api_of`).
        where: The name of the config in problems.
        stack: The stack's name.
    """
    others = sorted(set(held) - {wanted})
    return [
        Problem(
            f"{where}adminApi",
            f"{other} manages users, policies or keys of this stack, and this update would use {wanted}: it would "
            "recreate them and delete the old ones, including their keys",
            f"{other}, or {wanted} after the stack is moved",
            f"object-store switch-admin-api --stack {stack} --to {wanted}",
        )
        for other in others
    ]


def key_name(kind: str, urn: str) -> tuple[str, int] | None:
    """The identity and generation of a key resource; None for other resources."""
    if kind not in KEY_TYPES:
        return None
    identity, ending = subject_of(kind, urn.rpartition("::")[2])
    return (identity, int(ending.rpartition("-")[2])) if ending else None


def generations_of(resources: Iterable[tuple[str, str]]) -> dict[str, frozenset[int]]:
    """The key generations in a state, by identity, from the types and URNs of its resources."""
    found: dict[str, set[int]] = {}
    for kind, urn in resources:
        named = key_name(kind, urn)
        if named is not None:
            found.setdefault(named[0], set()).add(named[1])
    return {identity: frozenset(generations) for identity, generations in found.items()}


def too_many_keys(plan: StorePlan, held: Mapping[str, Collection[int]], where: str, stack: str) -> list[Problem]:
    """Identities whose user would exceed two access keys during the update, which creates new keys before it deletes.

    Args:
        plan: The wanted plan, on AWS.
        held: The existing generations, by identity.
        where: The name of the config in problems.
        stack: The stack's name.
    """
    problems = []
    for identity in plan.identities:
        if identity.trust is not None:
            continue
        standing = set(held.get(identity.name, ()))
        wanted = set(identity.credential.live)
        if len(standing | wanted) > KEYS_PER_USER and wanted - standing:
            keys = " and ".join(map(str, sorted(standing)))
            problems.append(
                Problem(
                    f"{where}credentials.{identity.name}",
                    f"generations {keys} of its key exist, and AWS allows a user two access keys: it has no room for "
                    f"generation {max(wanted - standing)}",
                    f"{max(standing)}, with or without the previous one, until one of the two is removed",
                    f"object-store keys retire {identity.name} --stack {stack}",
                )
            )
    return problems


def already_there(found: Collection[str], stack: str) -> list[Problem]:
    """A problem for each bucket that exists on the server but not in the stack.

    Creating it would fail or, on AWS in us-east-1, silently take it over:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html (BucketAlreadyOwnedByYou).
    """
    return [
        Problem(
            name,
            "the bucket already exists, but it is not in the stack",
            "a bucket that the stack created or adopted, or an unused name",
            ours_or_another(stack),
        )
        for name in sorted(found)
    ]


def names_taken(found: Iterable[Taken], plan: StorePlan, stack: str) -> list[Problem]:
    """A problem for the users, roles and policies of each stack that exist on the server but not in this stack.

    Creating one would fail or, by the plugin of admin API v3, take it over with another secret key or document.

    Args:
        found: What exists (`infra.live_names.foreign_names`).
        plan: The wanted plan.
        stack: The stack's name.
    """
    alike: dict[tuple[str, str], list[Taken]] = {}
    for one in found:
        paste = another_name(stack) if one.is_for_another(plan.bucket_prefix) else ours_or_another(stack)
        alike.setdefault((_whose(one, plan), paste), []).append(one)
    problems = []
    for (whose, paste), taken in alike.items():
        kinds = list(dict.fromkeys(one.name.what for one in taken))
        if len(taken) == 1:
            wrong = f"the {kinds[0]} already exists, but it is not in the stack"
        else:
            words = " and ".join(_PLURAL[kind] for kind in kinds)
            wrong = f"the {words} already exist, but they are not in the stack"
        names = ", ".join(dict.fromkeys(one.name.name for one in taken))
        legal = "what the stack created or adopted, or unused names"
        problems.append(Problem(names, f"{wrong}{whose}", legal, paste))
    return problems


def _whose(one: Taken, plan: StorePlan) -> str:
    others = sorted(one.prefixes - {plan.bucket_prefix})
    if others:
        return f", for the buckets {', '.join(f'{prefix}…' for prefix in others)}"
    return f"; its tags name the stack {one.stack}" if one.stack else ""


def another_name(stack: str) -> str:
    """The line that gives a new stack names of its own."""
    return (
        f"pulumi config set --stack {stack} {NAMESPACE}:env NAME (of a new stack; in a deployed one, "
        "another name for the identity)"
    )


def ours_or_another(stack: str) -> str:
    """The lines for what exists and is not in the stack."""
    return (
        f"if it is this stack's: object-store adopt --stack {stack} (or, after an interrupted update: "
        f"object-store recover --stack {stack}); if another stack has it: {another_name(stack)}"
    )


def gone_buckets(
    held: Collection[str], there: Collection[str], endpoint: str | None, where: str, stack: str
) -> list[Problem]:
    """A problem for each bucket of the stack that the server does not have; one for all of them if it has none.

    The engine believes its state, so an update would change settings of a bucket that does not exist, or report success
    and create nothing.

    Args:
        held: The buckets in the state.
        there: The existing buckets.
        endpoint: The server's URL; None for AWS.
        where: The name of the config in problems.
        stack: The stack's name.
    """
    gone = sorted(set(held) - set(there))
    if gone and len(gone) == len(held):
        return [
            Problem(
                f"{where}endpoint" if endpoint else "the SDK's credential chain",
                f"{endpoint or 'AWS'} has none of the stack's {len(gone)} buckets",
                "the server that has them" if endpoint else "credentials of the account that has them",
                f"the right {'endpoint' if endpoint else 'credentials'}; only if this server is empty because its data "
                f"is lost or because it is new: {for_stack(Remedy.ALL_LOST, stack)}",
            )
        ]
    return [
        Problem(
            name,
            "the bucket is in the stack, and the server does not have it",
            "",
            f"{for_stack(Remedy.LOST, stack)}, which creates it again, empty",
        )
        for name in gone
    ]


def other_server(keys: int, endpoint: str, former: str, where: str, stack: str) -> Problem:
    """The problem of a server that has buckets of the stack and none of its access keys.

    Args:
        keys: The number of access keys in the state.
        endpoint: The server's URL.
        former: Host and port of the last update's server.
        where: The name of the config in problems.
        stack: The stack's name.
    """
    return Problem(
        f"{where}endpoint",
        f"{endpoint} has buckets of the stack, but none of its {keys} access keys, so it is not the one at {former}, "
        "which the stack was deployed to",
        "that server, under any name",
        f"the right endpoint; if this server takes the other one's place: {for_stack(Remedy.ALL_LOST, stack)}",
    )


def _lock_problem(bucket: BucketPlan) -> Problem:
    domain = bucket.domain
    if bucket.locked:
        wrong = f"{bucket.name} has no object lock, and a bucket can get it only at creation"
        legal = "hot or warm for this domain; cold for a new one"
        new = f"{domain}-locked: {{band: cold}}"
    else:
        wrong = f"{bucket.name} has object lock, which cannot be removed: the bucket must stay in the cold band"
        legal = "cold for this domain; another band for a new one"
        days = "" if bucket.band is BandName.HOT else ", expire_after_days: 180"
        new = f"{domain}-{bucket.band}: {{band: {bucket.band}{days}}}"
    name = new.partition(":")[0]
    return Problem(
        f"domains.{domain}.band",
        wrong,
        legal,
        f"1. give {domain} its former band, and add a new domain, {new}, with the same grants; pulumi up\n"
        f"         2. copy the objects: rclone copy --metadata OLD:{bucket.name} NEW:(the bucket of {name})\n"
        f"         3. switch the writers and readers to {name}\n"
        f"         4. when no workload reads {domain} any more, remove it and its grants"
        + ("" if bucket.locked else "; its locked versions remain until their retention ends"),
    )
