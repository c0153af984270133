"""Whether documents allow more than the planned ones, decided for all requests.

The rule: `more_allowed` returns None only as a proof; else it gives one request that is allowed and not planned. It
never ignores what it does not know. It needs no server and no solver (docs/adr/0020). Which documents govern a
principal is read by `verify.audit`.
"""

from model.allowed.decide import Access, Request, differences, more_allowed
from model.allowed.overview import Line, overview
from model.allowed.strangers import STRANGER, for_strangers, same_for_everybody
from model.allowed.words import example, sentence

__all__ = [
    "STRANGER",
    "Access",
    "Line",
    "Request",
    "differences",
    "example",
    "for_strangers",
    "more_allowed",
    "overview",
    "same_for_everybody",
    "sentence",
]
