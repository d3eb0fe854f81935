"""Runs a Spark application once, however often its job was submitted.

A standalone master makes one more driver of every submission that it gets, and does not tell which ones wait. So what is
submitted is this program. It claims the job's name in the job's folder, which one of all drivers can, and runs the
application only then; a driver that comes later finds the name taken and ends. What became of the application is
written beside the claim, where it stays when the master has long forgotten the driver.

    launcher.py FOLDER JOB APPLICATION [ARGUMENT...]

In FOLDER, which the service and all drivers share:

    claim.json     put if absent, by a driver, or by the service so that no driver can any more
    outcome.json   put if absent, by the driver that has the name: done, failed or stopped
    verdict.json   put if absent, by the service: what it makes of a failure, or of an outcome that is missing
    alive          touched every second while the application works
    stop           made by the service: end the application

The application is a process of its own that never outlives the driver. Needs nothing but Python's own library.
"""

import ctypes
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid

LOOK_EVERY_S = 1.0
LOG_BYTES = 8_000
OUTCOME_WITHIN_S = 120
PIPE_CLOSES_WITHIN_S = 5
PR_SET_PDEATHSIG = 1
CANNOT_TELL = 74


def main(folder, job, application, *arguments):
    if not put_if_absent(folder, "claim.json", claim(job)):
        say(f"{job}: another driver has this name already; nothing to do here")
        return 0
    state, code, log = run([sys.executable, application, *arguments], folder)
    outcome = {"state": state, "exitCode": code, **({} if state == "done" else {"log": log})}
    if not told(folder, outcome):
        return CANNOT_TELL
    return 0 if state == "done" else max(1, code if code > 0 else 128 - code)


def claim(job):
    # A driver's working folder on a standalone worker is named after its submission.
    submission = os.path.basename(os.getcwd())
    return {
        "by": "driver",
        "job": job,
        "submissionId": submission,
        "host": socket.gethostname(),
        "processId": os.getpid(),
        "logUrl": os.environ.get("SPARK_DRIVER_LOG_URL_STDOUT"),
    }


def put_if_absent(folder, name, content):
    """Whole or not at all, and never over another: False when there is one."""
    temporary = os.path.join(folder, f".{name}-{uuid.uuid4().hex}")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, os.path.join(folder, name))
            return True
        except FileExistsError:
            return False
    finally:
        try:
            os.unlink(temporary)
        except FileNotFoundError:
            pass


def run(command, folder):
    """The application's end: its state, its exit code (-N: by signal N) and the end of what it said."""
    driver = os.getppid()
    asked_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.set())
    application = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=end_with_parent(),
    )
    tail = Tail(application.stdout)
    state, lost = None, False
    while state is None:
        try:
            state = "done" if application.wait(timeout=LOOK_EVERY_S) == 0 else "failed"
        except subprocess.TimeoutExpired:
            if os.getppid() != driver or asked_to_end.is_set():
                state, lost = "failed", True
            elif look(folder):
                state = "stopped"
    # What it left running would work on after its outcome is told.
    try:
        os.killpg(application.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    code = application.wait()
    log = tail.text() if not lost else f"{tail.text()}\n{end_of('stderr')}"
    return state, code, log


def end_with_parent():
    """Linux ends the application when even this launcher is killed; elsewhere only the launcher can."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    return None if prctl is None else lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end_of(path):
    """Of a log of the driver itself, which lies in its working folder."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - LOG_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def look(folder):
    """Tells that the application works, and whether it is to end. A folder that is away for now says nothing."""
    try:
        with open(os.path.join(folder, "alive"), "a", encoding="utf-8"):
            os.utime(os.path.join(folder, "alive"))
    except OSError:
        pass
    return os.path.exists(os.path.join(folder, "stop"))


def told(folder, outcome):
    """The application is not run again for want of a disk for a moment."""
    deadline = time.monotonic() + OUTCOME_WITHIN_S
    while True:
        try:
            put_if_absent(folder, "outcome.json", outcome)
            return True
        except OSError as error:
            say(f"The outcome cannot be written: {error}")
            if error.errno == errno.ENOENT or time.monotonic() > deadline:
                return False
            time.sleep(LOOK_EVERY_S)


def say(line):
    try:
        print(line, flush=True)
    except OSError:
        pass  # The driver is gone; its log is, too.


class Tail:
    """Passes on what the application says and keeps the end of it."""

    def __init__(self, pipe):
        self.kept = b""
        self.thread = threading.Thread(target=self.read, args=(pipe,), daemon=True)
        self.thread.start()

    def read(self, pipe):
        for chunk in iter(lambda: pipe.read1(65_536), b""):
            self.kept = (self.kept + chunk)[-LOG_BYTES:]
            try:
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
            except OSError:
                pass  # As in say().

    def text(self):
        self.thread.join(PIPE_CLOSES_WITHIN_S)
        return self.kept.decode("utf-8", "replace")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
