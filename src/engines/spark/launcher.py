"""Runs a Spark application once, however often its job was submitted.

A standalone master makes one more driver of every submission that it gets, and does not tell which ones wait. So what is
submitted is this program. It claims the job's name in the job's folder, which one of all drivers can, and runs the
application only then; a driver that comes later finds the name taken and ends. What became of the application is
written beside the claim, where it stays when the master has long forgotten the driver.

    launcher.py {"folder": …, "job": …, "application": …, "arguments": […]}

In the folder, which the service and all drivers share, a path or a URI that the driver's own Hadoop opens (s3a://…):

    claim.json     put if absent, by a driver, or by the service so that no driver can any more
    outcome.json   put if absent, by the driver that has the name: done, failed or stopped
    verdict.json   put if absent, by the service: what it makes of a failure, or of an outcome that is missing
    alive          written anew every second, or every few, while the application works
    stop           made by the service: end the application

The application is a process of its own that never outlives the driver. Needs nothing but Python's own library, and for
a URI pyspark: it is the driver's own Java that reads and writes there, with its jars, settings and credentials.
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
# Where looking costs a request.
LOOK_FAR_EVERY_S = 4.0
LOG_BYTES = 8_000
OUTCOME_WITHIN_S = 120
PIPE_CLOSES_WITHIN_S = 5
PR_SET_PDEATHSIG = 1
CANNOT_TELL = 74


def main(request):
    asked = json.loads(request)
    place, job, application = asked["folder"], asked["job"], asked["application"]
    folder = HadoopFolder(place) if "://" in place else LocalFolder(place)
    if not folder.put_if_absent("claim.json", claim(job)):
        say(f"{job}: another driver has this name already; nothing to do here")
        return 0
    state, code, log = run([sys.executable, folder.fetched(application), *asked["arguments"]], folder)
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


class LocalFolder:
    def __init__(self, path):
        self.path = path

    def put_if_absent(self, name, content):
        """Whole or not at all, and never over another: False when there is one."""
        temporary = os.path.join(self.path, f".{name}-{uuid.uuid4().hex}")
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, os.path.join(self.path, name))
                return True
            except FileExistsError:
                return False
        finally:
            try:
                os.unlink(temporary)
            except FileNotFoundError:
                pass

    def fetched(self, application):
        return application

    def look(self):
        """Tells that the application works, and whether it is to end. A folder that is away for now says nothing."""
        try:
            with open(os.path.join(self.path, "alive"), "a", encoding="utf-8"):
                os.utime(os.path.join(self.path, "alive"))
        except OSError:
            pass
        return os.path.exists(os.path.join(self.path, "stop"))


class HadoopFolder:
    def __init__(self, uri):
        from py4j.protocol import Py4JError, Py4JJavaError
        from pyspark import SparkContext

        SparkContext._ensure_initialized()
        self.jvm, self.uri = SparkContext._jvm, uri
        self.refused, self.failed = Py4JJavaError, Py4JError
        configuration = self.jvm.org.apache.spark.deploy.SparkHadoopUtil.get().newConfiguration(
            self.jvm.org.apache.spark.SparkConf()
        )
        # One of its own: an application may close the one that all of its Java shares.
        self.files = self.jvm.org.apache.hadoop.fs.FileSystem.newInstance(self.path("").toUri(), configuration)
        self.looks_at = 0.0

    def path(self, name):
        return self.jvm.org.apache.hadoop.fs.Path(self.uri + name)

    def put_if_absent(self, name, content):
        """The same. S3 decides who is first; its answer may be lost, so what stands there is compared."""
        token = uuid.uuid4().hex
        try:
            self.write(name, {**content, "token": token})
            return True
        except OSError:
            found = self.read(name)
            if found is None:
                raise
            return json.loads(found).get("token") == token

    def write(self, name, content, only_if_absent=True):
        try:
            builder = self.files.createFile(self.path(name)).overwrite(True)
            if only_if_absent:
                # One that cannot promise that refuses.
                builder = builder.must("fs.option.create.conditional.overwrite", True)
            stream = builder.build()
            stream.write(bytearray(json.dumps(content), "utf-8"))
            stream.close()
        except self.failed as error:
            raise self.told_as(error) from error

    def read(self, name):
        try:
            if not self.files.exists(self.path(name)):
                return None
            stream = self.files.open(self.path(name))
            try:
                return bytes(stream.readAllBytes()).decode("utf-8")
            finally:
                stream.close()
        except self.failed as error:
            raise self.told_as(error) from error

    def fetched(self, application):
        if "://" not in application:
            return application
        name = os.path.join(os.getcwd(), "application", os.path.basename(application))
        target = self.jvm.org.apache.hadoop.fs.Path(f"file://{name}")
        try:
            self.files.copyToLocalFile(False, self.jvm.org.apache.hadoop.fs.Path(application), target, True)
        except self.failed as error:
            raise self.told_as(error) from error
        return name

    def look(self):
        if time.monotonic() < self.looks_at:
            return False
        try:
            self.write("alive", {"atMs": time.time_ns() // 1_000_000}, only_if_absent=False)
            return self.files.exists(self.path("stop"))
        except (OSError, self.failed):
            return False
        finally:
            self.looks_at = time.monotonic() + LOOK_FAR_EVERY_S

    def told_as(self, error):
        """Without its Java nobody can write there, however long it tries."""
        code = errno.EIO if isinstance(error, self.refused) else errno.ENOENT
        return OSError(code, str(error).split("\n\tat ")[0])


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
            elif folder.look():
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


def told(folder, outcome):
    """The application is not run again for want of a disk for a moment."""
    deadline = time.monotonic() + OUTCOME_WITHIN_S
    while True:
        try:
            folder.put_if_absent("outcome.json", outcome)
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
    sys.exit(main(sys.argv[1]))
