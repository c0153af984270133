"""The owner's secrets store, through its CLI `secrets` (https://github.com/joelhooks/agent-secrets).

The rule: values go only through standard input. `update` is called only if the CLI's help says that it takes a name: in
v0.4.1 `secrets update` replaces the program itself. Present values are read by a lease of one minute, which is revoked
if the CLI printed its id. A failed lease exits with 0, so its output is checked (`infra.lease`).

The store has no transactions. If only one half of a pair could be written, the old value is restored where possible.
Nothing is ever deleted from the store, because v0.4.1 has no command for that.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.lease import LeaseError, leased_value
from model.deployment import KeyPair
from model.handover import Handover
from model.secrecy.redaction import keep_secret
from ops.keys.outside import OutsideError, run, shown
from ops.keys.targets.outcome import CannotDeliverError, Outcome, UnfinishedDeliveryError, change_of, pair_of
from stack.runner import Said

PROGRAM = "secrets"
TTL = "1m"
SECRET = "_secret_access_key"  # noqa: S105 - the end of a name
#: The CLI waits 5 s for an answer of its daemon.
TIMEOUT_SECONDS = 20.0
_NOT_THERE = re.compile(r"\bsecret\b[^\n]{0,200}\bnot found\b", re.IGNORECASE)
_LEASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,63}")
#: A usage line of `update` with an argument; v0.4.1 says `secrets update [flags]`.
_UPDATE_TAKES_A_NAME = re.compile(
    r"\bsecrets\s+update\s+(?:\[(?:flags|options)\]\s+)?(?:<[^>]+>|\[(?!flags\]|options\])[^\]]+\]|[A-Z_]+\b)"
)
#: The socket's protocol can delete, which the CLI of v0.4.1 cannot; the request contains no value.
_TAKE_OUT = (
    """printf '{{"jsonrpc":"2.0","id":1,"method":"secrets.delete","params":{{"name":"{name}"}}}}\\n' """
    "| nc -U ~/.agent-secrets/agent-secrets.sock"
)


@dataclass(frozen=True)
class _Entry:
    """One name in the store, with its new and its previous value."""

    name: str
    value: str = field(repr=False)
    before: str | None = field(repr=False)


@dataclass
class AgentSecrets:
    """The store of the `secrets` on PATH."""

    timeout_seconds: float = TIMEOUT_SECONDS

    def check(self) -> None:
        """Check that the CLI exists and that its daemon answers with the store open."""
        said = self._run("status", writes=False)
        if not _succeeded(said):
            raise CannotDeliverError(
                f"`{PROGRAM} status` failed, so the store cannot be used: {self._reason(said)}; "
                f"if its daemon does not run: {PROGRAM} serve --background"
            )

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Add new values, update changed ones, and leave the others unchanged."""
        self.check()
        wanted = _wanted(given)
        entries = [_Entry(name, value, self._read(name)) for name, value in wanted]
        outcomes = [Outcome(entry.name, change_of(entry.before, entry.value)) for entry in entries]
        changed = [outcome.name for outcome in outcomes if outcome.change == "changed"]
        if changed:
            self._check_updates(changed)
        differing = [entry for entry in entries if entry.before != entry.value]
        for entry in differing:
            self._put(entry, entries)
        try:
            complete = all(self._read(entry.name) == entry.value for entry in differing)
        except CannotDeliverError as error:
            raise UnfinishedDeliveryError(
                f"the store accepted every value but cannot be read afterwards: {error}",
                [one.name for one in entries],
                [],
            ) from None
        if not complete:
            raise self._unfinished(
                "the store reports that it accepted every value, but it leases a different one", entries
            )
        return outcomes

    def held(self, identity: str) -> KeyPair:
        """Lease both halves of the pair."""
        halves = [self._read(name) for name in pair_names(identity)]
        return pair_of(halves[0], halves[1], f"the store, for {identity},")

    def _check_updates(self, changed: Sequence[str]) -> None:
        """Check, using only its help, that the CLI can update a value."""
        said = self._run("update", "--help", writes=False)
        if _UPDATE_TAKES_A_NAME.search(said.output + said.errors):
            return
        version = self._version()
        lines = "\n".join(f"  {_TAKE_OUT.format(name=name)}" for name in changed)
        raise CannotDeliverError(
            f"`{PROGRAM}` {version} cannot change a value: its `update` replaces the program itself, so it was not "
            f"called. Install a newer version, or delete the changed values and deliver again at once:\n{lines}"
        )

    def _version(self) -> str:
        said = self._run("version", writes=False)
        found = re.search(r"\bv?\d+\.\d+\.\d+[A-Za-z0-9.+-]*", said.output)
        return found[0] if found else "of unknown version"

    def _put(self, entry: _Entry, entries: Sequence[_Entry]) -> None:
        verb = "add" if entry.before is None else "update"
        try:
            said = self._run(verb, entry.name, text=entry.value, writes=True)
            if _succeeded(said):
                return
            reason = f"`{PROGRAM} {verb} {entry.name}` failed: {self._reason(said)}"
        except OutsideError as error:
            reason = str(error)
        except KeyboardInterrupt:
            reason = "interrupted"
        raise self._unfinished(reason, entries)

    def _unfinished(self, reason: str, entries: Sequence[_Entry]) -> UnfinishedDeliveryError:
        """The error with what the store holds now; a half-written pair is restored first."""
        written: list[str] = []
        try:
            done = {entry.name for entry in entries if self._read(entry.name) == entry.value}
            for entry, other in _mixed(entries, done):
                back = self._run("update", entry.name, text=entry.before or "", writes=True)
                if _succeeded(back) and self._read(entry.name) == entry.before:
                    done.discard(entry.name)
                else:
                    reason += f"\n  {entry.name} is new but {other.name} is old: this pair does not work"
            written = [entry.name for entry in entries if entry.name in done]
        except (OutsideError, CannotDeliverError) as error:
            reason += f"\n  and the store cannot be read afterwards ({error}), so each name below may be old or new"
        unwritten = [entry.name for entry in entries if entry.name not in written]
        return UnfinishedDeliveryError(reason, written, unwritten)

    def _read(self, name: str) -> str | None:
        """The value of a name; None if the store does not have it."""
        said = self._run("lease", name, "--ttl", TTL, writes=False)
        # The output of a lease is never shown: unless it is an error, it is a secret.
        reason = shown(Said(said.status, "", said.errors))
        value = ""
        if not said.status:
            try:
                value = leased_value(said.output)
            except LeaseError as error:
                reason = str(error)
        if not value:
            if _NOT_THERE.search(said.output + said.errors):
                return None
            raise CannotDeliverError(f"`{PROGRAM} lease {name}`: {reason}")
        self._revoke(said)
        return keep_secret(value) if name.endswith(SECRET) else value

    def _revoke(self, said: Said) -> None:
        """Revoke the lease if its id is known; otherwise it expires within a minute."""
        data = _answer(said).get("data")
        lease_id = data.get("lease_id") if isinstance(data, dict) else None
        if isinstance(lease_id, str) and _LEASE_ID.fullmatch(lease_id):
            self._run("revoke", lease_id, writes=False)

    def _reason(self, said: Said) -> str:
        """The reason why a command other than a lease failed, from its JSON or its text."""
        answer = _answer(said)
        given = answer.get("error") or answer.get("message")
        return shown(Said(said.status, "", str(given)) if given else said)

    def _run(self, *arguments: str, text: str = "", writes: bool) -> Said:
        try:
            return run([PROGRAM, *arguments], text=text, timeout_seconds=self.timeout_seconds)
        except OutsideError as error:
            if writes:
                raise
            raise CannotDeliverError(f"{error}; see https://github.com/joelhooks/agent-secrets") from None


def pair_names(identity: str) -> tuple[str, str]:
    """The store's names for an identity's access key id and secret access key.

    >>> pair_names("session-archiver")[0]
    'objectstore_session_archiver_access_key_id'
    """
    prefix = f"objectstore_{identity.replace('-', '_')}"
    return f"{prefix}_access_key_id", f"{prefix}{SECRET}"


def _wanted(given: Sequence[Handover]) -> list[tuple[str, str]]:
    """Every name and its value, the pairs first; values that all identities share have one name."""
    wanted: list[tuple[str, str]] = []
    for one in given:
        key_id, secret = pair_names(one.identity)
        wanted += [(key_id, one.pair.access_key_id), (secret, one.pair.secret_access_key.get_secret_value())]
    for one in given[:1]:
        wanted.append(("objectstore_region", one.region))
        if one.endpoint is not None:
            wanted.append(("objectstore_endpoint", one.endpoint))
    return wanted


def _mixed(entries: Sequence[_Entry], done: set[str]) -> list[tuple[_Entry, _Entry]]:
    """New halves of pairs, each with its other half that is still old; both had a value before."""
    by_name = {entry.name: entry for entry in entries}
    found = []
    for entry in entries:
        stem, half, _ = entry.name.partition("_access_key_id")
        if half:
            secret = by_name[f"{stem}{SECRET}"]
            for new, old in ((entry, secret), (secret, entry)):
                changes = None not in (new.before, old.before) and new.before != new.value and old.before != old.value
                if changes and new.name in done and old.name not in done:
                    found.append((new, old))
    return found


def _succeeded(said: Said) -> bool:
    """Whether the exit status is 0 and no JSON reports a failure."""
    return said.status == 0 and _answer(said).get("success") is not False


def _answer(said: Said) -> dict[str, object]:
    """The JSON object that a command printed; empty if it printed something else."""
    try:
        answer = json.loads(said.output)
    except json.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}
