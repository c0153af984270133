"""`rotate`, `retire` and `revoke`: how an identity's key gets its next generation and loses the one before.

Each edits the stack's config, says which lines, and runs `pulumi up`: the config is what does it, and an update in CI
comes to the same. Killed at any point, the same command goes on where it ended: what the config wants and the state
does not have is made first.

The rule: at every moment a key lives, because the config always has a current one and the engine makes before it
deletes. Nothing else may change with a key: an update that would touch more is refused before the config is edited.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from infra.moves import KEYS_PER_USER
from model.deployment import KeyPair
from model.generations import Generations
from model.plan import IdentityPlan
from ops.keys.config_lines import write_generations
from ops.keys.live_keys import live_keys
from ops.keys.probe import works
from ops.keys.settled import Say, Stack, look, settle, update
from ops.preview.change import Aspect
from ops.preview.engine import engine_preview
from ops.preview.steps import read_preview
from stack.outputs import Published, read_published

# Until a deleted key is refused everywhere: AWS says that changes may take some time, usually seconds.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html
REFUSED_WITHIN_SECONDS = 60.0
PAUSE_SECONDS = 1.0


class RotationError(Exception):
    """It is not done, for a reason that the message gives with what to do; what was done before is said."""


@dataclass(frozen=True)
class Options:
    """How a command is to go.

    Attributes:
        say: Says what is done.
        agreed: Asks whether to go on, given what will happen.
        config_only: Edit the config and leave the update to somebody else.
        unused_hours: `retire`: for how long the old key must not have been used, where the server tells.
    """

    say: Say
    agreed: Callable[[str], bool]
    config_only: bool = False
    unused_hours: float = 1.0


class DeclinedError(Exception):
    """The answer was no; nothing was changed."""


def rotate(stack: str, name: str, options: Options) -> None:
    """Give an identity its next key beside the one that it has.

    Args:
        stack: The stack's name.
        name: The identity's.
        options: How.

    Raises:
        RotationError: Two keys live already, or another change is pending.
        DeclinedError: The answer was no.
        EngineError: pulumi failed; the same command goes on from there.
        InvalidInputError: The config is bad, or there is no such identity.
        KeysError: The server does not tell of the user's keys.
    """
    found = settle(stack, options.say)
    identity = _with_key(found, name)
    before = identity.credential
    if _is_begun(found, identity):
        _finish(found, identity, options)
        return
    if before.previous is not None:
        raise RotationError(
            f"generations {before.previous} and {before.current} of {name}'s key live already, and a third is not "
            f"made: first deliver generation {before.current}, then: "
            f"object-store keys retire {name} --stack {stack}"
        )
    _check_room(found, identity)
    after = before.next
    _check_nothing_else(stack, name)
    _agree(options, f"{name} gets generation {after.current} of its key; generation {before.current} goes on working")
    _write(stack, name, before, after, options)
    if not options.config_only:
        _bring_about(stack, name, options)
        options.say(
            f"{name}: two keys live, generation {after.current} is current. Next: object-store keys deliver "
            f"--stack {stack} --identity {name} --to TARGET, and once nobody uses generation {before.current}: "
            f"object-store keys retire {name} --stack {stack}"
        )


def retire(stack: str, name: str, options: Options) -> None:
    """Remove an identity's previous key, once the current one is proven to work and the previous one is unused.

    Raises:
        As `rotate`; and RotationError where the current key does not work, or the previous one was used lately.
    """
    found = settle(stack, options.say)
    identity = _with_key(found, name)
    before = identity.credential
    if _is_begun(found, identity):
        _finish(found, identity, options)
        if before.previous is not None:
            raise RotationError(
                f"generation {before.current} of {name}'s key was made only now, and nobody can have it yet: deliver "
                "it, then retire the one before"
            )
        return
    if before.previous is None:
        options.say(f"{name}: only generation {before.current} of its key lives; there is nothing to retire")
        return
    published = read_published(stack)
    _check_current_works(published, identity, options)
    _check_unused(found, identity, options)
    _check_nothing_else(stack, name)
    old = published.credentials[name].previous
    _agree(
        options, f"{name}: generation {before.previous} of its key stops working; generation {before.current} was tried"
    )
    _write(stack, name, before, before.retired, options)
    if not options.config_only:
        _bring_about(stack, name, options)
        _check_refused(published, name, [old] if old else [], options)


def revoke(stack: str, name: str, options: Options) -> None:
    """Replace an identity's key at once: every key that it has stops working.

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
        )  # a revocation that was begun: the config has it, and nobody was told of the key
        return
    _check_nothing_else(stack, name, begun=_is_begun(found, identity))
    keys = ", ".join(f"{key.access_key_id} (generation {key.generation})" for key in standing.values()) or "none"
    grants = ", ".join(f"{grant.domain} ({grant.access})" for grant in identity.grants) or "every bucket's .verify/"
    _agree(
        options,
        f"{name}: every key that it has stops working at once: {keys}. Whatever uses user {identity.user_name}, with "
        f"grants on {grants}, is refused until it has the new key: object-store keys deliver --stack {stack} "
        f"--identity {name} --to TARGET",
    )
    published = read_published(stack)
    old = _pairs(published, name)
    if found.settings.cloud == "aws" and len(standing) >= KEYS_PER_USER:
        # The new one is made before the old ones go, and AWS has no room for a third.
        if before.previous is not None:
            _write(stack, name, before, before.retired, options)
        if options.config_only:
            raise RotationError(
                f"AWS gives a user two keys at most: run pulumi up --stack {stack} now, then revoke {name} again"
            )
        _bring_about(stack, name, options)
        before = before.retired
    _write(stack, name, before, after, options)
    if not options.config_only:
        _bring_about(stack, name, options)
        _check_refused(published, name, old, options)
        options.say(
            f"{name}: generation {after.current} alone lives. Whatever used the old key is refused until: "
            f"object-store keys deliver --stack {stack} --identity {name} --to TARGET"
        )


def _with_key(stack: Stack, name: str) -> IdentityPlan:
    identity = stack.identity(name)
    if identity.trust is not None:
        raise RotationError(f"{name} has a role and no key: whoever has a token of {identity.trust.issuer} assumes it")
    return identity


def _is_begun(stack: Stack, identity: IdentityPlan) -> bool:
    """Whether the config wants other keys than the state holds or the stack has published."""
    standing = stack.of(identity.name)
    if not stack.keys:
        raise RotationError(f"stack {stack.name} has no keys; first: pulumi up --stack {stack.name}")
    wanted = identity.credential
    return set(standing) != set(wanted.live) or stack.published.get(identity.name) != wanted


def _finish(stack: Stack, identity: IdentityPlan, options: Options) -> None:
    live = " and ".join(map(str, sorted(identity.credential.live)))
    begun = f"{identity.name}: the config has generation {live} already; finishing what was begun"
    if options.config_only:
        options.say(f"{begun} is left to: pulumi up --stack {stack.name}")
        return
    published, handed_out = read_published(stack.name), stack.published.get(identity.name)
    if handed_out is not None and handed_out.current == identity.credential.current:
        _check_current_works(published, identity, options)  # before another one goes
    _check_nothing_else(stack.name, identity.name, begun=True)
    _agree(options, begun)
    kept = {key.access_key_id for key in _bring_about(stack.name, identity.name, options).of(identity.name).values()}
    removed = [pair for pair in _pairs(published, identity.name) if pair.access_key_id not in kept]
    _check_refused(published, identity.name, removed, options)


def _check_room(stack: Stack, identity: IdentityPlan) -> None:
    """The key to go on beside must live; on AWS a user has two at most, those included that somebody made by hand."""
    held = {key.access_key_id for key in stack.of(identity.name).values()}
    with live_keys(stack.settings) as keys:
        live = keys.of(identity.user_name)
    if not held <= set(live):
        raise RotationError(
            f"{identity.name}'s key {', '.join(sorted(held - set(live)))} is not on the server, so nothing would go on "
            f"working; what to do: object-store keys status --stack {stack.name}"
        )
    if stack.settings.cloud == "aws" and len(live) >= KEYS_PER_USER:
        unknown = [key for key in live if key not in held]
        raise RotationError(
            f"user {identity.user_name} has {len(live)} access keys, and AWS allows no third; not this stack's: "
            f"{', '.join(unknown)}. Once nobody uses it: aws iam delete-access-key --user-name {identity.user_name} "
            f"--access-key-id {unknown[0] if unknown else 'ID'}"
        )


def _check_nothing_else(stack: str, name: str, *, begun: bool = False) -> None:
    """Refuse where the update would change more than this identity's keys."""
    preview, _ = engine_preview(stack, refresh=False)
    read = read_preview(preview)
    if read.errors:
        raise RotationError("the update would fail, so the config was not edited:\n" + "\n".join(read.errors))
    others = [item for item in read.touched if not (begun and item.subject == name and item.aspect is Aspect.KEY)]
    if others:
        what = ", ".join(f"{item.subject} {item.aspect} ({item.operation})" for item in others[:5])
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""  # noqa: PLR2004 - as many as are shown
        raise RotationError(
            f"the update would change more than {name}'s keys: {what}{more}. Look at it and do that first: "
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
    """The current pair and the one before, as far as there are any."""
    pair = published.credentials.get(name)
    return [one for one in (pair, pair.previous if pair else None) if one is not None]


def _bring_about(stack: str, name: str, options: Options) -> Stack:
    """Update, and see that the state has what the config wants and that the current key is let in."""
    options.say("pulumi up")
    update(stack, options.say)
    after = look(stack)
    identity = after.identity(name)
    if _is_begun(after, identity):
        raise RotationError(f"the update ended and {name}'s keys are not as the config has them; see: pulumi preview")
    _check_current_works(read_published(stack), identity, options)
    return after


def _check_current_works(published: Published, identity: IdentityPlan, options: Options) -> None:
    pair = published.credentials.get(identity.name)
    if pair is None:
        raise RotationError(f"the stack publishes no key of {identity.name}; first: pulumi up")
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
            f"whether generation {previous} is still used cannot be told: this server keeps no last use of a key"
        )
        return
    since = timedelta(hours=options.unused_hours)
    if use.at is not None and datetime.now(UTC) - use.at < since:
        raise RotationError(
            f"generation {previous} of {identity.name}'s key ({old.access_key_id}) was used at "
            f"{use.at:%Y-%m-%d %H:%M} UTC ({use.of}): somebody still has it. Deliver generation "
            f"{identity.credential.current} and wait until nobody has used the old one for {options.unused_hours:g} h, "
            "or say how long is enough: --unused-for HOURS"
        )
    last = "never" if use.at is None else f"last at {use.at:%Y-%m-%d %H:%M} UTC"
    options.say(f"generation {previous} was used {last}")


def _check_refused(published: Published, name: str, old: list[KeyPair], options: Options) -> None:
    """See that keys that were removed are let in no more."""
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
                f"key {pair.access_key_id} was removed and still works after {REFUSED_WITHIN_SECONDS:g} s; see: "
                f"object-store keys status --stack {published.deployment.stack}"
            ) from None
        options.say(f"key {pair.access_key_id} is refused")
