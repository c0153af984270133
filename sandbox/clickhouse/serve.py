"""The process of the server: `python -m sandbox.clickhouse.serve FOLDER`.

The rule: `FOLDER/account.json` (mode 0600) says who may ask, and `FOLDER/port` on which port it listens: the process
writes it, and listens there again when it is started again. It ends with a signal.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path

from model.secrecy.output_guard import guard_output
from model.secrecy.redaction import keep_secret
from sandbox.clickhouse.engine import Engine
from sandbox.clickhouse.web import ClickHouseServer


def main(folder: Path) -> None:
    """Serve until a signal ends the process."""
    guard_output()
    account = json.loads((folder / "account.json").read_text(encoding="utf-8"))
    place = folder / "port"
    port = int(place.read_text(encoding="utf-8")) if place.exists() else 0
    engine = Engine(folder / "engine")
    with ClickHouseServer(port, engine, account["user"], keep_secret(account["password"])) as server:
        place.write_text(str(server.server_port), encoding="utf-8")
        with suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
