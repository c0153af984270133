"""The tables of `docs/limits.md`: how many policies an identity gets, how large they are, and how many domains fit.

The rule: each figure is computed from a plan with more domains than the shipped one, so it cannot drift.
"""

from model.plan import IdentityPlan, StorePlan, build_plan
from model.policies import POLICY_SIZE, Cloud, as_json, identity_policies, identity_policy, refuses_overwrites
from model.policy_limits import MANAGED_POLICIES_PER_USER, domains_fitting
from model.taxonomy_file import extended, load

DOMAINS = (9, 60, 300)
_MANY = 1000
_IDENTITIES = {
    "reader": "`read` everywhere",
    "appender": "`append` everywhere",
    "writer": "`write` everywhere",
    "verifier": "`verifies`",
}


def policy_sizes() -> str:
    """How many domains fit on AWS, and the policies of three identities for some numbers of domains."""
    large = _plan(_MANY, "aws")
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
        plans = {cloud: _plan(domains, cloud) for cloud in POLICY_SIZE}
        for name, told in _IDENTITIES.items():
            whole = len(as_json(identity_policy(plans["aistor"], _identity(plans["aistor"], name), "aistor")))
            sizes = [
                ", ".join(str(len(as_json(one))) for one in identity_policies(plan, _identity(plan, name), cloud))
                for cloud, plan in plans.items()
            ]
            lines.append(f"| {domains} | {told} | {whole} | {sizes[0]} | {sizes[1]} |")
    return "\n".join(lines) + "\n"


def _plan(domains: int, cloud: Cloud) -> StorePlan:
    shipped = load()
    more = {f"domain-{number:03}": {"band": "hot"} for number in range(domains - len(shipped.domains))}
    identities = {"appender": {"grants": {"*": "append"}}, "writer": {"grants": {"*": "write"}}}
    taxonomy = extended(shipped, domains=more, identities=identities, where="docs: ")
    return build_plan(
        taxonomy,
        env="local",
        region_code="usw2",
        tls_only=True,
        where="docs: ",
        refuses_overwrites=refuses_overwrites(cloud),
    )


def _identity(plan: StorePlan, name: str) -> IdentityPlan:
    return next(one for one in plan.identities if one.name == name)
