"""A Secret and a ConfigMap for each identity, applied by `kubectl` or written to a file.

The rule: the manifest goes to `kubectl` through standard input and is applied server-side, which leaves no copy of the
Secret in an annotation. The server checks everything (`--dry-run=server`) before the first write. It leaves out which
pod mounts what.

The Secret holds only the key pair; region, endpoint, buckets and CA are not secret and are in the ConfigMap.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from model.deployment import KeyPair
from model.handover import ACCESS_KEY_ID, BUCKET_PREFIX, NAMES, SECRET_ACCESS_KEY, Handover
from ops.keys.outside import OutsideError, run, shown
from ops.keys.private_file import check_path, is_private, read_own, write
from ops.keys.targets.outcome import CannotDeliverError, Outcome, UnfinishedDeliveryError, change_of, pair_of
from stack.runner import Said

NAMESPACE = "joelclaw"
MANAGER = "object-store-deliver"
HEAD = "# Made by `object-store keys deliver`; it holds a secret. Next: kubectl apply --server-side -f FILE\n"
#: The path at which a pod mounts the ConfigMap, so that the path of the CA is correct in the pod.
CA_FOLDER = "/etc/objectstore"
CA_KEY = "ca.pem"
TIMEOUT_SECONDS = 40.0
_REQUEST_TIMEOUT = "--request-timeout=20s"
_LABEL_FORM = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
#: The keys that an earlier delivery may have written; all other keys of the objects are not ours.
_OURS = (*NAMES, CA_KEY)
_LOG_LINE = re.compile(r"[IWE][0-9]{4} ")
_CONFLICT = re.compile(r"conflict", re.IGNORECASE)


@dataclass
class Kubernetes:
    """A namespace of a cluster, or a file of manifests for it.

    Attributes:
        namespace: The existing namespace of all objects.
        context: The context of the kubeconfig; None for the current one.
        path: The file; None to apply the manifests.
    """

    namespace: str = NAMESPACE
    context: str | None = None
    path: Path | None = None
    timeout_seconds: float = TIMEOUT_SECONDS

    def check(self) -> None:
        """Check the names, and that the cluster answers or that the file may be written."""
        if not _LABEL_FORM.fullmatch(self.namespace):
            raise CannotDeliverError(
                f"--namespace {self.namespace!r} is not a namespace name: lower case letters, digits and hyphens, at "
                f"most 63 characters ({NAMESPACE})"
            )
        if self.context is not None and (not self.context or self.context.startswith("-")):
            raise CannotDeliverError(
                f"--context {self.context!r} is not a context; list them: `kubectl config get-contexts -o name`"
            )
        if self.path is not None:
            check_path(self.path)
            read_own(self.path, HEAD)
            return
        asked = ("auth", "can-i", "patch", "secrets", "--namespace", self.namespace)
        said = self._kubectl(*asked)
        if said.status and re.match(r"no\b", said.output):
            raise CannotDeliverError(
                f"this user may not write Secrets in namespace {self.namespace} (`kubectl {' '.join(asked)}` says no); "
                "choose another user with --context, or write the manifests to a file: --file PATH"
            )
        if said.status:
            raise CannotDeliverError(self._refusal("`kubectl auth can-i`", said))

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Apply or write the objects that differ."""
        self.check()
        documents = [document for one in given for document in manifests(one, self.namespace)]
        before = {_name(document): self._there(document) for document in documents}
        outcomes = [
            Outcome(_name(document), change_of(_ours(before[_name(document)]), _ours(document) or ""))
            for document in documents
        ]
        differing = [document for document, one in zip(documents, outcomes, strict=True) if one.change != "unchanged"]
        if self.path is not None:
            return self._write(self.path, documents, outcomes)
        if differing:
            self._apply(differing, documents)
        return outcomes

    def held(self, identity: str) -> KeyPair:
        """Read the Secret again."""
        there = self._there({"kind": "Secret", "metadata": {"name": object_name(identity)}})
        data = (there or {}).get("data") or {}
        try:
            halves = [b64decode(str(data.get(name, ""))).decode() for name in (ACCESS_KEY_ID, SECRET_ACCESS_KEY)]
        except ValueError:
            halves = ["", ""]
        return pair_of(halves[0], halves[1], f"the Secret {object_name(identity)}")

    def _apply(self, differing: Sequence[Mapping[str, Any]], documents: Sequence[Mapping[str, Any]]) -> None:
        text = _to_yaml(differing)
        apply = ("apply", "--server-side", "--field-manager", MANAGER, "-f", "-")
        tried = self._kubectl(*apply, "--dry-run=server", text=text)
        if tried.status:
            raise CannotDeliverError(self._refusal("`kubectl apply --server-side --dry-run=server`", tried))
        try:
            said = self._run(*apply, text=text)
            if said.status == 0:
                return
            reason = self._refusal("`kubectl apply --server-side`", said)
        except OutsideError as error:
            reason = str(error)
        except KeyboardInterrupt:
            reason = "interrupted"
        written: list[str] = []
        try:
            written = [_name(one) for one in documents if _ours(self._there(one)) == _ours(one)]
        except CannotDeliverError as error:
            reason += f"\n  and the cluster cannot be read afterwards ({error}), so each name below may be old or new"
        raise UnfinishedDeliveryError(reason, written, [_name(one) for one in documents if _name(one) not in written])

    def _write(self, path: Path, documents: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]) -> list[Outcome]:
        done = list(outcomes)
        kept = {_name(document) for document in documents}
        done += [
            Outcome(f"{name} (removed)", "changed") for name in map(_name, self._in_file(path)) if name not in kept
        ]
        if path.exists() and not is_private(path):
            done.append(Outcome(f"{path} (to mode 0600)", "changed"))
        text = HEAD + _to_yaml(documents)
        if read_own(path, HEAD) != text or len(done) > len(outcomes):
            try:
                write(path, text)
            except OSError as error:
                raise UnfinishedDeliveryError(f"cannot write {path}: {error.strerror}", [], [str(path)]) from None
        return done

    def _there(self, document: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The present object of a document's kind and name; None if it does not exist."""
        kind, name = document["kind"], document["metadata"]["name"]
        if self.path is not None:
            return next((one for one in self._in_file(self.path) if _name(one) == _name(document)), None)
        said = self._kubectl(
            "get", kind.lower(), name, "--namespace", self.namespace, "--ignore-not-found", "-o", "json"
        )
        if said.status:
            raise CannotDeliverError(self._refusal(f"`kubectl get {kind.lower()} {name}`", said))
        if not said.output.strip():
            return None
        try:
            found: Mapping[str, Any] = json.loads(said.output)
        except json.JSONDecodeError:
            raise CannotDeliverError(f"`kubectl get {kind.lower()} {name}` printed no JSON") from None
        return found

    def _in_file(self, path: Path) -> list[Mapping[str, Any]]:
        """The objects that an earlier delivery wrote to the file."""
        try:
            return [one for one in yaml.safe_load_all(read_own(path, HEAD) or "") if one]
        except (yaml.YAMLError, ValueError, RecursionError):  # PyYAML's own, of a date that is none, of deep nesting
            raise CannotDeliverError(f"{path} exists but is not YAML; name another file") from None

    def _refusal(self, command: str, said: Said) -> str:
        # Only standard error: the output may be the object itself. kubectl's log lines precede the error sentence.
        errors = "\n".join(line for line in said.errors.splitlines() if not _LOG_LINE.match(line))
        reason = shown(Said(said.status, "", errors))
        advice = ""
        if _CONFLICT.search(reason):
            advice = (
                "; another manager owns a field of the object: stop it from writing the field, or delete the object "
                f"(kubectl delete --namespace {self.namespace} KIND NAME) and deliver again"
            )
        return f"{command} failed: {reason}{advice}"

    def _kubectl(self, *arguments: str, text: str = "") -> Said:
        try:
            return self._run(*arguments, text=text)
        except OutsideError as error:
            raise CannotDeliverError(f"{error}; or write the manifests to a file: --file PATH") from None

    def _run(self, *arguments: str, text: str = "") -> Said:
        context = [] if self.context is None else [f"--context={self.context}"]
        return run(["kubectl", *context, _REQUEST_TIMEOUT, *arguments], text=text, timeout_seconds=self.timeout_seconds)


def object_name(identity: str) -> str:
    """The name of an identity's Secret and of its ConfigMap."""
    return f"objectstore-{identity}"


def manifests(handover: Handover, namespace: str) -> list[dict[str, Any]]:
    """An identity's ConfigMap and Secret, in the order of writing: the ConfigMap first."""
    settings = handover.settings(f"{CA_FOLDER}/{CA_KEY}")
    if handover.ca_pem is not None:
        settings[CA_KEY] = handover.ca_pem
    metadata = {
        "name": object_name(handover.identity),
        "namespace": namespace,
        "labels": {"app.kubernetes.io/name": "object-store", "app.kubernetes.io/instance": handover.identity},
    }
    # In base64, not as `stringData`, because server-side apply does not update from that:
    # https://kubernetes.io/docs/tasks/configmap-secret/managing-secret-using-config-file/
    data = {name: b64encode(value.encode()).decode() for name, value in handover.keys().items()}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": settings},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data},
    ]


def _name(document: Mapping[str, Any]) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


def _ours(document: Mapping[str, Any] | None) -> str | None:
    """The part of an object that a delivery manages, as text to compare."""
    if document is None:
        return None
    data = document.get("data") or {}
    return json.dumps({name: data[name] for name in sorted(data) if name in _OURS or name.startswith(BUCKET_PREFIX)})


class _Dumper(yaml.SafeDumper):
    """Writes repeated values without aliases, because not every reader of manifests supports them."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _to_yaml(documents: Sequence[Mapping[str, Any]]) -> str:
    return "".join(f"---\n{yaml.dump(one, Dumper=_Dumper, sort_keys=False, width=120)}" for one in documents)
