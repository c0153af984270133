"""The commands that errors, findings and other output advise, and what tries each that no bad day has.

The rule: a command is here if a message advises it and no line of a bad day has it. tests/trials/test_advice.py
compares this table with the messages, so a message that advises something new needs a day, or a test that is named.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# What may follow each program: the words of its commands. Any other word belongs to the sentence or is a value.
_WORDS = {
    "object-store": "adopt keys deliver retire revoke rotate status preflight preview recover sandbox env rehearse up "
    "switch-admin-api verify verify-job",
    "pulumi": "config rm set stack import init ls output preview up refresh destroy",
    "mc": "admin accesskey rm alias list set license info update mb mirror rb",
    "aws": "iam delete-access-key s3api put-bucket-versioning put-object-lock-configuration sso login sts "
    "get-caller-identity assume-role-with-web-identity",
    "timedatectl": "set-ntp",
}
_CONFIG_KEY = re.compile(r"'?(?:object-store|\{\}):(\w+)")
_WITHOUT = "--stack"
# What ends a command in a shell.
_NEXT = ("&&", "|", ">")


@dataclass(frozen=True)
class TriedBy:
    """A command that a test tries.

    Attributes:
        test: The test, as pytest names it.
        words: Texts of its file that show the command or the request behind it.
    """

    test: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Untried:
    """A command that cannot be tried here.

    Attributes:
        why: What it needs.
    """

    why: str


def command_in(text: str) -> str | None:
    """The command at the start of a text, without values and without the stack; None if the text goes on in words."""
    program, *rest = text.partition("\n")[0].split(" ")
    found = [program]
    for word in rest:
        bare = word.strip('`,;.()"')
        if key := _CONFIG_KEY.match(bare):
            found.append(f"object-store:{key[1]}")
        elif re.fullmatch(r"--[a-z-]+", bare) or bare in _WORDS[program].split():
            found.append(bare)
        elif re.fullmatch(r"[a-z][a-z-]+", bare) and found[-1] not in ("--type", _WITHOUT):
            break
        if bare != word or word in _NEXT:
            break
    return " ".join(word for word in found if word != _WITHOUT) if len(found) > 1 else None


_CONFIG = TriedBy(
    "tests/e2e/test_documented_config.py::test_documented_lines_write_what_the_program_reads", ("pulumi config set",)
)
_ROTATION = TriedBy("tests/e2e/test_credentials.py::test_rotation_under_load_loses_no_write", ("rotate", "retire"))
_DELIVERY = TriedBy("tests/ops/keys/test_tools.py::test_two_stacks_and_a_rotation", ("deliver",))
_OUTPUTS = TriedBy("tests/stack/test_outputs.py::test_what_is_published_is_read", ("output",))
_JOB = TriedBy("tests/verify/test_job.py::test_kubernetes_takes_them", ("verify-job",))
_DAMAGE = TriedBy("tests/verify/test_audit_damages.py::test_damage_is_found_and_mended", ("run_remedy",))
_MOVE_OBJECTS = Untried("the MinIO client")
_LICENCE = Untried("a licence of AIStor")

#: By command, in the form of `command_in`.
TRIED: Mapping[str, TriedBy | Untried] = {
    # The audit's remedies have the names of their commands as values.
    "aws iam": _DAMAGE,
    "aws iam --policy-arn": _DAMAGE,
    "aws iam --policy-name": _DAMAGE,
    "aws iam delete-access-key --user-name --access-key-id": TriedBy(
        "tests/ops/keys/test_live_keys.py::test_keys_of_an_iam_user", ("keys.remove",)
    ),
    "aws s3api": _DAMAGE,
    "aws s3api put-bucket-versioning --bucket --versioning-configuration": Untried(
        "a bucket without object lock on AWS"
    ),
    "aws s3api put-object-lock-configuration --bucket --object-lock-configuration": Untried(
        "a bucket without object lock on AWS"
    ),
    "aws sso login": Untried("an AWS account"),
    "aws sts assume-role-with-web-identity": TriedBy(
        "tests/e2e/test_role.py::test_role_in_place_of_a_key_from_up_to_destroy", ("WEB_IDENTITY_TOKEN_FILE",)
    ),
    "aws sts get-caller-identity": TriedBy(
        "tests/sandbox/server/test_gate.py::test_aws_identity_and_iam_permissions", ("get_caller_identity",)
    ),
    "mc admin": _DAMAGE,
    "mc admin accesskey rm": TriedBy(
        "tests/ops/keys/test_live_keys.py::test_service_accounts_of_a_user", ("keys.remove",)
    ),
    "mc alias list": Untried("the MinIO client"),
    "mc alias set": _MOVE_OBJECTS,
    "mc license info": _LICENCE,
    "mc license update": _LICENCE,
    "mc mb": _MOVE_OBJECTS,
    "mc mirror": _MOVE_OBJECTS,
    "mc rb --force": _MOVE_OBJECTS,
    "object-store keys deliver": _DELIVERY,
    "object-store keys deliver --identity --to": _DELIVERY,
    "object-store keys retire": _ROTATION,
    "object-store keys revoke": TriedBy(
        "tests/e2e/test_credentials.py::test_revocation_replaces_every_key_at_once", ("revoke",)
    ),
    "object-store keys rotate": _ROTATION,
    "object-store keys status": TriedBy(
        "tests/e2e/test_credentials.py::test_rotation_under_load_loses_no_write", ("status",)
    ),
    "object-store sandbox env": TriedBy("tests/sandbox/test_cli.py::test_environment_is_what_a_shell_needs", ("env",)),
    "object-store sandbox rehearse": TriedBy(
        "tests/sandbox/test_cli.py::test_without_engine_the_program_is_rehearsed", ("rehearse",)
    ),
    "object-store sandbox up": TriedBy(
        "tests/sandbox/test_cli.py::test_sandbox_comes_up_is_used_stops_and_goes_on", ("up",)
    ),
    "object-store switch-admin-api --to": TriedBy(
        "tests/e2e/test_admin_api.py::test_live_stack_goes_there_and_back", ("switch-admin-api",)
    ),
    "object-store verify-job": _JOB,
    "object-store verify-job --secret-manifest": _JOB,
    "pulumi config rm --path object-store:credentials": TriedBy(
        "tests/e2e/test_adopt.py::test_user_without_room_for_a_new_key_is_named_before_anything_is_sent",
        ('"config", "rm", "--path"',),
    ),
    "pulumi config set --path object-store:administrators": _CONFIG,
    "pulumi config set --path --type": _CONFIG,
    "pulumi config set --path --type object-store:allowedAccountIds": _CONFIG,
    "pulumi config set object-store:adminApi": _CONFIG,
    "pulumi config set object-store:adminUser": _CONFIG,
    "pulumi config set object-store:clientEndpoint": _CONFIG,
    "pulumi config set object-store:env": _CONFIG,
    "pulumi config set object-store:regionCode": _CONFIG,
    "pulumi destroy": TriedBy(
        "tests/e2e/test_stacks.py::test_protected_buckets_are_not_destroyed_and_disposable_ones_are", ("destroy",)
    ),
    "pulumi stack ls": Untried("a stack of your own; it only lists"),
    "pulumi stack output": _OUTPUTS,
    "pulumi stack output --json": _OUTPUTS,
}
