"""Passing a request on to a server behind, and its answer back.

Over TLS that is verified, to the server's FQDN by name, SNI and Host (CX-TGT-1). Each request has a connection of its
own, which no stranger can inherit (X-SEC-4), and is sent at most once (X-WIRE-7).
"""

import asyncio
import random
import re
import ssl
import sys
from dataclasses import dataclass

from forms import COOKIE
from http1 import MOST_HEAD, Message, Refused, pieces, read_head, send_body
from names import Names
from routing import EXCHANGE_2013

CONNECT_WITHIN = 3  # seconds
REST_WITHIN = 5  # for the rest of a body that was answered early
FRONT_END_ONLY = {  # wire facts 8
    "x-commonaccesstoken",
    "x-isfromcafe",
    "x-sourcecafeserver",
    "msexchproxyuri",
    "x-msexchangeactivityctx",
    "x-fe-clientip",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-ms-edgeip",
    "return-client-request-id",
}
OUR_OWN = {"host", "authorization", "cookie", "expect"}  # what each hop says for itself
STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |$)")


@dataclass
class Forward:
    """To which servers a request may go, and as whom."""

    candidates: list
    authorization: str


class Passing:
    """The way to the servers behind."""

    def __init__(self, lab):
        self.source = lab["source"]
        self.names = Names(lab)
        self.trusted = ssl.create_default_context(cafile=lab["ca"])
        self.own_name = lab["seat"]["server"].upper()

    async def pass_on(self, request, forward):
        """Sends a request on and its answer back; says whether the client's connection can be kept."""
        server, reader, writer = await self.connect_to_one(forward.candidates)
        upload = asyncio.create_task(send_up(request, forward, server, writer))
        download = asyncio.create_task(final_head(reader))
        try:
            await asyncio.wait({upload, download}, return_when=asyncio.FIRST_COMPLETED)
            if upload.done():
                upload.result()  # raises what the client did wrong, before there is an answer
            await self.send_down(request, *await download, reader)
            # Where the server answered early, the client gets to read that only once it has sent its all.
            done, _ = await asyncio.wait({upload}, timeout=REST_WITHIN)
            return bool(done) and upload.exception() is None and request.keeps
        finally:
            upload.cancel()
            download.cancel()
            writer.close()

    async def connect_to_one(self, candidates):
        """Any one of the servers; the next where one takes no connection (CX-HLT-7)."""
        for server in random.sample(candidates, len(candidates)):
            port = 444 if server.version == EXCHANGE_2013 else 443
            try:
                host, real = await self.names.find(server.fqdn, port)
                to = {"host": host, "port": real, "local_addr": (self.source, 0), "limit": MOST_HEAD}
                opening = asyncio.open_connection(**to, ssl=self.trusted, server_hostname=server.fqdn)
                return server, *await asyncio.wait_for(opening, CONNECT_WITHIN)
            except OSError as error:
                print(f"{server.fqdn}:{port} takes no connection: {error!r}", file=sys.stderr)
        raise Refused(503, "no server may serve this, or none takes connections")

    async def send_down(self, request, answer, length, reader):
        empty = request.method == "HEAD" or STATUS.match(answer.start)[1] in ("204", "304")
        chunked = not empty and not isinstance(length, int) and request.version == "HTTP/1.1"
        head = Message("HTTP/1.1" + answer.start[8:], [*answer.end_to_end(), ("X-FEServer", self.own_name)])
        if chunked:
            head.fields.append(("Transfer-Encoding", "chunked"))
        if not request.keeps:
            head.fields.append(("Connection", "close"))
        request.writer.write(head.encoded())
        await request.writer.drain()
        if not empty:
            try:
                await send_body(request.writer, pieces(reader, length), chunked)
            except Refused as error:
                raise ConnectionError("an answer broke off after it had begun") from error


async def send_up(request, forward, server, writer):
    theirs = request.head.end_to_end(FRONT_END_ONLY | OUR_OWN)
    theirs = [(name, value) for name, value in theirs if not name.lower().startswith("x-backend-diag-")]
    fields = [("Host", server.fqdn), *theirs, ("Authorization", forward.authorization)]
    cookies = [cookie for cookie in request.cookies() if not cookie.startswith(f"{COOKIE}=")]
    if cookies:
        fields.append(("Cookie", "; ".join(cookies)))
    if request.length == "chunked":
        fields.append(("Transfer-Encoding", "chunked"))
    fields.append(("Connection", "close"))
    writer.write(Message(f"{request.method} {request.target} HTTP/1.1", fields).encoded())
    body = request.pieces()
    try:
        await writer.drain()
        await send_body(writer, body, request.length == "chunked")
    except ConnectionError:
        async for _ in body:
            pass  # the server takes no more: it has answered, or the answer will not come


async def final_head(reader):
    """The head of the answer itself, after any that only says to go on; and what frames its body."""
    try:
        while True:
            head = await read_head(reader)
            status = STATUS.match(head.start)
            if not status:
                raise Refused(502, "its first line is no status")
            if status[1][0] != "1":
                return head, head.length()
    except (Refused, asyncio.LimitOverrunError, asyncio.IncompleteReadError, ConnectionError) as error:
        raise Refused(502, f"the server behind answered no HTTP: {error}") from error
