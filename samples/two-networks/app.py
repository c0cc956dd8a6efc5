"""Counts its requests in the database: `INCR hits`, in Redis's plain-text protocol."""

import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DATABASE = ("db", 6379)


def count() -> int:
    with socket.create_connection(DATABASE, timeout=2) as database:
        database.sendall(b"INCR hits\r\n")
        return int(database.recv(64).lstrip(b":"))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        try:
            status, text = 200, f"request {count()}, answered by {os.uname().nodename}\n"
        except OSError as error:
            status, text = 503, f"the database does not answer: {error}\n"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


ThreadingHTTPServer(("", 8000), Handler).serve_forever()
