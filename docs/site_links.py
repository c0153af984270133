"""A hook of the docs site: it points a link out of `docs/` at that file in the repository.

On GitHub such a relative link works unchanged. On the site it would be dead, so this hook replaces it with an absolute
URL. The rule: a link to a file that does not exist is a warning, which fails the strict build.
"""

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\]\((?P<path>\.\./[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
# mkdocs counts the warnings of this logger.
log = logging.getLogger("mkdocs.site_links")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:  # noqa: ANN401 - types of mkdocs
    """Replace the links of one page."""
    return with_repository_links(markdown, page.file.src_uri, config.repo_url)


def with_repository_links(markdown: str, page: str, repository: str) -> str:
    """A page's text, in which each link out of `docs/` is a URL of the repository.

    Args:
        markdown: The text.
        page: The page's path in `docs/`.
        repository: The repository's URL.
    """

    def replaced(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link["path"]))
        if path.startswith("docs/"):
            return link[0]
        if not (ROOT / path).exists():
            log.warning("%s links to %s, which the repository does not have", page, path)
        return f"]({repository}/blob/main/{path}{link['anchor'] or ''})"

    return LINK.sub(replaced, markdown)
