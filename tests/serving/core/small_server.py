"""A server that starts at once: says one word to everybody, and can be told to fail or to take its time."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
parser.add_argument("--says", default="")
parser.add_argument("--fail", default="")
parser.add_argument("--delay", type=float, default=0.0)
parser.add_argument("--mark", default="")
parser.add_argument("--forward", default="")
parser.add_argument("--status", type=int, default=200)
given = parser.parse_args()

if given.mark:
    with Path(given.mark).open("a") as file:
        file.write(f"{os.getpid()}\n")
if given.fail and (given.fail == "always" or Path(given.fail).exists()):
    print("this one never serves", flush=True)
    sys.exit(1)
time.sleep(given.delay)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not given.forward:
            self.answer(given.status, json.dumps({"predictions": [given.says]}).encode())
            return
        # As a transformer: what the predictor says, and one word more.
        url = f"http://{os.environ['PREDICTOR_HOST']}/v1/models/iris:predict"
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            said = json.load(answer)
        said["predictions"].append(given.says)
        self.answer(200, json.dumps(said).encode())

    def do_GET(self):
        self.answer(200, given.says.encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", given.port), Handler).serve_forever()
