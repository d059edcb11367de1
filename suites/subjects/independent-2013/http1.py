"""HTTP/1.1 on asyncio streams: heads read strictly (X-SEC-6), bodies handed on as they come (X-WIRE-5).

Field names, their order and the reason phrase stay as they were sent (X-WIRE-3, X-WIRE-14). Each read has a limit.
"""

import re
from dataclasses import dataclass, field

PIECE = 64 * 1024  # the most that is read, and so held, of a body at a time
MOST_HEAD = 64 * 1024  # also the limit of a stream's buffer: asyncio.start_server(limit=…)
MOST_LINE = 1024  # of a chunk's size, or of a trailer

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}


class Refused(Exception):
    """A message that is not taken: the status to answer, and why."""

    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


@dataclass
class Message:
    """A head: its first line and its fields, as text in which each character is one byte."""

    start: str
    fields: list = field(default_factory=list)

    def every(self, name):
        return [value for known, value in self.fields if known.lower() == name]

    def value(self, name):
        return next(iter(self.every(name)), None)

    def connection_options(self):
        return {option.strip().lower() for value in self.every("connection") for option in value.split(",")}

    def end_to_end(self, without=frozenset()):
        """The fields that go on to the next hop, but for those that are not to."""
        stays = HOP_BY_HOP | self.connection_options() | without
        return [(name, value) for name, value in self.fields if name.lower() not in stays]

    def length(self):
        """What frames the body: a number of bytes, "chunked", or None where nothing is said."""
        codings, lengths = self.every("transfer-encoding"), self.every("content-length")
        if codings:
            if lengths or [coding.strip().lower() for coding in codings] != ["chunked"]:
                raise Refused(400, "the length of the message is ambiguous")
            return "chunked"
        if not lengths:
            return None
        if len(lengths) > 1 or not re.fullmatch("[0-9]{1,18}", lengths[0]):
            raise Refused(400, "the length of the message is ambiguous")
        return int(lengths[0])

    def encoded(self):
        lines = [self.start, *(f"{name}: {value}" for name, value in self.fields)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def read_head(reader):
    """The next head; raises asyncio.LimitOverrunError or asyncio.IncompleteReadError where there is none."""
    raw = await reader.readuntil(b"\r\n\r\n")
    start, *lines = raw[:-4].decode("latin-1").split("\r\n")
    message = Message(start)
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not TOKEN.fullmatch(name):
            raise Refused(400, "a header field has no proper name")
        message.fields.append((name, value.strip(" \t")))
    if any(forbidden in text for text in (start, *lines) for forbidden in "\r\n\0"):
        raise Refused(400, "a bare line end or a null stands in the head")
    return message


async def pieces(reader, length):
    """A body piece by piece: of so many bytes, "chunked", or, where that is None, until its sender closes."""
    if length == "chunked":
        while size := await chunk_size(reader):
            async for piece in pieces(reader, size):
                yield piece
            if await reader.readexactly(2) != b"\r\n":
                raise Refused(400, "a chunk is longer than it says")
        while (await bounded_line(reader)) != b"\r\n":
            pass  # a trailer: nothing of ours needs one
        return
    left = PIECE if length is None else length
    while left:
        piece = await reader.read(min(left, PIECE))
        if not piece and length is not None:
            raise ConnectionError("a body ended early")
        if not piece:
            return
        yield piece
        left -= 0 if length is None else len(piece)


async def chunk_size(reader):
    size = CHUNK_SIZE.fullmatch(await bounded_line(reader))
    if not size:
        raise Refused(400, "a chunk has no proper size")
    return int(size[1], 16)


async def bounded_line(reader):
    line = await reader.readuntil(b"\r\n")
    if len(line) > MOST_LINE:
        raise Refused(400, "a line within a body is too long")
    return line


async def send_body(writer, body, chunked):
    """Writes a body as it comes, at the receiver's pace."""
    async for piece in body:
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
        await writer.drain()
