"""Errors of the server or of the connection, as answers.

The rule: every request becomes an answer, also after an error, and the answer holds no body and no secret. A fault of
this machine (a file, a folder, a full disk, too many open files, a setting that cannot be used) does not count as an
answer: it ends the run.
"""

import errno
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar
from xml.etree.ElementTree import ParseError

import urllib3
from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError

from verify.facts import DONE, Answer, Tried

if TYPE_CHECKING:
    from botocore.exceptions import _ClientErrorResponseTypeDef

T = TypeVar("T")
#: An answer that is not in the form of S3's.
UNEXPECTED = "UnexpectedAnswer"
_OF_THE_NETWORK = (
    ChecksumError,
    ConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ParseError,
    ResponseParserError,
    urllib3.exceptions.HTTPError,
    OSError,
)
#: Errors of the operating system that no server can cause.
_OF_THIS_MACHINE = frozenset(
    {
        errno.EDQUOT,
        errno.EISDIR,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOENT,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EROFS,
    }
)


class LocalFaultError(Exception):
    """This machine, and not the server, is the reason that a request was not sent."""


def answer(read: Callable[[], T]) -> Answer[T]:
    """Call once; an error of the server or of the connection becomes the answer.

    Raises:
        LocalFaultError: This machine is the reason that there is no answer.
    """
    try:
        return Answer(read())
    except ClientError as error:
        told = error.response.get("Error") or {}
        return Answer(code=told.get("Code") or UNEXPECTED, said=told.get("Message") or "")
    except _OF_THE_NETWORK as error:
        fault = local_fault(error)
        if fault is not None:
            raise LocalFaultError(str(fault)) from error
        return Answer(code=type(error).__name__, said="no usable answer")
    except BotoCoreError as error:
        raise LocalFaultError(f"{type(error).__name__}: {error}") from error
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        # botocore parses any XML, and HTML that is also XML: the fields of an answer are then missing.
        return Answer(code=UNEXPECTED, said=f"no usable answer ({type(error).__name__})")


def local_fault(error: BaseException) -> OSError | None:
    """The error of this machine that caused another error, which may look like one of the connection."""
    return next(
        (
            one
            for one in _causes(error, set())
            # The numbers of these two are not those of the operating system.
            if isinstance(one, OSError)
            and not isinstance(one, ssl.SSLError | socket.gaierror)
            and (one.errno in _OF_THIS_MACHINE or one.filename is not None)
        ),
        None,
    )


def _causes(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    """The error and all errors that it holds: botocore and urllib3 keep them in different places."""
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    held = (
        error.__cause__,
        error.__context__,
        getattr(error, "reason", None),
        getattr(error, "kwargs", {}).get("error"),
        *error.args,
    )
    for one in held:
        if isinstance(one, BaseException):
            yield from _causes(one, seen)


def done(act: Callable[[], object]) -> Callable[[], str]:
    """An attempt whose result is not needed."""

    def acted() -> str:
        act()
        return DONE

    return acted


def as_tried(found: Answer[bytes]) -> Tried:
    """The same answer without the body."""
    return Answer(DONE) if found.ok else Answer(code=found.code, said=found.said)


def error_of(response: urllib3.BaseHTTPResponse) -> "_ClientErrorResponseTypeDef":
    """Code and message of an error in S3's XML or the admin API's JSON, or the status code if there is neither."""
    text = response.data.decode("utf-8", "replace")
    code, message = (re.search(f'<{tag}>([^<]*)</{tag}>|"{tag}": ?"([^"]*)"', text) for tag in ("Code", "Message"))
    return {
        "Error": {
            "Code": (code and (code.group(1) or code.group(2))) or f"HTTP {response.status}",
            "Message": (message and (message.group(1) or message.group(2))) or "",
        }
    }
