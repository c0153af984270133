"""`rotate`, `retire` and `revoke`: an identity's key gets its next generation and loses the previous one.

Each command edits the stack's config, prints the changed lines, and runs `pulumi up`. The config alone decides, so an
update in CI has the same effect. If a command is killed at any point, the same command continues: it first creates what
the config wants and the state lacks.

The rule: an identity has a working key at every moment, because the config always has a current key and the engine
creates before it deletes. Nothing else may change together with a key: an update that would change more is refused
before the config is edited.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from infra.moves import KEYS_PER_USER
from infra.room_for_keys import UserKey, without_room
from model.deployment import KeyPair
from model.generations import Generations
from model.plan import IdentityPlan
from ops.keys.config_lines import write_generations
from ops.keys.live_keys import LiveKeys, live_keys
from ops.keys.probe import works
from ops.keys.settled import Say, Stack, look, settle, update
from ops.preview.change import Aspect
from ops.preview.engine import engine_preview
from ops.preview.steps import read_preview
from stack.outputs import Published, read_published

# The time until a deleted key is refused everywhere: AWS says that changes may take some time, usually seconds.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html
REFUSED_WITHIN_SECONDS = 60.0
PAUSE_SECONDS = 1.0


class RotationError(Exception):
    """The command stopped; the message gives the reason and what to do."""


@dataclass(frozen=True)
class Options:
    """The options of a command.

    Attributes:
        say: Prints what is done.
        agreed: Shows what will happen and asks whether to continue.
        config_only: Only edit the config; run no update.
        unused_hours: `retire`: how long the old key must have been unused, if the server records it.
    """

    say: Say
    agreed: Callable[[str], bool]
    config_only: bool = False
    unused_hours: float = 1.0


class DeclinedError(Exception):
    """The answer was no; nothing was changed."""


def rotate(stack: str, name: str, options: Options) -> None:
    """Create an identity's next key; the current key stays valid.

    Args:
        stack: The stack's name.
        name: The identity's name.
        options: The options.

    Raises:
        RotationError: Two keys exist already, on AWS also keys of other origin, or another change is pending.
        DeclinedError: The answer was no.
        EngineError: pulumi failed; the same command continues from there.
        InvalidInputError: The config is invalid, or the identity does not exist.
        KeysError: The user's keys cannot be read from the server.
    """
    found = settle(stack, options.say)
    identity = _with_key(found, name)
    before = identity.credential
    if _is_begun(found, identity):
        _finish(found, identity, options)
        return
    if before.previous is not None:
        raise RotationError(
            f"{name} already has two keys, generations {before.previous} and {before.current}, and cannot have a "
            f"third: first deliver generation {before.current}, then run: "
            f"object-store keys retire {name} --stack {stack}"
        )
    _check_current_is_there(found, identity)
    _check_room(found, identity)
    after = before.next
    _check_nothing_else(stack, name)
    _agree(options, f"{name} gets generation {after.current} of its key; generation {before.current} still works")
    _write(stack, name, before, after, options)
    if not options.config_only:
        _bring_about(stack, name, options)
        options.say(
            f"{name}: two keys are valid, generation {after.current} is current. Next: object-store keys deliver "
            f"--stack {stack} --identity {name} --to TARGET, and once generation {before.current} is unused: "
            f"object-store keys retire {name} --stack {stack}"
        )


def retire(stack: str, name: str, options: Options) -> None:
    """Remove an identity's previous key, once the current one is proven to work and the previous one is unused.

    Raises:
        As `rotate`; and RotationError if the current key does not work, or the previous one was used recently.
    """
    found = settle(stack, options.say)
    identity = _with_key(found, name)
    before = identity.credential
    if _is_begun(found, identity):
        _finish(found, identity, options)
        if before.previous is not None:
            raise RotationError(
                f"generation {before.current} of {name}'s key was only created now and is not delivered yet: deliver "
                "it, then retire the previous one"
            )
        return
    if before.previous is None:
        options.say(f"{name}: only generation {before.current} of its key exists; there is nothing to retire")
        return
    published = read_published(stack)
    _check_current_works(published, identity, options)
    _check_unused(found, identity, options)
    _check_nothing_else(stack, name)
    old = published.credentials[name].previous
    _agree(options, f"{name}: generation {before.previous} of its key stops working; generation {before.current} works")
    _write(stack, name, before, before.retired, options)
    if not options.config_only:
        _bring_about(stack, name, options)
        _check_refused(published, name, [old] if old else [], options)


def revoke(stack: str, name: str, options: Options) -> None:
    """Replace an identity's key at once: all its present keys stop working.

    Raises:
        As `rotate`.
    """
    found = settle(stack, options.say)
    identity = _with_key(found, name)
    standing = found.of(name)
    before, after = identity.credential, identity.credential.revoked
    handed_out = found.published.get(name)
    if before.previous is None and standing and handed_out is not None and handed_out.current < before.current:
        _finish(
            found, identity, options
        )  # an unfinished revocation: the config has it, but the new key is not published
        return
    if len(standing) < KEYS_PER_USER:
        _check_room(found, identity)
    _check_nothing_else(stack, name, begun=_is_begun(found, identity))
    keys = ", ".join(f"{key.access_key_id} (generation {key.generation})" for key in standing.values()) or "none"
    grants = ", ".join(f"{grant.domain} ({grant.access})" for grant in identity.grants) or ".verify/ of every bucket"
    _agree(
        options,
        f"{name}: all its keys stop working at once: {keys}. The server refuses every program that uses user "
        f"{identity.user_name} (grants on {grants}) until it has the new key: object-store keys deliver "
        f"--stack {stack} --identity {name} --to TARGET",
    )
    published = read_published(stack)
    old = _pairs(published, name)
    if found.settings.cloud == "aws" and len(standing) >= KEYS_PER_USER:
        # The new key is created before the old ones are deleted, and AWS allows no third key.
        if before.previous is not None:
            _write(stack, name, before, before.retired, options)
        if options.config_only:
            raise RotationError(
                f"AWS allows a user two keys at most: run pulumi up --stack {stack} now, then revoke {name} again"
            )
        _bring_about(stack, name, options)
        before = before.retired
    _write(stack, name, before, after, options)
    if not options.config_only:
        _bring_about(stack, name, options)
        _check_refused(published, name, old, options)
        options.say(
            f"{name}: only generation {after.current} is valid. The server refuses the old keys. Next: "
            f"object-store keys deliver --stack {stack} --identity {name} --to TARGET"
        )


def _with_key(stack: Stack, name: str) -> IdentityPlan:
    identity = stack.identity(name)
    if identity.trust is not None:
        raise RotationError(f"{name} has a role and no key: a holder of a token of {identity.trust.issuer} assumes it")
    return identity


def _is_begun(stack: Stack, identity: IdentityPlan) -> bool:
    """Whether the keys in the config differ from those in the state or from the published ones."""
    standing = stack.of(identity.name)
    if not stack.keys:
        raise RotationError(f"stack {stack.name} has no keys; first run: pulumi up --stack {stack.name}")
    wanted = identity.credential
    return set(standing) != set(wanted.live) or stack.published.get(identity.name) != wanted


def _finish(stack: Stack, identity: IdentityPlan, options: Options) -> None:
    live = " and ".join(map(str, sorted(identity.credential.live)))
    begun = f"{identity.name}: the config already has generation {live}; completing the unfinished change"
    if options.config_only:
        options.say(f"{begun} needs: pulumi up --stack {stack.name}")
        return
    published, handed_out = read_published(stack.name), stack.published.get(identity.name)
    if handed_out is not None and handed_out.current == identity.credential.current:
        _check_current_works(published, identity, options)  # before another key is deleted
    _check_nothing_else(stack.name, identity.name, begun=True)
    _agree(options, begun)
    kept = {key.access_key_id for key in _bring_about(stack.name, identity.name, options).of(identity.name).values()}
    removed = [pair for pair in _pairs(published, identity.name) if pair.access_key_id not in kept]
    _check_refused(published, identity.name, removed, options)


def _check_current_is_there(stack: Stack, identity: IdentityPlan) -> None:
    held = {key.access_key_id for key in stack.of(identity.name).values()}
    with live_keys(stack.settings) as keys:
        live = keys.of(identity.user_name)
    if not held <= set(live):
        raise RotationError(
            f"{identity.name}'s key {', '.join(sorted(held - set(live)))} is not on the server, so no key would work "
            f"meanwhile; what to do: object-store keys status --stack {stack.name}"
        )


def _check_room(stack: Stack, identity: IdentityPlan) -> None:
    """Check that AWS allows one more key; keys that were made by hand count, too."""
    user, held = identity.user_name, {key.access_key_id for key in stack.of(identity.name).values()}
    if stack.settings.cloud != "aws":
        return
    with live_keys(stack.settings) as keys:
        live = [_user_key(keys, user, key) for key in keys.of(user)]
    for problem in without_room(stack.plan, {user: 1}, {user: live}, held, stack.name):
        raise RotationError(str(problem))


def _user_key(keys: LiveKeys, user: str, key: str) -> UserKey:
    age, use = keys.age(user, key), keys.last_use(key)
    made_at = datetime.now(UTC) - age if age is not None else None
    return UserKey(key, made_at, use.at if use else None, use_is_known=use is not None)


def _check_nothing_else(stack: str, name: str, *, begun: bool = False) -> None:
    """Stop if the update would change more than this identity's keys."""
    preview, _ = engine_preview(stack, refresh=False)
    read = read_preview(preview)
    if read.errors:
        raise RotationError("the update would fail, so the config is unchanged:\n" + "\n".join(read.errors))
    others = [item for item in read.touched if not (begun and item.subject == name and item.aspect is Aspect.KEY)]
    if others:
        what = ", ".join(f"{item.subject} {item.aspect} ({item.operation})" for item in others[:5])
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""  # noqa: PLR2004 - the number that is shown
        raise RotationError(
            f"the update would change more than {name}'s keys: {what}{more}. Check these changes and apply them first: "
            f"object-store preview --stack {stack} && pulumi up --stack {stack}"
        )


def _agree(options: Options, what: str) -> None:
    if not options.agreed(what):
        raise DeclinedError


def _write(stack: str, name: str, before: Generations, after: Generations, options: Options) -> None:
    written = write_generations(stack, name, before, after)
    options.say("changed in the config:\n" + "\n".join(f"  {line}" for line in written.lines))
    if options.config_only:
        options.say(f"Next, here or in CI: pulumi up --stack {stack}")


def _pairs(published: Published, name: str) -> list[KeyPair]:
    """The current pair and the previous one, as far as they exist."""
    pair = published.credentials.get(name)
    return [one for one in (pair, pair.previous if pair else None) if one is not None]


def _bring_about(stack: str, name: str, options: Options) -> Stack:
    """Update, and check that the state has what the config wants and that the current key works."""
    options.say("pulumi up")
    update(stack, options.say)
    after = look(stack)
    identity = after.identity(name)
    if _is_begun(after, identity):
        raise RotationError(f"the update ended, but {name}'s keys differ from the config; see: pulumi preview")
    _check_current_works(read_published(stack), identity, options)
    return after


def _check_current_works(published: Published, identity: IdentityPlan, options: Options) -> None:
    pair = published.credentials.get(identity.name)
    if pair is None:
        raise RotationError(f"the stack publishes no key of {identity.name}; first run: pulumi up")
    why_not = works(published.deployment, identity.name, pair)
    if why_not is not None:
        raise RotationError(
            f"generation {identity.credential.current} of {identity.name}'s key does not work: {why_not}"
        )
    options.say(f"generation {identity.credential.current} of {identity.name}'s key works")


def _check_unused(stack: Stack, identity: IdentityPlan, options: Options) -> None:
    previous = identity.credential.previous
    old = stack.of(identity.name)[previous] if previous else None
    if old is None:
        return
    with live_keys(stack.settings) as keys:
        use = keys.last_use(old.access_key_id)
    if use is None:
        options.say(
            f"cannot tell whether generation {previous} is still used: this server does not record the last use of keys"
        )
        return
    since = timedelta(hours=options.unused_hours)
    if use.at is not None and datetime.now(UTC) - use.at < since:
        raise RotationError(
            f"generation {previous} of {identity.name}'s key ({old.access_key_id}) was used at "
            f"{use.at:%Y-%m-%d %H:%M} UTC ({use.of}), so it is still in use. Deliver generation "
            f"{identity.credential.current} and wait until the old one has been unused for {options.unused_hours:g} h, "
            "or set a shorter time: --unused-for HOURS"
        )
    last = "never" if use.at is None else f"last at {use.at:%Y-%m-%d %H:%M} UTC"
    options.say(f"generation {previous} was used {last}")


def _check_refused(published: Published, name: str, old: list[KeyPair], options: Options) -> None:
    """Check that the server refuses the removed keys."""
    for pair in old:
        attempts = Retrying(
            retry=retry_if_result(lambda why: why is None),
            stop=stop_after_delay(REFUSED_WITHIN_SECONDS),
            wait=wait_fixed(PAUSE_SECONDS),
        )
        try:
            attempts(works, published.deployment, name, pair, patience_seconds=0)
        except RetryError:
            raise RotationError(
                f"key {pair.access_key_id} was removed but still works after {REFUSED_WITHIN_SECONDS:g} s; see: "
                f"object-store keys status --stack {published.deployment.stack}"
            ) from None
        options.say(f"the server refuses key {pair.access_key_id}")
