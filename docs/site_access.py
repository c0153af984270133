"""A hook of the docs site: a keyboard reaches what scrolls, and a screen reader names what opens.

The rule: these are faults of the theme, found by axe-core. Remove a line here when the theme mends its fault.
"""

import logging
from typing import Any

_SEARCH = '<div class="md-search" data-md-component="search" role="dialog"'
_MENDED = {
    # The theme's script removes `tabindex` from a block of code itself.
    "<pre><span></span><code>": '<pre><span></span><code><span class="code-focus" tabindex="0"></span>',
    "<table>": '<table tabindex="0">',
    _SEARCH: f'{_SEARCH} aria-label="Search"',
}
# mkdocs counts the warnings of this logger.
log = logging.getLogger("mkdocs.site_access")


def on_post_page(output: str, **_: Any) -> str:  # noqa: ANN401 - types of mkdocs
    """A page's HTML, with blocks of code and tables that take the focus, and a search dialog that has a name."""
    if _SEARCH not in output:
        log.warning("the theme's search dialog has another form: see whether it has a name, and change this hook")
    for before, after in _MENDED.items():
        output = output.replace(before, after)
    return output
