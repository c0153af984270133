"""Writes the files that are generated from the code: the tables of `docs/` and the JSON Schemas; `--check` compares.

The rule: each value in these files comes from the taxonomy, the plan or `Pulumi.yaml`, so it cannot drift. `make lint`
fails if a file differs from the generated text.
"""

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from cli.commands import COMMANDS
from docs.adapter_page import adapter_operations
from docs.admin_page import admin_page
from docs.bad_days_page import bad_days
from docs.editor_schemas import stack_schema, taxonomy_schema
from docs.events_page import events_table
from docs.limits_page import policy_sizes
from docs.verification_page import verification_tables
from model.deployment import json_schema
from model.environment import READ_BY_THE_PLUGIN, STEERING, Reader
from model.exit_codes import MEANING
from model.lifecycle import rule_text
from model.plan import StorePlan, build_plan
from model.taxonomy import Access
from model.taxonomy_file import load
from object_store import payload, reference
from trials import faulty_answers, ways_of_loss
from workloads import receipt
from workloads.events.event import file_name
from workloads.events.models import MODELS
from workloads.settings import json_schema as workloads_schema

ROOT = Path(__file__).parent.parent
HEAD = "<!-- Written by `make docs`; `make lint` compares it. -->\n\n"
FROM_HERE = "<!-- From here on written by `make docs`; `make lint` compares it. -->\n\n"

_ON_AISTOR = (
    "AIStor has no rules for unfinished uploads, and no storage classes to move objects to. So two parts of the rules",
    'below do not apply to the `local` stack: "unfinished uploads go after" (AIStor removes them by itself) and',
    '"move to". Both apply on AWS. [Limits](limits.md#what-aistor-cannot-do) lists what else AIStor lacks.',
)
_WHO_ELSE_DELETES = (
    "Who else can delete:",
    "",
    "- the lifecycle rules of the first table, when their days have passed;",
    "- the `verifier`, under `.verify/` in each bucket: its own probes, with all versions;",
    "- root of AIStor and an administrator of the AWS account: everything except a version under retention, and with",
    "  `s3:BypassGovernanceRetention` also a version under GOVERNANCE;",
    "- [the provisioning admin](provisioning-admin.md): its smallest policy lets it delete no object, but it can write",
    "  policies, and so it can give itself that right.",
)


def shipped_plan() -> StorePlan:
    """The plan of the committed local stack."""
    return build_plan(load(), env="local", region_code="usw2", tls_only=True, where="Pulumi.local.yaml: object-store:")


def taxonomy_page() -> str:
    """The taxonomy as a plan: domains and their rules, identities and their grants."""
    plan, taxonomy = shipped_plan(), load()
    lines = ["# The taxonomy", ""]
    lines += ["This page shows the plan that `infra/taxonomy.yaml` gives the `local` stack."]
    lines += ["[Changes](changes.md) says how to change it.", "", "## Domains", ""]
    lines += [f"The name of a bucket is `{plan.bucket_prefix}` and its domain.", "", *_ON_AISTOR, ""]
    lines += ["| domain | band | object lock | lifecycle rules | purpose |", "|---|---|---|---|---|"]
    for bucket in plan.buckets:
        lock = f"{bucket.retention.mode.value} {bucket.retention.days} d" if bucket.retention else "no"
        rules = "<br>".join(f"`{rule.id}`: {rule_text(rule)}" for rule in bucket.rules)
        purpose = taxonomy.domains[bucket.domain].purpose
        lines.append(f"| {bucket.domain} | {bucket.band.value} | {lock} | {rules} | {purpose} |")
    workloads = [identity for identity in plan.identities if not identity.verifies]
    lines += ["", "## Grants", "", *_access_levels(plan), ""]
    lines += [
        "| domain | " + " | ".join(identity.name for identity in workloads) + " |",
        "|---" * (len(workloads) + 1) + "|",
    ]
    for bucket in plan.buckets:
        held = [
            next((grant.access.value for grant in identity.grants if grant.bucket == bucket.name), "")
            for identity in workloads
        ]
        lines.append(f"| {bucket.domain} | " + " | ".join(held) + " |")
    verifier = plan.verifier
    if verifier is not None:
        lines += ["", f"`{verifier.name}`: {taxonomy.identities[verifier.name].purpose}."]
    return HEAD + "\n".join(lines) + "\n"


def _access_levels(plan: StorePlan) -> list[str]:
    """The permissions in a cell of the grants' table, and the domains in which no workload may delete."""
    deletable = {grant.bucket for one in plan.identities for grant in one.grants if grant.access is Access.WRITE}
    kept = ", ".join(f"`{bucket.domain}`" for bucket in plan.buckets if bucket.name not in deletable)
    return [
        "| access | the identity may |",
        "|---|---|",
        "| `read` | list and read objects |",
        "| `append` | list, read and put objects; a put over an object keeps its old version (AWS refuses the put) |",
        "| `write` | as `append`, and delete objects |",
        "| empty | do nothing in this bucket |",
        "",
        "Among the workloads, only `write` lets one delete an object. "
        + (f"No workload may delete in {kept}." if kept else ""),
        "The plan lets no workload delete a version, change a retention or bypass it.",
        "",
        *_WHO_ELSE_DELETES,
    ]


def declared_config() -> dict[str, dict[str, Any]]:
    """The config keys in `Pulumi.yaml`."""
    declared: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    return declared


def config_page() -> str:
    """The config keys of a stack, as `Pulumi.yaml` declares them."""
    declared = declared_config()
    lines = ["# Config keys of a stack", ""]
    lines += ["The keys are in `Pulumi.<stack>.yaml`. `pulumi config set KEY VALUE` writes one;"]
    lines += ["`--secret` encrypts the value. The first line of the file names its JSON schema, so an editor with the"]
    lines += ["YAML language server completes the keys and checks their values.", ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, value in declared.items():
        default = f"`{json.dumps(value['default'])}`" if "default" in value else "required"
        lines.append(f"| `object-store:{key}` | {value['type']} | {default} | {value['description']} |")
    return HEAD + "\n".join(lines) + "\n"


def commands_page() -> str:
    """The commands of `object-store`, and the exit statuses."""
    lines = ["# Commands", "", "`object-store COMMAND --help` lists the options of a command."]
    for group in dict.fromkeys(line.group for line in COMMANDS.values()):
        lines += ["", f"## {group}", "", "| command | what it does |", "|---|---|"]
        lines += [f"| `{name}` | {line.text.rstrip('.')} |" for name, line in COMMANDS.items() if line.group == group]
    lines += ["", "## Exit status", "", "This table holds for every command, and for the suite in a pod.", ""]
    lines += ["| status | meaning |", "|---|---|", *(f"| {code.value} | {text} |" for code, text in MEANING.items())]
    return HEAD + "\n".join(lines) + "\n"


def environment_page() -> str:
    """The variables that steer a command, or that are taken out."""
    lines = [
        "# Environment variables",
        "",
        "A command depends on its arguments, on its config, and on the variables of this page. A variable that is",
        "*taken out* has no effect on the readers of that column. Every other variable is passed on to `pulumi` and",
        "to other programs. [The adapter](adapter.md) has its own variables.",
        "",
        "| variable | honoured by | taken out for | remark |",
        "|---|---|---|---|",
    ]
    for (honoured, taken, why), group in groupby(STEERING, lambda line: (line.honoured, line.taken_from, line.why)):
        names = ", ".join(f"`{line.pattern.replace('*', '…')}`" for line in group)
        readers = ", ".join(reader.value for reader in Reader if reader in taken)
        lines.append(f"| {names} | {honoured} | {readers} | {why} |")
    refused = ", ".join(f"`{name}`" for name in READ_BY_THE_PLUGIN)
    lines += [
        "",
        "A longer name in the table counts before a shorter one: `PULUMI_HOME` is honoured, other `PULUMI_…`",
        "are not. `pulumi` that you run by hand gets your whole environment. Then the program refuses the",
        f"variables that the MinIO plugin would read beside the config: {refused}.",
    ]
    return HEAD + "\n".join(lines) + "\n"


def _below_prose(page: str, tables: str) -> str:
    """A page with a handwritten beginning: that beginning unchanged, then the generated part."""
    prose = (ROOT / "docs" / page).read_text(encoding="utf-8").partition(FROM_HERE)[0]
    return f"{prose}{FROM_HERE}{tables}"


def generated() -> dict[Path, str]:
    """Every generated file and its content."""
    return {
        ROOT / "docs" / "taxonomy.md": taxonomy_page(),
        ROOT / "docs" / "commands.md": commands_page(),
        ROOT / "docs" / "config.md": config_page(),
        ROOT / "docs" / "environment.md": environment_page(),
        ROOT / "docs" / "verification.md": _below_prose("verification.md", verification_tables(shipped_plan())),
        ROOT / "docs" / "provisioning-admin.md": HEAD + admin_page(shipped_plan()),
        ROOT / "docs" / "limits.md": _below_prose("limits.md", policy_sizes()),
        ROOT / "docs" / "losses.md": _below_prose("losses.md", ways_of_loss.page()),
        ROOT / "docs" / "faults.md": _below_prose("faults.md", faulty_answers.table()),
        ROOT / "docs" / "operations.md": _below_prose("operations.md", bad_days()),
        ROOT / "docs" / "events.md": _below_prose("events.md", events_table()),
        ROOT / "docs" / "adapter.md": _below_prose("adapter.md", adapter_operations()),
        ROOT / "schemas" / "object-ref.schema.json": json.dumps(reference.json_schema(), indent=2) + "\n",
        ROOT / "schemas" / "payload.schema.json": json.dumps(payload.json_schema(), indent=2) + "\n",
        ROOT / "schemas" / "receipt.schema.json": json.dumps(receipt.json_schema(), indent=2) + "\n",
        ROOT / "schemas" / "workloads.schema.json": json.dumps(workloads_schema(), indent=2) + "\n",
        **{
            ROOT / "schemas" / "events" / file_name(one): json.dumps(one.json_schema(), indent=2) + "\n"
            for one in MODELS
        },
        ROOT / "schemas" / "deployment.schema.json": json.dumps(json_schema(), indent=2) + "\n",
        ROOT / "schemas" / "taxonomy.schema.json": json.dumps(taxonomy_schema(), indent=2) + "\n",
        ROOT / "schemas" / "stack.schema.json": json.dumps(stack_schema(declared_config()), indent=2) + "\n",
    }


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` report which would change."""
    stale = [path for path, text in generated().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(
                f"{path.relative_to(ROOT)} differs from the generated text: run `make docs` and commit it\n"
            )
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(generated()[path], encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
