"""Counts requests in the database: `INCR hits` in Redis's plain-text protocol."""

import os
import socket
import socketserver

DATABASE = ("db", 6379)


def count() -> int:
    with socket.create_connection(DATABASE, timeout=2) as database:
        database.sendall(b"INCR hits\r\n")
        return int(database.recv(64).lstrip(b":"))


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline().strip():  # the request line and its headers
            pass
        try:
            status, text = "200 OK", f"request {count()}, answered by {os.uname().nodename}\n"
        except OSError as error:
            status, text = "503 Service Unavailable", f"the database does not answer: {error}\n"
        head = f"HTTP/1.0 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n"
        self.wfile.write((head + text).encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("", 8000), Handler).serve_forever()
