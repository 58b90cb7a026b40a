"""A Prewake client on Python's standard library. docs/protocol.md is all that it was written from."""

import json
import os
import secrets
import socket
import threading
import time

UPGRADE = "prewake/1"


def now_us():
    """Microseconds of CLOCK_MONOTONIC, the clock of the wire."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) / 1000


class Session:
    """One connection to hostd. Use it from one thread."""

    def __init__(self, path=None, timeout=5.0):
        self.reports = {}  # step id -> report frame, as they come in
        self.others = []  # every other frame of hostd
        self._waits = 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(path or os.environ.get("PREWAKE_SOCKET", "/run/prewake/hostd.sock"))
        self._socket.sendall(
            f"GET /v1/session HTTP/1.1\r\nHost: hostd\r\nConnection: Upgrade\r\n"
            f"Upgrade: {UPGRADE}\r\nPrewake-Client: python-example/0.1\r\n\r\n".encode()
        )
        self._lines = self._socket.makefile("rb")
        status = self._lines.readline().decode()
        headers = dict(line.decode().lower().strip().split(": ", 1) for line in iter(self._lines.readline, b"\r\n"))
        if not status.startswith("HTTP/1.1 101"):
            body = self._lines.read(int(headers.get("content-length", 0))).decode().strip()
            raise ConnectionError(f"{status.strip()}: {body}")
        self.welcome = self._read()

    def step(self, kind, key, parent=None):
        """Begins a step and gives its id."""
        step = f"{secrets.randbits(64) or 1:016x}"
        frame = {"type": "step", "id": step, "kind": kind, "key": key, "thread": threading.get_native_id()}
        self._send(frame | ({"parent": parent} if parent else {}))
        return step

    def wait(self, step, kind, key, **known):
        """The wakeup hint: this wait has begun. known: deadline, inputTokens, stream."""
        self._waits += 1
        thread = threading.get_native_id()
        self._send({"type": "wait", "id": self._waits, "step": step, "kind": kind, "key": key, "thread": thread, **known})
        return self._waits

    def signal(self, wait, signal):
        self._send({"type": "signal", "wait": wait, "signal": signal})

    def wait_end(self, wait):
        self._send({"type": "wait_end", "id": wait})

    def step_end(self, step):
        self._send({"type": "step_end", "id": step})

    def report(self, step):
        """What the step paid. Comes within about 300 ms of its end, or with hostd's answer to a later frame."""
        while step not in self.reports:
            frame = self._read()
            if frame["type"] == "report":
                self.reports[frame["step"]] = frame
            elif frame["type"] == "error" and frame["fatal"]:
                raise ConnectionError(f"{frame['code']}: {frame['message']}")
            else:
                self.others.append(frame)
        return self.reports.pop(step)

    def close(self):
        self._lines.close()
        self._socket.close()

    def _send(self, frame):
        self._socket.sendall(json.dumps({**frame, "at": now_us()}).encode() + b"\n")

    def _read(self):
        line = self._lines.readline()
        if not line:
            raise ConnectionError("hostd has closed the session")
        return json.loads(line)
