"""The table of differences in `docs/differences.md`: written from answers, and read back.

It leaves out the requests to the servers (`observations`) and the command that writes the page (`docs.differences`).
"""

from __future__ import annotations

from pathlib import Path

from trials.observations import OBSERVATIONS

PAGE = Path(__file__).parents[1] / "docs" / "differences.md"
HEAD = """<!-- Written by `python -m docs.differences`; tests/contract/test_differences.py compares it. -->

# What S3 servers answer differently

The contract in `tests/contract/test_contract.py` holds on each of these servers. The tables show what lies below the
contract: the answers that a client without the adapter gets. `sandbox` is the embedded server of a stack, moto behind
the sandbox's gate; its answers do not prove what AIStor or AWS answer. versitygw is an independent server.

This line asks another server and prints its answers beside these:

<!-- not run: needs your server -->
```sh
python -m docs.differences --endpoint URL
```

MinIO (source of February 2026) stores the key `a/b` beside the object `a`, but does not list it. What is not listed,
`object-store get s3://BUCKET/PREFIX/` and `object-store parity` cannot see. So `object-store put FOLDER` refuses a file
`a/b` where the store lists an object `a`, and the reverse; `put` of one object warns. A program must not use both.

## Other servers

The contract was also run by hand on these servers (November 2026). What each does not hold is its own:

- MinIO (source of February 2026) holds all of it.
- Ceph RGW 16.2.15 (Debian 12) ignores `If-None-Match` where parts are joined, and in buckets with versions also at a
  put: of several writers at once, all win. `verify` finds it. Before the adapter sends parts, it looks for the object.
- LocalStack 4.9.2 accepts every secret and every URL. Where keys have blanks or letters beyond ASCII, it lists them in
  another order, and leaves keys out of a long listing: `UnexpectedAnswer`. Of several writers of parts at once, two may
  win.

"""


def column(page: str, title: str) -> dict[str, str]:
    """One server's answers from a page; empty if the page does not have that server."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    names = titles(page)
    if title not in names:
        return {}
    index = names.index(title) + 1
    # A row of two cells applies to all servers.
    return {row[0]: row[min(index, len(row) - 1)] for row in rows if row[0] in OBSERVATIONS}


def titles(page: str) -> list[str]:
    """The servers of a page."""
    head = next((line for line in page.splitlines() if line.startswith("|")), "")
    return [cell.strip() for cell in head.strip("|").split("|")[1:]]


def tables(columns: dict[str, dict[str, str]]) -> str:
    """Answers by question, one column for each server: first those that differ, then those that are equal."""
    alike = {q: len({answers[q] for answers in columns.values()}) == 1 for q in OBSERVATIONS}
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {q} | " + " | ".join(answers[q] for answers in columns.values()) + " |" for q in alike if not alike[q]
    ]
    lines += ["", "## What all of them answer in the same way", "", "| | |", "|---|---|"]
    lines += [f"| {q} | {next(iter(columns.values()))[q]} |" for q in alike if alike[q]]
    return "\n".join(lines) + "\n"
