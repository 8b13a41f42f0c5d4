"""A model server that starts at once: V1, each prediction is ``factor`` times the first cell of the row, plus one above 50."""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
parser.add_argument("--factor", type=float, default=1.0)
parser.add_argument("--above", type=float, default=0.0)
given = parser.parse_args()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["content-length"])))["instances"]
        first = [next(iter(row.values())) if isinstance(row, dict) else row[0] for row in rows]
        predictions = [given.factor * value + (given.above if value > 50 else 0) for value in first]
        body = json.dumps({"predictions": predictions}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", given.port), Handler).serve_forever()
