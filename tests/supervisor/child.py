"""A child for the supervisor's tests: speaks the control protocol with nothing but the standard library.

Its arguments are what it does, in order, before it serves: see `DEEDS`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BOOT = json.loads(os.environ["PERDURE_BOOT"])
control = socket.socket(fileno=BOOT["control_fd"])
stubborn = False
answers: dict[str, list[dict[str, Any]]] = {}
record_path = ""
asked: dict[int, str] = {}
on: dict[str, list[tuple[str, ...]]] = {}
NOTHING: dict[str, Any] = {"rooms": [], "games": [], "modules": {"modules": [], "generations": []}}


def say(line):
    control.sendall(json.dumps(line).encode() + b"\n")


def forever():
    while True:
        time.sleep(60)


def orphan(path):
    """Leave a process in a session of its own, whose parent is gone; it ignores SIGTERM."""
    code = "import os,signal,sys,time; os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    code += "open(sys.argv[1],'a').write(f'{os.getpid()}\\n'); time.sleep(600)"
    if os.fork() == 0:
        subprocess.Popen([sys.executable, "-I", "-c", code, path], close_fds=True)
        os._exit(0)
    os.wait()
    while not Path(path).exists() or not Path(path).read_text().endswith("\n"):
        time.sleep(0.005)


def exit_first(path, code):
    """Exit with `code` the first time, go on afterwards."""
    if not Path(path).exists():
        Path(path).touch()
        sys.exit(int(code))


def slot(room, c, session, j, n):
    """Pretend to run a callback since a while."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "src"))
    from perdure.slot import Slot

    Slot(BOOT["slot_fd"]).begin(room, int(c), session, int(j), int(n), 1000)


def die_if(path):
    if Path(path).exists():
        os.kill(os.getpid(), signal.SIGKILL)


def append_env(path):
    with Path(path).open("a") as file:
        file.write(os.environ.get("PERDURE_FAULT", "none") + "\n")


def deny():
    """Take no order to end."""
    global stubborn
    stubborn = True
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def answer(method, text):
    """Answer the method so: JSON {result or error, events said before it}; given again, the next time so."""
    answers.setdefault(method, []).append(json.loads(text))


def record(path):
    """Write down each request."""
    global record_path
    record_path = path


def ask(method, text, path):
    """Ask the supervisor: params as JSON; its answer, the whole line, is written to the file when it comes."""
    asked[900 + len(asked)] = path
    say({"id": max(asked), "method": method, "params": json.loads(text)})


def wait(path):
    """Go on when the file is there."""
    while not Path(path).exists():
        time.sleep(0.005)


def own(path, boot):
    """Write down that the process which wrote this boot document owns a room."""
    Path(path).write_text(json.loads(Path(boot).read_text())["incarnation"])


def append_boot(path):
    """A line for each incarnation."""
    with Path(path).open("a") as file:
        file.write(json.dumps(BOOT) + "\n")


def answered(request):
    method, params = request["method"], request.get("params", {})
    if record_path:
        with Path(record_path).open("a") as file:
            file.write(json.dumps([method, params]) + "\n")
    for name, *arguments in on.get(method, []):
        DEEDS[name](*arguments)
    waiting = answers.get(method)
    if not waiting and method in NOTHING:
        return {"result": NOTHING[method]}
    if not waiting:
        return {"result": {"method": method, "params": params}}
    line = waiting.pop(0) if len(waiting) > 1 else waiting[0]
    for event in line.get("events", []):
        say({"event": event})
    return {key: value for key, value in line.items() if key in ("result", "error")}


DEEDS: dict[str, Callable[..., object]] = {
    "print": lambda text: os.write(1, text.encode() + b"\n"),
    "exit": lambda code: os._exit(int(code)),
    "die": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "die-if": die_if,
    "flood": lambda size: [os.write(1, b"x" * 63 + b"\n") for _ in range(int(size) // 64)],
    "args": lambda path, *texts: Path(path).write_text(json.dumps(sys.argv)),
    "boot": lambda path: Path(path).write_text(json.dumps(BOOT)),
    "boots": append_boot,
    "env": append_env,
    "session": lambda path: Path(path).write_text(json.dumps([os.getsid(0), os.getpid(), os.isatty(0)])),
    "orphan": orphan,
    "exit-first": exit_first,
    "slot": slot,
    "deny": deny,
    "hang": forever,
    "ready": lambda text="{}": say({"event": {"kind": "ready", **json.loads(text)}}),
    "ask": ask,
    "wait": wait,
    "own": own,
    "on": lambda method, *deed: on.setdefault(method, []).append(deed),
    "event": lambda kind, text: say({"event": {"kind": kind, "text": text}}),
    "answer": answer,
    "record": record,
    "nonsense": lambda: control.sendall(b"nonsense\n"),
    "close": control.close,
}

deeds = [deed.split("\t") for deed in sys.argv[1:]]
for name, *arguments in deeds:
    DEEDS[name](*arguments)

for line in control.makefile("r"):
    request = json.loads(line)
    if "method" not in request:
        if request.get("id") in asked:
            Path(asked[request["id"]]).write_text(line)
        continue
    if request["method"] == "stop" and stubborn:
        continue
    if request["method"] == "deaf":
        forever()
    say({"id": request["id"], **answered(request)})
    if request["method"] == "stop":
        sys.exit(0)
sys.exit(3)  # the supervisor is gone
