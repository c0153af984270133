"""The generated files match the code, and the links of all pages have a target."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from docs.generate import generated
from docs.site_links import with_repository_links

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "object_store/README.md")),
    *sorted(DOCS.rglob("*.md")),
]
README_LINES = 200
CODE = re.compile(r"(?ms)^```.*?^```$")
LINK = re.compile(r"\]\((?!https?://)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")


def test_generated_files_are_current() -> None:
    """`make docs` would change nothing."""
    for path, text in generated().items():
        assert path.read_text(encoding="utf-8") == text, f"run `make docs`: {path.name}"


def test_readme_is_short() -> None:
    """The README has a limited length; the rest is in docs."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link has its file, and each anchor its heading, as GitHub names it."""
    for link in LINK.finditer(CODE.sub("", page.read_text(encoding="utf-8"))):
        target = (page.parent / link["path"]).resolve() if link["path"] else page
        assert target.exists(), link[0]
        if link["anchor"]:
            assert link["anchor"] in anchors(target), link[0]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", CODE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_site() -> None:
    """mkdocs.yml names each page once."""
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]

    assert sorted(listed(nav)) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def listed(nav: object) -> Iterator[str]:
    """The pages of a navigation, at any depth."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, list | dict):
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from listed(entry)


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("index.md", "[a](../README.md)", "[a](https://host/repo/blob/main/README.md)"),
        ("index.md", "[a](../README.md#run-it)", "[a](https://host/repo/blob/main/README.md#run-it)"),
        ("adr/README.md", "[a](../../Makefile)", "[a](https://host/repo/blob/main/Makefile)"),
        ("adr/README.md", "[a](../keys.md)", "[a](../keys.md)"),
        ("index.md", "[a](keys.md)", "[a](keys.md)"),
    ],
)
def test_links_out_of_docs_lead_to_the_repository(page: str, link: str, expected: str) -> None:
    """On the site, only a link to a target that is not a page of the site becomes a URL."""
    assert with_repository_links(link, page, "https://host/repo") == expected


def test_dead_link_out_of_docs_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """A dead link is a warning, and the strict build fails on it."""
    with caplog.at_level(logging.WARNING, "mkdocs"):
        with_repository_links("[a](../no-such-file)", "index.md", "https://host/repo")

    assert [record.getMessage() for record in caplog.records] == [
        "index.md links to no-such-file, which the repository does not have"
    ]
