"""The generated part of `docs/verification.md`: what each check proves, from the checks, actions and damages."""

from model.deployment import build_deployment
from model.plan import StorePlan
from trials.mutations import MUTATIONS
from verify.checks import BUCKET_CHECKS, GRANT_CHECKS, STORE_CHECKS
from verify.probe.actions import ACTIONS


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
    uncaught = {*STORE_CHECKS, *BUCKET_CHECKS, *GRANT_CHECKS} - {c for m in MUTATIONS for c in m.fails}
    lines += ["", f"{len(MUTATIONS)} damages. Checks that no damage makes fail: {', '.join(uncaught) or 'none'}."]
    return "\n".join(lines) + "\n"


def _sentence(meaning: str) -> str:
    first = meaning[0] if meaning[1].isupper() else meaning[0].lower()
    return first + meaning[1:].rstrip(".")
