"""What to do about an error of the engine that names a cause which we know.

The rule: the engine's own words stay; an advice comes after them. Words that are not known get none, because the line
that creates a stack, for one, misleads where the passphrase is wrong. Pure.

Source of the words: engine 3.274.1.
"""

import re

_IF_LOST = (
    "if it is lost, so are the secrets of the state, but nothing on the server: docs/operations.md, The passphrase is "
    "lost"
)
_ADVICE = (
    (r"no stack named '([^']+)'", r"`pulumi stack ls` lists the stacks, `pulumi stack init \1` creates this one"),
    (
        r"incorrect passphrase",
        f"the stack needs the passphrase that it was created with; {_IF_LOST}",
    ),
    (
        r"passphrase must be set",
        f"set PULUMI_CONFIG_PASSPHRASE_FILE to a file with the stack's passphrase; {_IF_LOST}",
    ),
    (
        r"message authentication failed",
        "a secret is encrypted with another passphrase or `encryptionsalt`: set again each config value with `secure:`",
    ),
    (
        r"stack is currently locked by",
        "if that process no longer runs, this removes its lock: object-store recover --stack STACK",
    ),
    (
        r"failed to load checkpoint: EOF",
        "if the engine that wrote the state was killed, this removes what it left: object-store recover --stack STACK",
    ),
    (
        r"failed to load checkpoint",
        "if the state's file is torn, a whole one lies beside it: docs/operations.md, The checkpoint cannot be loaded",
    ),
)


def with_advice(said: str) -> str:
    """The engine's words, and below them what to do."""
    for words, advice in _ADVICE:
        if found := re.search(words, said):
            return f"{said}\n{found.expand(advice)}"
    return said
