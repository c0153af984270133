"""Errors of the server or of the connection, as answers.

The rule: every request becomes an answer, also after an error, and the answer holds no body and no secret.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from xml.etree.ElementTree import ParseError

import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from verify.facts import DONE, Answer, Tried

if TYPE_CHECKING:
    from botocore.exceptions import _ClientErrorResponseTypeDef

T = TypeVar("T")


def answer(read: Callable[[], T]) -> Answer[T]:
    """Call once; an error of the server or of the connection becomes the answer."""
    try:
        return Answer(read())
    except ClientError as error:
        return Answer(code=error.response["Error"]["Code"], said=error.response["Error"].get("Message", ""))
    except (BotoCoreError, ResponseParserError, ParseError, urllib3.exceptions.HTTPError, OSError) as error:
        return Answer(code=type(error).__name__, said="no usable answer")


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
