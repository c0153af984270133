"""A server process that only accepts connections and reports that it is ready, to test starting and stopping it.

Tests copy it into a clone as sandbox/server/serve.py; the environment variable FAKE_SERVE selects a fault.
"""

import argparse
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

FAULT = os.environ.get("FAKE_SERVE", "")
parser = argparse.ArgumentParser()
parser.add_argument("--cloud", required=True)
parser.add_argument("--directory", required=True, type=Path)
parser.add_argument("--admin-api", choices=("v3", "v4"))
known = parser.parse_args()
signal.signal(signal.SIGTERM, signal.SIG_IGN if FAULT == "stubborn" else lambda *_: sys.exit(0))
if FAULT == "dies":
    sys.stderr.write("the port is taken by somebody else\n")
    sys.exit(9)
if FAULT == "hangs":
    sys.stderr.write("still thinking\n")
    sys.stderr.flush()
    time.sleep(60)
listener = socket.create_server(("127.0.0.1", 0))
admin = known.directory / "admin.json"
if not admin.exists():
    admin.touch(mode=0o600)
    admin.write_text(json.dumps({"user": "planted-user", "password": "planted-password"}))
(known.directory / "ca.pem").write_text("a certificate\n")
# Without an argument, the version of its last run.
spoken = known.directory / "spoken"
if known.admin_api:
    spoken.write_text(known.admin_api)
answer = {
    "pid": os.getpid(),
    "cloud": known.cloud,
    "endpoint": f"https://127.0.0.1:{listener.getsockname()[1]}",
    "plugin": "aws" if known.cloud == "aws" else "minio",
    "plugin_port": 4711,
    "ca_bundle": str(known.directory / "ca.pem"),
    "region": "us-west-2",
    "admin_api": spoken.read_text() if spoken.exists() else "v3",
}
written = known.directory / ".server.json"
written.write_text(json.dumps(answer))
written.replace(known.directory / "server.json")
while True:
    listener.accept()[0].close()
