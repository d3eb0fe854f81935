"""The judge: an HTTP server on loopback that reads the service's Iceberg tables with pyiceberg and with Spark.

`python judge.py '{"jars": [...], "scratch": "/folder"}'` prints `ready <port>` and answers `POST /<question>` with JSON;
an exception is 500 with its text. It ends when its standard input is closed, so that it never outlives the tests.
"""

import json
import os
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from questions import Questions  # noqa: E402


def main() -> None:
    options = json.loads(sys.argv[1])
    questions = Questions(options["jars"], options["scratch"])
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                with one_at_a_time:
                    answer, status = questions.answer(self.path.removeprefix("/"), body), 200
            except Exception as error:
                answer, status = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}, 500
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_arguments) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"ready {server.server_address[1]}", flush=True)
    sys.stdin.read()
    questions.stop()


main()
