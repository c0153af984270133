"""The generated part of `docs/verification.md`: what each check proves, from the checks, actions and damages."""

from model.audited import ADMIN_READS, IAM_READS, QUOTA, settings_of
from model.deployment import build_deployment
from model.plan import StorePlan
from trials.audit_damages import AUDIT_DAMAGES
from trials.mutations import MUTATIONS
from verify.checks import BUCKET_CHECKS, GRANT_CHECKS, STORE_CHECKS
from verify.probe.actions import ACTIONS
from verify.report.summary import NOT_LOOKED_AT
from verify.selection import Part


def verification_tables(plan: StorePlan) -> str:
    """Every check, which access allows which action, what verify cannot tell, and what each damage makes fail."""
    lines = ["## What each check proves"]
    for title, table in (("Checks of the store", STORE_CHECKS), ("Checks of each bucket", BUCKET_CHECKS)):
        lines += ["", f"### {title}", "", "| check | proves that |", "|---|---|"]
        lines += [f"| `{name}` | {_sentence(check.meaning)} |" for name, (check, _) in table.items()]
    lines += ["", "### Checks of each identity in each bucket", ""]
    lines += ["The suite tries each action with the identity's own access key. The request does no harm if the server"]
    lines += ["allows it. `-` means that the plan allows no identity.", ""]
    lines += ["| check | the plan allows | an allowed caller gets |", "|---|---|---|"]
    holders = {"read": "read, append, write", "append": "append, write", "write": "write"}
    others = {"verifier": "the verifier alone", "nobody": "-"}
    for action in ACTIONS.values():
        proves = " or ".join(["success", *(f"`{code}`" for code in sorted(action.proves))])
        holder = others.get(action.holder) or holders[action.holder] + ("" if action.outside else ", and the verifier")
        lines.append(f"| `{action.name}_as_granted` | {holder} | {proves} |")
    lines += ["", "### What verify cannot tell", "", "These checks never count as proven. A test holds this list.", ""]
    lines += ["| where | what | why |", "|---|---|---|"]
    aistor = build_deployment(plan, stack="local", cloud="aistor", region="us-west-2")
    lines += [f"| AIStor | {item.feature.replace('_', ' ')} | {item.reason} |" for item in aistor.unsupported]
    lines.append(
        "| COMPLIANCE buckets | that a workload's own put works there | the suite could not remove the probe before "
        "its date. `--leave-locked-probe` puts one. The suite always tries a put that its own condition refuses |"
    )
    lines += ["", "### Which damage makes which checks fail", ""]
    lines += ["`tests/verify/test_mutations.py` does each damage to a running store. Exactly these checks fail."]
    lines += ["", "| damage | on | fails |", "|---|---|---|"]
    for mutation in MUTATIONS:
        fails = ", ".join(f"`{check}`" for check in sorted(mutation.fails))
        lines.append(f"| {mutation.name} | {', '.join(mutation.clouds)} | {fails} |")
    audits = {name for name, (check, _) in (*STORE_CHECKS.items(), *BUCKET_CHECKS.items()) if check.part is Part.AUDIT}
    uncaught = {*STORE_CHECKS, *BUCKET_CHECKS, *GRANT_CHECKS} - audits - {c for m in MUTATIONS for c in m.fails}
    lines += ["", f"{len(MUTATIONS)} damages. Checks that no damage makes fail: {', '.join(uncaught) or 'none'}."]
    lines += _audit_lines()
    return "\n".join(lines) + "\n"


def _audit_lines() -> list[str]:
    """What the audit reads, what it does not, and which damage each of its checks finds."""
    lines = ["", "### What the audit reads", ""]
    for cloud, calls in (("AIStor", ADMIN_READS), ("AWS", IAM_READS)):
        settings = [one.name for one in settings_of(cloud.lower())] + ([QUOTA] if cloud == "AIStor" else [])
        lines += [f"- {cloud}: of each bucket {', '.join(settings)}; of identities what `{'`, `'.join(calls)}` allow."]
    lines += ["", f"Not looked at: {NOT_LOOKED_AT}.", "", "### Which damage the audit finds", ""]
    lines += [
        "`tests/verify/test_audit_damages.py` does each to a running store of the sandbox, and runs the remedy that"
    ]
    lines += ["the finding prints. Of the audit's checks exactly this one fails.", ""]
    lines += ["| damage | on | fails |", "|---|---|---|"]
    lines += [f"| {one.name.replace('|', '/')} | {', '.join(one.clouds)} | `{one.fails}` |" for one in AUDIT_DAMAGES]
    both = {cloud: sum(cloud in one.clouds for one in AUDIT_DAMAGES) for cloud in ("aistor", "aws")}
    return [*lines, "", f"{len(AUDIT_DAMAGES)} damages: {both['aistor']} on AIStor, {both['aws']} on AWS."]


def _sentence(meaning: str) -> str:
    first = meaning[0] if meaning[1].isupper() else meaning[0].lower()
    return first + meaning[1:].rstrip(".")
