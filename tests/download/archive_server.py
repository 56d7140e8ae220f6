"""A local server that serves files correctly, or with the faults of real servers."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    """Answers with what the server has planned for the path, the last of it again and again."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        answers = self.server.plans[self.path]
        (answers.pop(0) if len(answers) > 1 else answers[0])(self, self.server.files[self.path])
        self.close_connection = True

    def log_message(self, *arguments):
        """Nothing: what a test asks for is in its own hands."""

    def head(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def asked_from(self):
        """The first byte of the range that is asked for."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(found[1]) if found else None

    def head_of(self, content):
        """Starts an answer with the range that is asked for, or all; returns the content."""
        first = self.asked_from()
        if first is None:
            self.head(200, Content_Length=len(content))
            return content
        if first >= len(content):
            self.head(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
            return b""
        self.head(
            206,
            Content_Range=f"bytes {first}-{len(content) - 1}/{len(content)}",
            Content_Length=len(content) - first,
        )
        return content[first:]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.plans, self.requests = {}, {}, []

    def offer(self, path: str, content: bytes, *answers: Answer) -> str:
        """Plans what is given at a path; returns its address."""
        self.files[path], self.plans[path] = content, list(answers or [whole])
        return f"http://127.0.0.1:{self.server_port}{path}"


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def whole(handler, content):
    """As it should be: the file, or the range that is asked for."""
    handler.wfile.write(handler.head_of(content))


def cut_after(count) -> Answer:
    """As it should be, but the connection breaks after so many bytes."""

    def answer(handler, content):
        handler.wfile.write(handler.head_of(content)[:count])

    return answer


def status(code, **headers) -> Answer:
    """Only a status."""

    def answer(handler, content):
        handler.head(code, Content_Length=0, **headers)

    return answer


def ignoring_ranges(handler, content):
    """The whole file whatever is asked for."""
    handler.head(200, Content_Length=len(content))
    handler.wfile.write(content)


def ignoring_ranges_cut_after(count) -> Answer:
    def answer(handler, content):
        handler.head(200, Content_Length=len(content))
        handler.wfile.write(content[:count])

    return answer


def other_range(handler, content):
    """A part that nobody asked for."""
    handler.head(206, Content_Range=f"bytes 0-1/{len(content)}", Content_Length=2)
    handler.wfile.write(content[:2])


def chunked(handler, content):
    """The whole file without its length."""
    handler.head(200, Transfer_Encoding="chunked")
    handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content))


def encoded(handler, content):
    """A compressed file, which the server takes for the encoding of another one."""
    handler.head(200, Content_Length=len(content), Content_Encoding="gzip")
    handler.wfile.write(content)


def web_page(handler, content):
    handler.head(200, Content_Type="text/html; charset=utf-8", Content_Length=6)
    handler.wfile.write(b"log in")


def redirect(url) -> Answer:
    return status(301, Location=url)


def stall_after(count, *, seconds) -> Answer:
    """Some bytes, and then none for a time."""

    def answer(handler, content):
        handler.wfile.write(handler.head_of(content)[:count])
        handler.wfile.flush()
        time.sleep(seconds)

    return answer


def slowly(seconds) -> Answer:
    """The whole file, after a time."""

    def answer(handler, content):
        time.sleep(seconds)
        whole(handler, content)

    return answer
