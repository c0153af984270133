"""A `pulumi` that runs the real one and, at a given point of the first update, kills engine and caller by SIGKILL.

Points, by what the state's file has: `before` the engine runs, `making` a key, a key `made`, `removing` a key, `after`.
"""

SHIM = """#!/usr/bin/env python3
import json, os, pathlib, signal, subprocess, sys, time

engine, point, state = (os.environ[name] for name in ("KILL_ENGINE", "KILL_AT", "KILL_STATE"))
arguments = sys.argv[1:]
if arguments[0] != "up":
    os.execv(engine, [engine, *arguments])


def end():
    os.kill(os.getppid(), signal.SIGKILL)
    sys.exit(1)


def held():
    latest = json.loads(pathlib.Path(state).read_text())["checkpoint"]["latest"]
    keys = [one["urn"] for one in latest.get("resources") or [] if "-key-" in one["urn"] and not one.get("delete")]
    operations = [one["type"] for one in latest.get("pending_operations") or [] if "-key-" in one["resource"]["urn"]]
    return set(keys), operations


if point == "before":
    end()
before, _ = held()
process = subprocess.Popen([engine, *arguments], start_new_session=True, stdout=subprocess.DEVNULL)


def there():
    try:
        keys, operations = held()
    except ValueError:
        return False
    return {
        "making": "creating" in operations,
        "made": bool(keys - before),
        "removing": "deleting" in operations,
        "after": False,
    }[point]


while process.poll() is None:
    os.killpg(process.pid, signal.SIGSTOP)
    # Seen while the engine stands still, so that no half-written checkpoint is left behind.
    if there():
        os.killpg(process.pid, signal.SIGKILL)
        break
    os.killpg(process.pid, signal.SIGCONT)
    time.sleep(0.002)
process.wait()
end()
"""
