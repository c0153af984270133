"""What botocore works out anew for each session and each client, worked out once in a process.

The rule: none of it depends on a session's settings. Without it a client takes six times as long as with it, and most
tests make a few.
"""

import inspect
from functools import cache
from typing import Any

from botocore import hooks, loaders, session


def use_quick_sdk() -> None:
    """Let this process read each description of a service, and learn each name of an event, only once."""
    aliaser = hooks.EventAliaser(hooks.HierarchicalEmitter())
    for owner, name, quick in (
        (loaders.JSONFileLoader, "load_file", _once(loaders.JSONFileLoader().load_file)),
        (session, "create_loader", cache(loaders.create_loader)),  # else each lists the folders of 400 services
        (hooks, "accepts_kwargs", _accepts_kwargs),
        (hooks.EventAliaser, "_alias_event_name", _once(aliaser._alias_event_name)),  # type: ignore[attr-defined]
    ):
        setattr(owner, name, quick)


def _once(bound: Any) -> Any:  # noqa: ANN401 - a method of any signature
    """A method that remembers its answers for all instances; they have no settings of their own."""
    remembered = cache(bound)
    return lambda _, asked: remembered(asked)


def _accepts_kwargs(handler: Any) -> bool:  # noqa: ANN401 - any callable
    """Whether it takes any keyword, as a signature says, which takes ten times as long."""
    code = getattr(handler, "__code__", None)
    return bool(code.co_flags & inspect.CO_VARKEYWORDS if code else inspect.getfullargspec(handler).varkw)
