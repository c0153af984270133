"""The engine's preview (`pulumi preview --json`) as two shapes and a list of the resources that it would change.

The rule: a resource's type and the end of its logical name, as `infra.aistor` and `infra.aws` set them, decide its
subject and aspect. A type that is not in the table is still reported, under `stack`. Pure: it contacts no server and
runs no engine. The input names of both clouds are facts of pulumi-minio 0.17.1 and pulumi-aws 7.x.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from model.endpoint import one_spelling
from model.lifecycle import declared_rule
from model.plan import Retention
from model.policy_meaning import same_meaning
from model.resources import DYNAMIC, PROVIDERS, STACK, TYPES, About, about, subject_of
from model.written import WrittenError
from model.written_json import parse_json
from ops.preview.access import allowed, denied, lets_anyone_in, refuses_plain_http
from ops.preview.change import Aspect, Change, Risk, Touched
from ops.preview.shape import BucketShape, IdentityShape, StoreShape
from ops.preview.trusted import trusted

UNCHANGED = frozenset({"same", "read"})
# A step of a refresh; the resource's own step follows it, with the values that were read as its old side.
REFRESHED = "refresh"
# The engine's operations in the terms of `Touched`.
OPERATIONS = {
    "create": "create",
    "import": "create",
    "update": "update",
    "delete": "delete",
    "discard": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import-replacement": "replace",
}
OTHER = "stack"
# The engine adds this error after the program's own error.
NOT_TELLING = "an unhandled error occurred: Program exited with non-zero exit code"

_ASPECTS = {
    About.BUCKET: Aspect.BUCKET,
    About.VERSIONING: Aspect.VERSIONING,
    About.RETENTION: Aspect.RETENTION,
    About.LIFECYCLE: Aspect.LIFECYCLE,
    About.PUBLIC_ACCESS: Aspect.PUBLIC_ACCESS,
    About.OWNERSHIP: Aspect.OWNERSHIP,
    About.ENCRYPTION: Aspect.ENCRYPTION,
    About.BUCKET_POLICY: Aspect.POLICY,
    About.USER: Aspect.USER,
    About.POLICY: Aspect.ACCESS,
    About.ATTACHMENT: Aspect.ACCESS,
    About.ROLE_ATTACHMENT: Aspect.ACCESS,
    About.KEY: Aspect.KEY,
    About.ROLE: Aspect.TRUST,
}
# AIStor's resource keeps a bucket without a policy; AWS's puts one.
_NO_POLICY = TYPES["v3"][About.BUCKET_POLICY]
# The status of a disabled user or key: MinIO's users, its service accounts, AWS's access keys.
_OFF = ("disabled", "off", "Inactive")
_ALGORITHMS = {"AES256": "SSE-S3", "aws:kms": "SSE-KMS"}
# Terminal escapes, and the engine's own colour tags.
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|<\{%[^%]*%\}>")


@dataclass(frozen=True)
class Previewed:
    """The content of an engine's preview.

    Attributes:
        before: The stack as its state has it.
        after: The stack as it would be.
        renamed: From the former to the present domain, for buckets that are kept.
        replaced: Domains and identities whose bucket, user, role or key would be recreated.
        touched: Every resource that would change.
        unchanged: The number of resources that would not change.
        errors: The engine's error messages, except those about protection.
        protected: Domains whose bucket the engine refuses to delete or replace.
    """

    before: StoreShape
    after: StoreShape
    renamed: dict[str, str]
    replaced: frozenset[str]
    touched: tuple[Touched, ...]
    unchanged: int
    errors: tuple[str, ...]
    protected: tuple[str, ...]


def read_preview(preview: Mapping[str, Any]) -> Previewed:
    """Interpret the output of `pulumi preview --json`."""
    before, after = _Side(), _Side()
    renamed: dict[str, str] = {}
    replaced: set[str] = set()
    touched: list[Touched] = []
    unchanged = 0
    for step in preview.get("steps") or []:
        if step["op"] == REFRESHED:
            continue
        old, new = step.get("oldState"), step.get("newState")
        subject, aspect, ending = _about(new or old)
        operation = step["op"]
        if old and not operation.startswith("create"):
            before.add(_live(old))
        if new and not operation.startswith("delete"):
            after.add(_live(new) if operation in UNCHANGED else new)
        if operation in UNCHANGED:
            unchanged += 1
        else:
            named, properties = OPERATIONS.get(operation, operation), _properties(step)
            # A service account's own policy is part of its identity's permissions.
            about = Aspect.ACCESS if (aspect, properties) == (Aspect.KEY, ("policy",)) else aspect
            touched.append(Touched(subject, about, named, properties))
            if named == "replace" and aspect in (Aspect.BUCKET, Aspect.USER, Aspect.TRUST, Aspect.KEY):
                replaced.add(subject)
        if aspect is Aspect.BUCKET and old and new:
            former = _about(old)[0]
            if former != subject and not ending:
                renamed[former] = subject
    errors, protected = _refusals(preview.get("diagnostics") or [])
    return Previewed(
        before.shape(),
        after.shape(),
        renamed,
        frozenset(replaced),
        tuple(sorted(set(touched), key=lambda item: (item.subject, item.aspect, item.operation))),
        unchanged,
        errors,
        protected,
    )


def clients_told(preview: Mapping[str, Any]) -> list[Change]:
    """Changes of what the stack publishes to clients: no step holds outputs, so it compares config and last outputs."""
    stack = next((step for step in preview.get("steps") or [] if f"::{STACK}::" in step["urn"]), None)
    told = ((stack or {}).get("oldState", {}).get("outputs") or {}).get("deployment")
    if not isinstance(told, Mapping):
        return []
    config = {
        name: str((preview.get("config") or {}).get(f"object-store:{name}") or "")
        for name in ("clientEndpoint", "endpoint", "region")
    }
    wanted = {"endpoint": config["clientEndpoint"] or config["endpoint"], "region": config["region"]}
    return [
        Change(OTHER, f"clients now get the {name} {new} (was {told[name]})", Risk.NOTICE, Aspect.CONNECTION)
        for name, new in wanted.items()
        if new and told.get(name) and one_spelling(new) != one_spelling(str(told[name]))
    ]


def acknowledged_in(preview: Mapping[str, Any]) -> tuple[str, ...]:
    """The sentences that the stack's config acknowledges."""
    value = (preview.get("config") or {}).get("object-store:acknowledge")
    try:
        found = parse_json(value, "acknowledge") if isinstance(value, str) else value
    except WrittenError:
        # The program itself refuses a value that is not a list.
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _about(state: Mapping[str, Any]) -> tuple[str, Aspect, str]:
    """The subject and aspect of a resource, and the end of its name."""
    kind, name = str(state["type"]), str(state["urn"]).rpartition("::")[2]
    what = about(kind)
    if what is not None:
        subject, ending = subject_of(kind, name)
        return subject, Aspect.NO_POLICY if kind == _NO_POLICY else _ASPECTS[what], ending
    if kind.startswith(PROVIDERS):
        return OTHER, Aspect.CONNECTION, name
    return OTHER, Aspect.OTHER, name


def _properties(step: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the inputs that differ, never their values."""
    found = step.get("diffReasons") or step.get("replaceReasons") or []
    names = {re.split(r"[.\[]", name)[0] for name in (*found, *(step.get("detailedDiff") or {}))}
    return tuple(sorted(name for name in names or _unlike(step) if not name.startswith("__")))


def _unlike(step: Mapping[str, Any]) -> set[str]:
    """The names of changed inputs: a dynamic provider reports that something differs, but not which input."""
    old, new = step.get("oldState"), step.get("newState")
    if not old or not new or not str(new["type"]).startswith(DYNAMIC):
        return set()
    held = _live(old)["inputs"]
    return {
        name
        for name, value in (new.get("inputs") or {}).items()
        if value != held.get(name) and not same_meaning(str(value), str(held.get(name)))
    }


def _live(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state with its last read values as inputs, beside the declared inputs.

    A refresh updates a plugin's inputs, except whether a user or key is enabled; of a dynamic resource it updates only
    the outputs.
    """
    inputs, outputs = state.get("inputs") or {}, state.get("outputs") or {}
    read = (
        outputs if str(state["type"]).startswith(DYNAMIC) else {key: outputs[key] for key in outputs if key == "status"}
    )
    return {**state, "inputs": {**inputs, **read}}


def _refusals(diagnostics: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The engine's errors, and the domains that it refuses to change because they are protected."""
    errors, protected = [], set()
    for diagnostic in diagnostics:
        if diagnostic.get("severity") != "error":
            continue
        message = _COLOURS.sub("", str(diagnostic.get("message", ""))).strip()
        urn = str(diagnostic.get("urn", ""))
        if urn and ("it is protected" in message or "marked for protection" in message):
            protected.add(urn.rpartition("::")[2])
        elif message and message != "error: preview failed":
            errors.append(message.removeprefix("error: "))
    telling = [message for message in errors if not message.startswith(NOT_TELLING)]
    return tuple(dict.fromkeys(telling or errors)), tuple(sorted(protected))


@dataclass
class _Side:
    """One side's resources by subject and aspect."""

    states: dict[tuple[str, Aspect], list[Mapping[str, Any]]] = field(default_factory=dict)

    def add(self, state: Mapping[str, Any]) -> None:
        subject, aspect, _ = _about(state)
        self.states.setdefault((subject, aspect), []).append(state)

    def shape(self) -> StoreShape:
        domains = [subject for subject, aspect in self.states if aspect is Aspect.BUCKET]
        names = dict.fromkeys(subject for subject, aspect in self.states if aspect in (Aspect.USER, Aspect.TRUST))
        return StoreShape(
            {domain: self._bucket(domain) for domain in domains}, {name: self._identity(name) for name in names}
        )

    def _inputs(self, subject: str, aspect: Aspect) -> dict[str, Any] | None:
        found = self.states.get((subject, aspect))
        return dict(found[-1].get("inputs") or {}) if found else None

    def _bucket(self, domain: str) -> BucketShape:
        state = self.states[domain, Aspect.BUCKET][-1]
        inputs = dict(state.get("inputs") or {})
        on_aws = str(state["type"]).startswith("aws:")
        blocked, policy = self._inputs(domain, Aspect.PUBLIC_ACCESS), self._inputs(domain, Aspect.POLICY)
        document = _document(policy.get("policy")) if policy else {}
        known = on_aws and document is not None
        by_hand = self._inputs(domain, Aspect.NO_POLICY)
        return BucketShape(
            domain=domain,
            name=str(inputs.get("bucket")),
            rules=tuple(
                declared_rule(rule)
                for rule in (self._inputs(domain, Aspect.LIFECYCLE) or {}).get("rules", [])
                if rule.get("status") != "Disabled"
            ),
            retention=_retention(self._inputs(domain, Aspect.RETENTION)),
            locked=_locked(inputs),
            versioned=_locked(inputs) or _enabled(self._inputs(domain, Aspect.VERSIONING)),
            protected=bool(state.get("protect")),
            emptied=inputs.get("forceDestroy") in (True, "true"),
            public_blocked=_all_blocked(blocked) if on_aws else None,
            public_policy=lets_anyone_in(document or {}) if known else None,
            policy_by_hand=bool(by_hand.get("policy")) if by_hand else None,
            tls_only=refuses_plain_http([document or {}]) if known else None,
            encryption=_encryption(self._inputs(domain, Aspect.ENCRYPTION)),
        )

    def _identity(self, name: str) -> IdentityShape:
        role = self.states.get((name, Aspect.TRUST), [])
        user = (self.states.get((name, Aspect.USER)) or role)[-1]
        given = [
            _document(inputs["policy"])
            for state in self.states.get((name, Aspect.ACCESS), [])
            if "policy" in (inputs := state.get("inputs") or {})
        ]
        policies = [document for document in given if document is not None]
        keys = self.states.get((name, Aspect.KEY), [])
        # An unknown limit does not limit anything here: the preview reports too much rather than too little.
        bounds = [found for key in keys if (found := _document((key.get("inputs") or {}).get("policy")))]
        known = len(policies) == len(given)
        of_role = dict(role[-1].get("inputs") or {}) if role else {}
        switched = {"user": user, **{_about(key)[2].removeprefix("-"): key for key in keys}}
        on_aistor = not str(user["type"]).startswith("aws:")
        return IdentityShape(
            name=name,
            user_name=str((user.get("inputs") or {}).get("name")),
            # All keys of an identity have the same policy, so one of them limits the user's permissions.
            access=allowed(policies, bounds[:1]) if known else None,
            denied=denied(policies),
            tls_only=refuses_plain_http(policies) if on_aistor and known else None,
            keys=frozenset(_about(key)[2].removeprefix("-") for key in keys),
            off=frozenset(
                word for word, state in switched.items() if (state.get("inputs") or {}).get("status") in _OFF
            ),
            trusted=trusted(_document(of_role.get("assumeRolePolicy"))) if role else None,
        )


def _document(text: object) -> dict[str, Any] | None:
    """A policy document; None if it is not known before the update."""
    try:
        found = parse_json(text, "policy") if isinstance(text, str) else text
    except WrittenError:
        return None
    return found if isinstance(found, dict) else None


def _locked(inputs: Mapping[str, Any]) -> bool:
    return inputs.get("objectLocking") in (True, "true") or inputs.get("objectLockEnabled") in (True, "true")


def _enabled(inputs: Mapping[str, Any] | None) -> bool:
    return ((inputs or {}).get("versioningConfiguration") or {}).get("status") == "Enabled"


def _retention(inputs: Mapping[str, Any] | None) -> Retention | None:
    if inputs is None:
        return None
    found = (inputs.get("rule") or {}).get("defaultRetention") or inputs
    if not found.get("mode") or not found.get("days"):
        return None
    return Retention(mode=found["mode"], days=int(found["days"]))


def _all_blocked(inputs: Mapping[str, Any] | None) -> bool:
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    return inputs is not None and all(inputs.get(name) in (True, "true") for name in names)


def _encryption(inputs: Mapping[str, Any] | None) -> str | None:
    for rule in (inputs or {}).get("rules", []):
        algorithm = (rule.get("applyServerSideEncryptionByDefault") or {}).get("sseAlgorithm")
        return _ALGORITHMS.get(str(algorithm), str(algorithm))
    return None
