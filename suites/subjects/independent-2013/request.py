"""A client's request as it is judged and handed on, and what we answer ourselves."""

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import unquote

from http1 import Message, Refused, pieces

MOST_FORM = 16 * 1024
MOST_UNREAD = 1024 * 1024  # of a body that nobody wants, read so that the connection can be kept
HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")
REASONS = {
    200: "OK",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    413: "Payload Too Large",
    431: "Request Header Fields Too Large",
    440: "Login Timeout",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


@dataclass
class Answer:
    """What we say ourselves."""

    status: int
    body: str = ""
    fields: tuple = ()

    def encoded(self, method, keep):
        body = self.body.encode()
        fields = [*self.fields, ("Cache-Control", "no-store"), ("Content-Length", str(len(body)))]
        if body:
            fields.append(("Content-Type", "text/html; charset=utf-8"))
        if not keep:
            fields.append(("Connection", "close"))
        head = Message(f"HTTP/1.1 {self.status} {REASONS[self.status]}", fields)
        return head.encoded() + (b"" if method == "HEAD" else body)


def found(url, *fields):
    return Answer(302, "", (("Location", url), *fields))


class Request:
    """A request whose head is read, and whose body is not."""

    def __init__(self, head, reader, writer):
        self.head, self.writer = head, writer
        words = head.start.split(" ")
        if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
            raise Refused(400, "the request line is not one of HTTP/1")
        self.method, self.target, self.version = words
        hosts = head.every("host")
        if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):
            raise Refused(400, "one Host is needed")
        self.host = hosts[0]
        path, _, self.query = self.target.partition("?")
        self.path = plain_path(path)
        self.length = head.length() or 0
        self.body = pieces(reader, self.length)
        self.awaits_go_ahead = (head.value("expect") or "").lower() == "100-continue"

    @property
    def url(self):
        return f"https://{self.host}{self.target}"

    @property
    def keeps(self):
        """Whether the client would send another request on this connection."""
        return self.version == "HTTP/1.1" and "close" not in self.head.connection_options()

    async def pieces(self):
        """The body; the client is told to send it only now (X-WIRE-12)."""
        if self.awaits_go_ahead:
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.awaits_go_ahead = False
        async for piece in self.body:
            yield piece

    async def form(self):
        body = b""
        async for piece in self.pieces():
            body += piece
            if len(body) > MOST_FORM:
                raise Refused(413, "the form is too long")
        return body.decode("latin-1")

    async def skip(self):
        """Reads what nobody wants of the body; says whether that was all of it."""
        if self.awaits_go_ahead:
            return False
        read = 0
        async for piece in self.body:
            read += len(piece)
            if read > MOST_UNREAD:
                return False
        return True

    def credentials(self):
        """Name and password of a Basic sign-in, as typed."""
        scheme, _, value = (self.head.value("authorization") or "").partition(" ")
        try:
            plain = base64.b64decode(value.strip(), validate=True)
        except binascii.Error:
            return None
        try:
            user, colon, password = plain.decode().partition(":")
        except UnicodeDecodeError:
            user, colon, password = plain.decode("latin-1").partition(":")
        return (user, password) if colon and scheme.lower() == "basic" else None

    def cookies(self):
        return [cookie.strip() for value in self.head.every("cookie") for cookie in value.split(";")]


def plain_path(path):
    """The path as a server behind will see it; refused where it could be read in two ways (X-SEC-3)."""
    decoded = unquote(path, "latin-1")
    hides = "%2f" in path.lower() or "%" in decoded or "\\" in decoded
    if not path.startswith("/") or hides or {".", ".."} & set(decoded.split("/")):
        raise Refused(400, "the path can be read in two ways")
    return decoded
