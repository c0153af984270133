"""Writes `docs/differences.md`: the answers of the S3 servers of the contract tests, side by side.

    python -m docs.differences [--endpoint URL]

The rule: every cell comes from a run of `trials/observations.py` on the server of its column, and
`tests/contract/test_differences.py` compares them. It is separate from `docs.generate`, which contacts no server. With
an endpoint (credentials as for `pytest tests/contract`), it prints the answers of that server beside the table and
writes nothing. Where the server lacks what a question needs, the cell says what it answered to that.

Exit status: 0 done; 1 no server answers, or it makes no bucket.
"""

from __future__ import annotations

import argparse
import os
import sys

from botocore.exceptions import ClientError

from model.secrecy.output_guard import guard_output
from object_store import ConfigurationError
from trials.differences_page import HEAD, PAGE, column, tables, titles
from trials.observations import observe
from trials.servers import OWN, UnreachableError, check_reachable, given_server


def main(arguments: list[str]) -> int:
    """Call all servers and write the page, or call one server and print its answers."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.differences", description="Compare the answers of S3 servers."
    )
    parser.add_argument("--endpoint", metavar="URL", help="call only this server, and write nothing")
    endpoint = parser.parse_args(arguments).endpoint
    if endpoint:
        try:
            server = given_server(endpoint, None, os.environ)
            check_reachable(server)
            answers = observe(server)
        except (ConfigurationError, UnreachableError) as fault:
            sys.stderr.write(f"--endpoint: {fault}\n")
            return 1
        except ClientError as refusal:
            sys.stderr.write(f"--endpoint: this credential makes no bucket at {endpoint}: {refusal}\n")
            return 1
        page = PAGE.read_text("utf-8")
        known = {title: column(page, title) for title in titles(page)}
        sys.stdout.write(tables({**known, server.title: answers}))
        return 0
    columns = {}
    for name, running in OWN.items():
        sys.stderr.write(f"calling {name}\n")
        with running() as server:
            columns[server.title] = observe(server)
    PAGE.write_text(HEAD + tables(columns), encoding="utf-8")
    sys.stdout.write(f"docs/{PAGE.name} written\n")
    return 0


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
