"""Pages that stand in front of the page: challenges against robots, walls of log-in, and pages without any text.

The rule: a page that is short and bears the mark of a wall is one; a long text about walls is none. What is taken for a
wall is a failed capture whose bytes are kept, so that a person can see whether it was one.
"""

import re
from collections.abc import Mapping
from typing import Final

from workloads.discovery.address import Address
from workloads.discovery.text import Page

SHORT: Final = 2000
"""Characters of text; a page with more is not a wall."""
_LOGIN: Final = re.compile(
    r"(^|/)((wp-|service)?log[-_]?(in|on)|sign[-_]?in|sso|auth|oauth2?|authorize|authenticate|checkpoint|session/new)"
    r"(\.\w+)?(/|$)",
    re.IGNORECASE,
)
_LOGIN_HOST: Final = re.compile(r"(login|signin|accounts|auth|sso)\.")
_IN_HEADERS: Final = {
    "cf-mitigated": re.compile("challenge|block", re.IGNORECASE),
    "x-amzn-waf-action": re.compile("challenge|captcha", re.IGNORECASE),
    "x-datadome": re.compile("captcha|block|challenge", re.IGNORECASE),
}
_IN_TITLE: Final = re.compile(
    r"^(just a moment|attention required|checking your browser|one more step|please wait|access denied|robot check|"
    r"are you a (robot|human)|security (check|verification)|human verification|verify(ing)? you are human|"
    r"pardon our interruption|bot verification|ddos-guard|client challenge|vercel security checkpoint)\b",
    re.IGNORECASE,
)
_IN_BODY: Final = re.compile(
    rb"_cf_chl_opt|/_Incapsula_Resource\?|captcha-delivery\.com|px-captcha|awsWafCookieDomainList|AwsWafIntegration|"
    rb"/\.well-known/sgcaptcha|id=.challenge-form"
)


def wall_of(  # noqa: PLR0911 - one line for each kind
    first: Address, last: Address, headers: Mapping[str, str], head: bytes, page: Page | None
) -> str:
    """Why an answer of 200 is not the page that was asked for; empty if it is.

    Args:
        first: The address that was asked for.
        last: The address that answered.
        headers: The answer's headers, by name in small letters.
        head: The beginning of its content.
        page: What its text is like; None for another kind of content.
    """
    for name, pattern in _IN_HEADERS.items():
        if pattern.search(headers.get(name, "")):
            return f"a challenge against robots answered (header {name})"
    if (_LOGIN.search(last.path) and not _LOGIN.search(first.path)) or (
        _LOGIN_HOST.match(last.host) and last.host != first.host
    ):
        return "it leads to a log-in"
    if page is None:
        return ""
    if page.characters < SHORT:
        if _IN_TITLE.search(page.title):
            return "a challenge against robots answered (title)"
        if _IN_BODY.search(head):
            return "a challenge against robots answered (script)"
        if page.asks_for_password:
            return "a log-in answered: a short page with a field for a password"
    if not page.characters:
        return "the page has no text: scripts make it, and none is run"
    return ""
