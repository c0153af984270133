"""Writes the files that are generated from the code: the tables of `docs/` and the JSON Schemas; `--check` compares.

The rule: each value in these files comes from the taxonomy, the plan or `Pulumi.yaml`, so it cannot drift. `make lint`
fails if a file differs from the generated text.
"""

import json
import sys
from pathlib import Path

import yaml

from cli.commands import COMMANDS
from docs.admin_page import admin_page
from docs.operations import operations_page
from model.deployment import build_deployment, json_schema
from model.exit_codes import MEANING
from model.lifecycle import rule_text
from model.plan import StorePlan, build_plan
from model.taxonomy_file import load
from object_store import payload, reference
from trials.mutations import MUTATIONS
from verify.checks import BUCKET_CHECKS, GRANT_CHECKS, STORE_CHECKS
from verify.probe.actions import ACTIONS

ROOT = Path(__file__).parent.parent
HEAD = "<!-- Written by `make docs`; `make lint` compares it. -->\n\n"


def shipped_plan() -> StorePlan:
    """The plan of the committed local stack."""
    return build_plan(load(), env="local", region_code="usw2", tls_only=True, where="Pulumi.local.yaml: object-store:")


def taxonomy_page() -> str:
    """The content of the taxonomy: domains and their rules, identities and their grants."""
    plan, taxonomy = shipped_plan(), load()
    lines = ["# The taxonomy", "", "## Domains", ""]
    lines += ["| domain | band | object lock | rules | for |", "|---|---|---|---|---|"]
    for bucket in plan.buckets:
        lock = f"{bucket.retention.mode.value} {bucket.retention.days} d" if bucket.retention else "no"
        rules = "<br>".join(f"`{rule.id}`: {rule_text(rule)}" for rule in bucket.rules)
        purpose = taxonomy.domains[bucket.domain].purpose
        lines.append(f"| {bucket.domain} | {bucket.band.value} | {lock} | {rules} | {purpose} |")
    lines += ["", "## Grants", "", "`read`; `append` is read and put; `write` is append and delete.", ""]
    workloads = [identity for identity in plan.identities if not identity.verifies]
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


def config_page() -> str:
    """The config keys of a stack, as `Pulumi.yaml` declares them."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    lines = ["# Config keys of a stack", "", "| key | type | default | meaning |", "|---|---|---|---|"]
    for key, value in declared.items():
        default = f"`{json.dumps(value['default'])}`" if "default" in value else "needed"
        lines.append(f"| `object-store:{key}` | {value['type']} | {default} | {value['description']} |")
    return HEAD + "\n".join(lines) + "\n"


def verification_page() -> str:
    """Every check, who may do which action, what a check cannot tell, and which damage each check finds."""
    lines = [
        "# What the verification proves",
        "",
        "Each check compares the live store with the plan. `object-store verify --only CHECK` runs one.",
    ]
    for title, table in (("Of the store", STORE_CHECKS), ("Of each bucket", BUCKET_CHECKS)):
        lines += ["", f"## {title}", "", "| check | proves that |", "|---|---|"]
        lines += [f"| `{name}` | {_sentence(check.meaning)} |" for name, (check, _) in table.items()]
    lines += ["", "## Of each identity in each bucket", ""]
    lines += ["Tried with the identity's own key, without harm even where it is let in. `-` is nobody.", ""]
    lines += ["| check | the plan lets in | and a caller who is let in is told by |", "|---|---|---|"]
    holders = {
        "read": "read, append, write, and the verifier",
        "append": "append, write, and the verifier",
        "write": "write, and the verifier",
        "verifier": "the verifier alone",
        "nobody": "-",
    }
    for action in ACTIONS.values():
        proves = " or ".join(["success", *(f"`{code}`" for code in sorted(action.proves))])
        lines.append(f"| `{action.name}_as_granted` | {holders[action.holder]} | {proves} |")
    lines += ["", "## What cannot be told", "", "Never counted as proven; a test holds the list.", ""]
    lines += ["| where | what | why |", "|---|---|---|"]
    aistor = build_deployment(shipped_plan(), stack="local", cloud="aistor", region="us-west-2")
    lines += [f"| AIStor | {item.feature.replace('_', ' ')} | {item.reason} |" for item in aistor.unsupported]
    lines.append(
        "| COMPLIANCE buckets | that a workload's own put works there | nobody could remove its probe before its date; "
        "`--leave-locked-probe` puts one, and a put that its condition refuses is tried always |"
    )
    lines += ["", "## Which damage makes which checks fail", ""]
    lines += [
        "Each is done to a running store by `tests/verify/test_mutations.py`; exactly these checks fail, no others."
    ]
    lines += ["", "| damage | on | fails |", "|---|---|---|"]
    for mutation in MUTATIONS:
        fails = ", ".join(f"`{check}`" for check in sorted(mutation.fails))
        lines.append(f"| {mutation.name} | {', '.join(mutation.clouds)} | {fails} |")
    uncaught = {*STORE_CHECKS, *BUCKET_CHECKS, *GRANT_CHECKS} - {c for m in MUTATIONS for c in m.fails}
    lines += ["", f"{len(MUTATIONS)} damages; checks that none of them makes fail: {', '.join(uncaught) or 'none'}."]
    return HEAD + "\n".join(lines) + "\n"


def commands_page() -> str:
    """The commands of `object-store`, and the exit statuses."""
    lines = ["# Commands", "", "`object-store COMMAND --help` says more of each."]
    for group in dict.fromkeys(line.group for line in COMMANDS.values()):
        lines += ["", f"## {group}", "", "| command | what it does |", "|---|---|"]
        lines += [f"| `{name}` | {line.text.rstrip('.')} |" for name, line in COMMANDS.items() if line.group == group]
    lines += ["", "## Exit status", "", "One table for all of them, and for `object-store verify` in a pod.", ""]
    lines += ["| status | means |", "|---|---|", *(f"| {code.value} | {text} |" for code, text in MEANING.items())]
    return HEAD + "\n".join(lines) + "\n"


def _sentence(meaning: str) -> str:
    first = meaning[0] if meaning[1].isupper() else meaning[0].lower()
    return first + meaning[1:].rstrip(".")


def generated() -> dict[Path, str]:
    """Every generated file and its content."""
    return {
        ROOT / "docs" / "taxonomy.md": taxonomy_page(),
        ROOT / "docs" / "commands.md": commands_page(),
        ROOT / "docs" / "config.md": config_page(),
        ROOT / "docs" / "verification.md": verification_page(),
        ROOT / "docs" / "provisioning-admin.md": HEAD + admin_page(shipped_plan()),
        ROOT / "docs" / "adapter.md": HEAD + operations_page(),
        ROOT / "schemas" / "object-ref.schema.json": json.dumps(reference.json_schema(), indent=2) + "\n",
        ROOT / "schemas" / "payload.schema.json": json.dumps(payload.json_schema(), indent=2) + "\n",
        ROOT / "schemas" / "deployment.schema.json": json.dumps(json_schema(), indent=2) + "\n",
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
