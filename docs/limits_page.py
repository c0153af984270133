"""The tables of `docs/limits.md`: how many policies an identity gets, how large they are, and how many domains fit.

The rule: each figure is computed from a plan with more domains than the shipped one, so it cannot drift.
"""

from model.plan import IdentityPlan, StorePlan, build_plan
from model.policies import POLICY_SIZE, as_json, identity_policies, identity_policy
from model.policy_limits import MANAGED_POLICIES_PER_USER, domains_fitting
from model.taxonomy_file import extended, load

DOMAINS = (9, 60, 300)
_MANY = 1000
_IDENTITIES = {"reader": "`read` everywhere", "writer": "`write` everywhere", "verifier": "`verifies`"}


def policy_sizes() -> str:
    """How many domains fit on AWS, and the policies of three identities for some numbers of domains."""
    large = _plan(_MANY)
    fitting = ", ".join(
        f"{domains_fitting(large, _identity(large, name))} for {told}" for name, told in _IDENTITIES.items()
    )
    aistor, aws = POLICY_SIZE["aistor"], POLICY_SIZE["aws"]
    lines = [
        f"An AWS identity has at most {MANAGED_POLICIES_PER_USER} policies. If the added domains have names of 10",
        f"characters, so many domains fit into them: {fitting}.",
        "On AIStor the number of policies has no limit.",
        "",
        "The table shows the size of each policy. *One document* is the size of all grants in one, on AIStor.",
        "",
        f"| domains | identity | one document | policies on AIStor (≤ {aistor} bytes) | on AWS (≤ {aws} characters) |",
        "|---|---|---|---|---|",
    ]
    for domains in DOMAINS:
        plan = _plan(domains)
        for name, told in _IDENTITIES.items():
            identity = _identity(plan, name)
            whole = len(as_json(identity_policy(plan, identity, "aistor")))
            sizes = [
                ", ".join(str(len(as_json(one))) for one in identity_policies(plan, identity, cloud))
                for cloud in POLICY_SIZE
            ]
            lines.append(f"| {domains} | {told} | {whole} | {sizes[0]} | {sizes[1]} |")
    return "\n".join(lines) + "\n"


def _plan(domains: int) -> StorePlan:
    shipped = load()
    more = {f"domain-{number:03}": {"band": "hot"} for number in range(domains - len(shipped.domains))}
    writer = {"writer": {"grants": {"*": "write"}}}
    taxonomy = extended(shipped, domains=more, identities=writer, where="docs: ")
    return build_plan(taxonomy, env="local", region_code="usw2", tls_only=True, where="docs: ")


def _identity(plan: StorePlan, name: str) -> IdentityPlan:
    return next(one for one in plan.identities if one.name == name)
