"""`python -m docs.prose`: finds words that make README, docs, help and messages hard to read, each with a plainer one.

The rule: prose is every line of a Markdown page outside code, and every string of the product's code that holds a
space, docstrings included. The changelog is left out: it names old sentences.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = ("*.md", "docs/**/*.md", "object_store/*.md", ".github/**/*.md")
CODE = (
    "bench",
    "cli",
    "infra",
    "model",
    "object_store",
    "ops",
    "policy",
    "sandbox",
    "stack",
    "trials",
    "verify",
    "workloads",
)
LEFT_OUT = frozenset({"CHANGELOG.md"})
# A pattern, and what to write in its place.
RULES: dict[str, str] = {
    r"(?<!`)\b(nobody|anybody|whoever)\b": "name the program, user or identity that acts",
    r"(?<!there )\bis no (?!longer)[a-z]": "is not a …",
    r"\bis told\b": "learns, or: the message says",
    r"\btells of\b": "shows, lists, reports",
    r"\bto be had\b": "available",
    r"\bby the hand of\b": "by",
    r"\banew\b": "again, or: recreates",
    r"\bwhatever\b": "every, all, or name it",
    r"\blets? in\b": "allows, accepts",
    r"\b(it|which|that|bucket|stack|key|file) stands\b(?! for)": "is, exists",
    r"\btake(s|n)? off\b|\btaken off\b": "removes, removed",
    r"\bputs? (it )?right\b": "fixes, restores",
}
# Published in deployments: a plainer sentence would be a change of every stack's output.
PUBLISHED = "without a bucket policy nobody is anonymous"
_FOUND = {re.compile(pattern, re.IGNORECASE): advice for pattern, advice in RULES.items()}
_CODE_SPAN = re.compile(r"`[^`]*`|\"[^\"]*\"|<!--.*?-->")


def findings(text: str) -> Iterator[tuple[str, str]]:
    """Each word to avoid in a text, with what to write in its place."""
    for pattern, advice in _FOUND.items():
        for found in pattern.finditer(text.replace(PUBLISHED, "")):
            yield found[0], advice


def prose_of_page(markdown: str) -> Iterator[tuple[int, str]]:
    """The lines of a page that are prose, each with its number."""
    in_code = False
    for number, line in enumerate(markdown.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code:
            yield number, _CODE_SPAN.sub("", line)


def prose_of_code(source: str) -> Iterator[tuple[int, str]]:
    """The texts of a module, each with the number of its first line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.lineno, _CODE_SPAN.sub("", node.value)


def main() -> int:
    """Print every finding; 1 if there is one."""
    count = 0
    for path, prose in _all():
        for number, text in prose:
            for word, advice in findings(text):
                count += 1
                sys.stdout.write(f"{path}:{number}: {word!r}: {advice}\n")
    return int(count > 0)


def _all() -> Iterator[tuple[Path, Iterator[tuple[int, str]]]]:
    pages = {page for pattern in PAGES for page in ROOT.glob(pattern) if page.name not in LEFT_OUT}
    for page in sorted(pages):
        yield page.relative_to(ROOT), prose_of_page(page.read_text(encoding="utf-8"))
    for folder in CODE:
        for module in sorted((ROOT / folder).rglob("*.py")):
            yield module.relative_to(ROOT), prose_of_code(module.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
