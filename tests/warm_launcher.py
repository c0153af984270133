"""The `python` of a warm environment: hands its arguments, environment, folder and streams to the warm process.

The rule: it imports as little as it can, because it starts for each process. tests/warm.py copies it into the folder
`bin` of the environment.
"""

import _socket
import os
import select
import signal
import sys

# `-u` and `-P` change nothing for these: streams are unbuffered anyway, and no folder of a script is on their path.
_MODULES = ("bench", "cli", "docs", "infra", "object_store", "pulumi", "verify")
_SCRIPTS = ("/pulumi-language-python-exec", "/language_host.py")


def is_known(arguments: list[str]) -> bool:
    """Whether the warm process runs it."""
    words = arguments[1:] if arguments[:1] in (["-u"], ["-P"]) else arguments
    if words[:1] == ["-m"]:
        return len(words) > 1 and words[1].partition(".")[0] in _MODULES
    return bool(words) and words[0].endswith(_SCRIPTS)


def main() -> None:
    """Run the arguments, and end as they end."""
    arguments, place = sys.argv[1:], os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0])))  # noqa: PTH100, PTH120 - pathlib takes longer than all the rest
    if not is_known(arguments):
        real = os.readlink(f"{place}/real")  # noqa: PTH115 - likewise
        os.execv(real, [real, *arguments])  # noqa: S606 - no shell is wanted
    # A handler of Python's runs between two of its steps: the read of a link would go on after a signal just before it.
    signals, tells = os.pipe()
    os.set_blocking(tells, False)
    signal.set_wakeup_fd(tells)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda *_: None)
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    link.connect(f"{place}/warm.socket")
    environ = [f"{name}={value}" for name, value in os.environ.items()]
    folder = os.getcwd()  # noqa: PTH109 - likewise
    asked = "\0".join([folder, str(len(arguments)), *arguments, *environ]).encode("utf-8", "surrogateescape")
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    link.sendmsg([len(asked).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    view = memoryview(asked)
    while view:
        view = view[link.send(view) :]
    pid = int.from_bytes(_received(link, 8), "big")
    while link.fileno() not in select.select([link.fileno(), signals], [], [])[0]:
        for given in os.read(signals, 64):
            try:  # noqa: SIM105 - contextlib is not loaded for this
                os.kill(pid, given)
            except ProcessLookupError:  # it has ended
                pass
    status = int.from_bytes(_received(link, 8), "big", signed=True)
    if status < 0:
        if status != -signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _received(link: _socket.socket, size: int) -> bytes:
    body = b""
    while len(body) < size:
        more = link.recv(size - len(body))
        if not more:
            os._exit(137)
        body += more
    return body


if __name__ == "__main__":
    main()
