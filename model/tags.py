"""Tags on the resources of a stack: this project's own, and what S3 and IAM refuse of a stack's.

The rule: S3 and IAM get the same tags, so the stricter of the two decides: IAM takes two keys that differ only in case
for one. https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
"""

import unicodedata
from collections.abc import Mapping

from model.bucket_names import PROJECT
from model.problems import Problem

TAGS_MAXIMUM = 50
KEY_CHARACTERS = 128
VALUE_CHARACTERS = 256
RESERVED_PREFIX = "aws:"
_SIGNS = "_.:/=+-@"
_FORM = f"letters, digits, spaces and {' '.join(_SIGNS)}"


def own_tags(env: str, stack: str) -> dict[str, str]:
    """The tags that every resource has."""
    return {"project": PROJECT, "managed-by": "pulumi", "env": env, "stack": stack}


def tag_problems(tags: Mapping[str, str], own: Mapping[str, str], where: str) -> list[Problem]:
    """What S3 or IAM would refuse of a stack's own tags.

    Args:
        tags: The stack's tags.
        own: The tags that every resource has beside them.
        where: The place of the tags in problems.
    """
    problems = [
        problem
        for key, value in tags.items()
        for problem in (_key_problem(key, where), _value_problem(key, value, where))
    ]
    seen: dict[str, str] = {}
    for key in tags:
        twin = seen.setdefault(key.lower(), key)
        if key.lower() in own:
            problems.append(
                Problem(
                    f"{where}.{key}", "the program sets this tag itself", f"not {', '.join(own)}", "(remove the line)"
                )
            )
        elif twin != key:
            problems.append(
                Problem(
                    f"{where}.{key}",
                    f"differs from {twin!r} only in case, and IAM takes the two for one",
                    "keys that differ in more than case",
                    "(remove one of the two)",
                )
            )
    most = TAGS_MAXIMUM - len(own)
    if len(tags) > most:
        problems.append(
            Problem(
                where, f"holds {len(tags)} tags", f"at most {most}, beside the program's {len(own)}", "(fewer tags)"
            )
        )
    return [problem for problem in problems if problem is not None]


def _key_problem(key: str, where: str) -> Problem | None:
    place, write = f"{where}.{key}", f"{where}.team: platform"
    if key.lower().startswith(RESERVED_PREFIX):
        return Problem(place, f"AWS reserves the prefix {RESERVED_PREFIX}", "a key with another prefix", write)
    if not 0 < len(key) <= KEY_CHARACTERS:
        return Problem(place, f"the key has {len(key)} characters", f"1 to {KEY_CHARACTERS}", write)
    if not _is_legal(key):
        return Problem(place, f"the key {key!r} has illegal characters", _FORM, write)
    return None


def _value_problem(key: str, value: str, where: str) -> Problem | None:
    place, write = f"{where}.{key}", f"{where}.{key}: platform"
    if len(value) > VALUE_CHARACTERS:
        return Problem(place, f"the value has {len(value)} characters", f"at most {VALUE_CHARACTERS}", write)
    if not _is_legal(value):
        return Problem(place, f"the value {value!r} has illegal characters", _FORM, write)
    return None


def _is_legal(text: str) -> bool:
    # As IAM's pattern [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]: letters, separators and numbers of every script.
    return all(character in _SIGNS or unicodedata.category(character)[0] in "LZN" for character in text)
