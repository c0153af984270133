"""Translates pydantic's errors about a taxonomy into place, legal values and the line to paste.

The rule: pydantic decides what is a mistake (`model.taxonomy` has the limits). This module only words the messages.
"""

from collections.abc import Mapping

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from model.problems import Problem, key_path, nearest
from model.taxonomy import (
    COLD_RETENTION_DAYS_MINIMUM,
    EVERY_DOMAIN,
    HOT_EXPIRE_DAYS,
    LIFECYCLE_DAYS_MAXIMUM,
    RETENTION_DAYS_MAXIMUM,
    WARM_EXPIRE_DAYS,
    Access,
    BandName,
    Bands,
    ColdBand,
    ColdDomain,
    HotBand,
    HotDomain,
    Identity,
    RetentionMode,
    Taxonomy,
    WarmBand,
    WarmDomain,
)
from model.trust import EXAMPLE, OidcTrust, Trust

NAME_FORM = "lower case letters, digits and single hyphens, starting with a letter (media-raw)"
#: What pydantic appends to the place of an error in a key.
_KEY_ITSELF = "[key]"
_LEGAL_BY_KEY: dict[str, str] = {
    "band": ", ".join(BandName),
    "grants": ", ".join(Access),
    "retention_mode": ", ".join(RetentionMode),
}
_LEGAL_DAYS: dict[tuple[str, str], str] = {
    ("hot", "expire_after_days"): "{} to {} d".format(*HOT_EXPIRE_DAYS),
    ("warm", "expire_after_days"): "{} to {} d".format(*WARM_EXPIRE_DAYS),
    ("cold", "expire_after_days"): (
        f"at least {COLD_RETENTION_DAYS_MINIMUM} d, or no expire_after_days to keep objects for ever; at most "
        f"{LIFECYCLE_DAYS_MAXIMUM} d"
    ),
    ("cold", "retention_days"): f"{COLD_RETENTION_DAYS_MINIMUM} to {RETENTION_DAYS_MAXIMUM} d",
}
_MODEL_BY_BAND: dict[int | str, tuple[type[BaseModel], type[BaseModel]]] = {
    "hot": (HotBand, HotDomain),
    "warm": (WarmBand, WarmDomain),
    "cold": (ColdBand, ColdDomain),
}
_OUT_OF_LIMITS = frozenset({"greater_than_equal", "less_than_equal"})
_BAND_UNKNOWN = frozenset({"union_tag_invalid", "union_tag_not_found"})
_DOMAIN_DEPTH = 4  # domains, its name, its band (pydantic names it), the key


def _legal_keys(path: tuple[int | str, ...]) -> str:
    """The keys that are legal where an unknown key was found."""
    if len(path) == 1:
        return ", ".join(Taxonomy.model_fields)
    if path[0] == "bands":
        model = _MODEL_BY_BAND[path[1]][0] if len(path) > 2 else Bands  # noqa: PLR2004 - depth of a band's key
    elif path[0] == "domains":
        model = _MODEL_BY_BAND[path[2]][1]
    elif "trust" in path[2:-1]:
        model = OidcTrust if path[-2] == "oidc" else Trust
    else:
        model = Identity
    return ", ".join(model.model_fields)


def key_in_file(path: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The place of an error in the file; pydantic adds the band after a domain's name, the file has no such key."""
    if path[-1:] == (_KEY_ITSELF,):
        return path[:-1]
    return (*path[:2], *path[3:]) if path[:1] == ("domains",) else path


def is_out_of_limits(detail: ErrorDetails) -> bool:
    """Whether a domain's days are outside its band's limits."""
    path = detail["loc"]
    return detail["type"] in _OUT_OF_LIMITS and path[0] == "domains" and len(path) == _DOMAIN_DEPTH


def mistake(detail: ErrorDetails, where: str) -> Problem:
    """Describe one of pydantic's errors (https://docs.pydantic.dev/latest/errors/validation_errors/)."""
    in_file = key_in_file(detail["loc"])
    if detail["type"] in _BAND_UNKNOWN:
        in_file = (*in_file, "band")
    return Problem(key_path(where, ".".join(map(str, in_file))), *_said(detail, str(in_file[-1])))


def _said(detail: ErrorDetails, key: str) -> tuple[str, str, str]:
    """What is wrong, what is legal, and the line to paste."""
    path, kind, value = detail["loc"], detail["type"], detail["input"]
    if path[-1] == _KEY_ITSELF:  # YAML reads `1`, `true` and `null` as other values
        return f"the name {value!r} is not a text", NAME_FORM, "media-raw:"
    if kind == "extra_forbidden":
        return _unknown_key(path, key)
    if "trust" in path[2:]:
        return _trust_said(detail)
    if is_out_of_limits(detail):
        return _limit_said(detail, key)
    match kind:
        case "missing" | "union_tag_not_found":
            said = "is missing", _LEGAL_BY_KEY.get(key, "a value"), f"{key}: …"
        case "union_tag_invalid":
            said = f"{value[key]!r} is not allowed here", _LEGAL_BY_KEY[key], f"{key}: {BandName.HOT}"
        case "enum":
            legal = str(detail["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
            # YAML takes a bare `*` for an alias.
            written = f'"{key}"' if key == EVERY_DOMAIN else key
            said = f"{value!r} is not allowed here", legal, f"{written}: {legal.split(', ')[0]}"
        case _:
            message = detail["msg"].removeprefix("Value error, ")
            shown = "the entry" if isinstance(value, Mapping) else repr(value)
            said = f"{shown} is not allowed here", message[0].lower() + message[1:], f"{key}: (a legal value)"
    return said


def _unknown_key(path: tuple[int | str, ...], key: str) -> tuple[str, str, str]:
    if path[0] == "domains" and key in ColdDomain.model_fields:
        return f"the {path[2]} band has no object lock", "only in the cold band", "(remove the line)"
    legal = _legal_keys(path)
    return f"unknown key {key!r}", legal, f"{nearest(key, tuple(legal.split(', ')))}: …"


def _limit_said(detail: ErrorDetails, key: str) -> tuple[str, str, str]:
    band, limits = str(detail["loc"][2]), detail["ctx"]
    # For a retention that is too long the message suggests the shortest, because a retention cannot be undone.
    days = COLD_RETENTION_DAYS_MINIMUM if band == BandName.COLD else limits.get("ge", limits.get("le"))
    return f"{detail['input']} d is outside the limits of the {band} band", _LEGAL_DAYS[band, key], f"{key}: {days}"


def _trust_said(detail: ErrorDetails) -> tuple[str, str, str]:
    if detail["type"] == "missing":
        return "is missing", "a value", EXAMPLE
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return "this trust is not valid", message, EXAMPLE
