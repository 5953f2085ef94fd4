"""Processes of the bench: started on loopback, on free ports, and all ended by the time the bench ends."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

# How long a process may take to listen, and to end after it was told to.
LISTENS_WITHIN_S = 60
ENDS_WITHIN_S = 10
# What asks the bench to end: Ctrl-C, `kill`, and a terminal that is closed.
REQUESTS_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class BenchError(Exception):
    """What stops a run, as a sentence for whoever reads the terminal."""


class Processes:
    """What runs now. As a context manager it ends all of it, whatever happened."""

    def __init__(self, boost: int):
        self._running: list[subprocess.Popen] = []
        self._boost = boost

    def __enter__(self):
        for request in REQUESTS_TO_END:
            # What is ignored already is meant to be, as with `nohup`.
            if signal.getsignal(request) is not signal.SIG_IGN:
                signal.signal(request, _requested)
        return self

    def __exit__(self, *_):
        _ignore_requests_to_end()
        for process in reversed(self._running.copy()):
            self._end(process)

    def start(self, command: list, **how) -> subprocess.Popen:
        """Starts a program in a session of its own, so that Ctrl-C reaches the bench alone, which then ends it."""
        command = [str(part) for part in command]
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **how)
        except OSError as error:
            raise BenchError(f"{command[0]} does not start: {error}") from error
        self._running.append(process)
        self._raise_priority(process.pid)
        return process

    def stop(self, process: subprocess.Popen):
        """Asks it to end, and kills it if it does not. A process that ended before is a failure: nobody asked it to."""
        code = process.poll()
        self._end(process)
        if code is not None:
            raise BenchError(f"{process.args[0]} ended by itself with {code} while it was measured")

    def _end(self, process: subprocess.Popen):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.remove(process)

    def finish(self, process: subprocess.Popen, within_s: float) -> bytes:
        """Waits for a program that ends by itself, and gives what it printed."""
        try:
            printed, _ = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"{process.args[0]} did not end within {within_s:.0f} s") from error
        self._running.remove(process)
        if process.returncode != 0:
            raise BenchError(f"{process.args[0]} ended with {process.returncode}")
        return printed

    def _raise_priority(self, pid: int):
        # Each process is its own session, hence its own scheduler autogroup, in which a plain nice would not count.
        if not self._boost:
            return
        try:
            pathlib.Path(f"/proc/{pid}/autogroup").write_text(str(-self._boost))
        except OSError:
            try:
                os.setpriority(os.PRIO_PROCESS, pid, -self._boost)
            except OSError as error:
                raise BenchError(f"--boost needs root: {error}") from error


def _requested(request: int, _frame):
    """A request to end becomes an exception, so that the children are ended, too."""
    _ignore_requests_to_end()
    sys.exit(128 + request)


def _ignore_requests_to_end():
    # Nothing may come between: a second Ctrl-C would leave servers behind.
    for request in REQUESTS_TO_END:
        signal.signal(request, signal.SIG_IGN)


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until_listening(process: subprocess.Popen, port: int):
    """Waits until somebody accepts connections there."""

    def connects():
        socket.create_connection(("127.0.0.1", port), 0.5).close()
        return True

    _until(process, f"port {port}", connects)


def until_answering(process: subprocess.Popen, url: str):
    """Waits until a GET there has an answer, whatever its status."""

    def answers():
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            pass
        return True

    _until(process, url, answers)


def _until(process: subprocess.Popen, what: str, is_so):
    end = time.monotonic() + LISTENS_WITHIN_S
    served = False
    while time.monotonic() < end:
        try:
            served = is_so()
        except OSError:
            time.sleep(0.05)
        # Looked at after the answer, which may be that of another process on the same port.
        if process.poll() is not None:
            raise BenchError(f"{process.args[0]} ended with {process.returncode} before it served {what}")
        if served:
            return
    raise BenchError(f"{process.args[0]} did not serve {what} within {LISTENS_WITHIN_S} s")
