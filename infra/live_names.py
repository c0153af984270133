"""Which users, roles and policies of some names exist on the server, and which stack each is for.

The rule: only the server's own "it does not exist" makes a name free; any other refusal is an error. Whose a name is, a
policy's document says: it names the stack's buckets. On AWS the tags say it, too.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from infra.admin_api import AdminApi, AdminApiError, NotFoundError
from infra.aws_client import ABSENT, AT_ONCE, chain_session, open_aws
from infra.settings import AistorSettings, Settings
from model.bucket_names import PROJECT
from model.plan import StorePlan
from model.policies import as_json, identity_policies
from model.policy_meaning import same_meaning
from model.problems import InvalidInputError, Problem
from model.resources import About, numbered, with_numbers
from model.user_names import ServerName, Taken, bucket_prefixes_in

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


def planned_names(plan: StorePlan, settings: Settings) -> dict[ServerName, str]:
    """The names of a plan's users, roles and policies; a policy's with its document, others with an empty text."""
    found: dict[ServerName, str] = {}
    for identity in plan.identities:
        found[ServerName(About.ROLE if identity.trust else About.USER, identity.user_name)] = ""
        for number, document in with_numbers(identity_policies(plan, identity, settings.cloud)):
            found[ServerName(About.POLICY, numbered(identity.user_name, number))] = as_json(document)
    return found


def foreign_names(plan: StorePlan, settings: Settings, held: Collection[ServerName]) -> list[Taken]:
    """The planned names that exist and are not in the state; on AIStor without policies that are already as planned.

    Args:
        plan: The plan.
        settings: The stack's settings.
        held: The names in the stack's state, and those that an interrupted update was creating.

    Raises:
        InvalidInputError: The server does not say.
    """
    wanted = {name: document for name, document in planned_names(plan, settings).items() if name not in held}
    found = taken_names(wanted, settings)
    if settings.aistor is None:
        return found
    return [one for one in found if not (one.document and same_meaning(one.document, wanted[one.name]))]


def taken_names(names: Iterable[ServerName], settings: Settings) -> list[Taken]:
    """Those of the names that exist, in their order.

    Raises:
        InvalidInputError: The server does not say.
    """
    asked = list(names)
    if not asked:
        return []
    if settings.aistor is not None:
        return _on_aistor(asked, settings.aistor, settings)
    return _on_aws(asked, settings)


def _on_aistor(asked: list[ServerName], own: AistorSettings, settings: Settings) -> list[Taken]:
    with AdminApi.of(own, settings.region) as api:

        def policy(name: str) -> Mapping[str, Any] | None:
            return _unless_absent(partial(api.policy, name))

        def taken(one: ServerName) -> Taken | None:
            if one.what is About.POLICY:
                document = policy(one.name)
                return None if document is None else _of_documents(one, [document], json.dumps(document))
            user = _unless_absent(partial(api.user, one.name))
            if user is None:
                return None
            attached = [name for name in str(user.get("policyName", "")).split(",") if name]
            return _of_documents(one, [document for name in attached if (document := policy(name)) is not None])

        try:
            return _each(taken, asked)
        except AdminApiError as error:
            raise _untold(f"{own.endpoint.url} answers {error}", f"{settings.where}adminUser", settings) from None


def _on_aws(asked: list[ServerName], settings: Settings) -> list[Taken]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see `infra.aws_client`

    try:
        session, account = chain_session(), ""
        if any(one.what is About.POLICY for one in asked):
            with open_aws(session, "sts", settings.region) as sts:
                account = sts.get_caller_identity()["Account"]
        with open_aws(session, "iam", settings.region) as iam:
            return _each(partial(_taken_on_aws, iam, f"arn:aws:iam::{account}:policy/"), asked)
    except (BotoCoreError, ClientError) as error:
        raise _untold(f"AWS answers {error}", "the SDK's credential chain", settings) from None


def _taken_on_aws(iam: "IAMClient", policies: str, one: ServerName) -> Taken | None:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see `infra.aws_client`

    def document(arn: str) -> object:
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]

    try:
        if one.what is About.POLICY:
            arn = f"{policies}{one.name}"
            tags = iam.get_policy(PolicyArn=arn)["Policy"].get("Tags", [])
            return _of_documents(one, [document(arn)], json.dumps(document(arn)), tags)
        if one.what is About.ROLE:
            tags = iam.get_role(RoleName=one.name)["Role"].get("Tags", [])
            attached = iam.list_attached_role_policies(RoleName=one.name)["AttachedPolicies"]
        else:
            tags = iam.get_user(UserName=one.name)["User"].get("Tags", [])
            attached = iam.list_attached_user_policies(UserName=one.name)["AttachedPolicies"]
        own = [policy["PolicyArn"] for policy in attached if f":policy/{PROJECT}-" in policy["PolicyArn"]]
        return _of_documents(one, [document(arn) for arn in own], tags=tags)
    except ClientError as error:
        if error.response["Error"].get("Code") == ABSENT:
            return None
        raise


def _of_documents(
    name: ServerName, documents: Iterable[object], document: str = "", tags: Iterable[Mapping[str, Any]] = ()
) -> Taken:
    prefixes = frozenset[str]().union(*map(bucket_prefixes_in, documents))
    stack = next((str(tag["Value"]) for tag in tags if tag["Key"] == "stack"), "")
    return Taken(name, prefixes, stack, document)


def _each(taken: Callable[[ServerName], Taken | None], asked: list[ServerName]) -> list[Taken]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [found for found in pool.map(taken, asked) if found is not None]


def _unless_absent(question: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return question()
    except NotFoundError:
        return None


def _untold(why: str, where: str, settings: Settings) -> InvalidInputError:
    wrong = f"cannot tell which of the stack's names for users and policies are taken: {why}"
    legal = "an admin that may read users, roles and policies (object-store admin-policy)"
    return InvalidInputError([Problem(where, wrong, legal, f"object-store preflight --stack {settings.stack}")])
