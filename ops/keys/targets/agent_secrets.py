"""The owner's store of secrets, by its CLI `secrets` (https://github.com/joelhooks/agent-secrets).

The rule: a value goes in by standard input only, and `update` is called only by a CLI whose help says that it takes a
name: in v0.4.1 `secrets update` replaces the program itself. What is there is read by a lease of a minute, which is
revoked where the CLI told its id; a failed lease exits 0, so what it printed is judged (`infra.lease`).

The store has no transaction, so a pair of which one half could not be written is put back as it was where that can be
done. Nothing is ever taken out of the store: v0.4.1 has no command for it.
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
#: The CLI gives its daemon 5 s for an answer.
TIMEOUT_SECONDS = 20.0
_NOT_THERE = re.compile(r"\bsecret\b[^\n]{0,200}\bnot found\b", re.IGNORECASE)
_LEASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,63}")
#: A usage line of `update` with an argument; v0.4.1 says `secrets update [flags]`.
_UPDATE_TAKES_A_NAME = re.compile(
    r"\bsecrets\s+update\s+(?:\[(?:flags|options)\]\s+)?(?:<[^>]+>|\[(?!flags\]|options\])[^\]]+\]|[A-Z_]+\b)"
)
#: The socket's protocol has what the CLI of v0.4.1 lacks; no value is in it.
_TAKE_OUT = (
    """printf '{{"jsonrpc":"2.0","id":1,"method":"secrets.delete","params":{{"name":"{name}"}}}}\\n' """
    "| nc -U ~/.agent-secrets/agent-secrets.sock"
)


@dataclass(frozen=True)
class _Entry:
    """One name in the store, and what it should hold and held before."""

    name: str
    value: str = field(repr=False)
    before: str | None = field(repr=False)


@dataclass
class AgentSecrets:
    """The store that the `secrets` on the path speaks to."""

    timeout_seconds: float = TIMEOUT_SECONDS

    def check(self) -> None:
        """The CLI is there, and its daemon answers with the store open."""
        said = self._run("status", writes=False)
        if not _succeeded(said):
            raise CannotDeliverError(
                f"`{PROGRAM} status` failed, so the store cannot be used: {self._reason(said)}; "
                f"if its daemon is down: {PROGRAM} serve --background"
            )

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Add what is new, update what changed, leave the rest alone."""
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
                f"the store took every value and cannot be read afterwards: {error}", [one.name for one in entries], []
            ) from None
        if not complete:
            raise self._unfinished("the store says that it took every value, and leases another", entries)
        return outcomes

    def held(self, identity: str) -> KeyPair:
        """Lease both halves."""
        halves = [self._read(name) for name in pair_names(identity)]
        return pair_of(halves[0], halves[1], f"the store, for {identity},")

    def _check_updates(self, changed: Sequence[str]) -> None:
        """See, by its help alone, that the CLI can update a value."""
        said = self._run("update", "--help", writes=False)
        if _UPDATE_TAKES_A_NAME.search(said.output + said.errors):
            return
        version = self._version()
        lines = "\n".join(f"  {_TAKE_OUT.format(name=name)}" for name in changed)
        raise CannotDeliverError(
            f"`{PROGRAM}` {version} cannot change a value: its `update` replaces the program itself, and was not "
            f"called. Install a newer one, or take out what has changed and deliver again at once:\n{lines}"
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
        """What the store holds now, read from it; a pair that is half new is put back first."""
        written: list[str] = []
        try:
            done = {entry.name for entry in entries if self._read(entry.name) == entry.value}
            for entry, other in _mixed(entries, done):
                back = self._run("update", entry.name, text=entry.before or "", writes=True)
                if _succeeded(back) and self._read(entry.name) == entry.before:
                    done.discard(entry.name)
                else:
                    reason += f"\n  {entry.name} is new and {other.name} is old: together they open nothing"
            written = [entry.name for entry in entries if entry.name in done]
        except (OutsideError, CannotDeliverError) as error:
            reason += f"\n  and the store could not be read afterwards ({error}), so each name below may hold either"
        unwritten = [entry.name for entry in entries if entry.name not in written]
        return UnfinishedDeliveryError(reason, written, unwritten)

    def _read(self, name: str) -> str | None:
        """What a name holds; None where the store has none of that name."""
        said = self._run("lease", name, "--ttl", TTL, writes=False)
        # What a lease printed is shown nowhere: where it is no error, it is a secret.
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
        """End the lease of reading, where its id is known; where not, it ends by itself within the minute."""
        data = _answer(said).get("data")
        lease_id = data.get("lease_id") if isinstance(data, dict) else None
        if isinstance(lease_id, str) and _LEASE_ID.fullmatch(lease_id):
            self._run("revoke", lease_id, writes=False)

    def _reason(self, said: Said) -> str:
        """What a command other than a lease gave as its reason to fail: in its JSON, or as text."""
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
    """The store's names of an identity's access key id and secret access key.

    >>> pair_names("session-archiver")[0]
    'objectstore_session_archiver_access_key_id'
    """
    prefix = f"objectstore_{identity.replace('-', '_')}"
    return f"{prefix}_access_key_id", f"{prefix}{SECRET}"


def _wanted(given: Sequence[Handover]) -> list[tuple[str, str]]:
    """Every name and its value, the pairs first: what all identities share is one name."""
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
    """New halves of pairs whose other half is still old, with that half; both had a value before."""
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
    """An exit status of 0, and no JSON that says otherwise."""
    return said.status == 0 and _answer(said).get("success") is not False


def _answer(said: Said) -> dict[str, object]:
    """The JSON object that a command printed; an empty one where it printed something else."""
    try:
        answer = json.loads(said.output)
    except json.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}
