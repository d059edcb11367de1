#!/usr/bin/env -S python3 -BES
"""An Exchange 2013 front end in Python's standard library: an example of a subject, written from the rules alone.

It signs users in, by Basic, or by forms for Outlook Web App and the control panel; asks the directory where the mailbox
is; and then proxies or redirects (GEN-1). Which of the two, and where to, is in `routing.py`; whom it asks, in
`discovery.py`; how it proxies, in `passing.py`; where the servers are, in `names.py`; the logon page and the silent
redirect, in `forms.py`.

It never answers 451 (CX-EAS-7), serves nothing without TLS (X-SEC-5), and takes no server's name from a client
(X-SEC-2). Python 3.11 or later.
Absent: NTLM and Negotiate, Outlook Anywhere, MAPI over HTTP, IMAP and POP, health pings.

    front_end.py LAB.JSON
"""

import asyncio
import base64
import json
import signal
import ssl
import sys
import traceback

import forms
from discovery import Directory
from http1 import MOST_HEAD, Refused, read_head
from ldap import LdapError
from passing import Forward, Passing
from request import Answer, Request, found
from routing import Redirect, route

REQUEST_WITHIN = 120  # seconds for a client's next request, and for the rest of a body that nobody wants
EXCHANGE_WITHIN = 2 * 60 * 60  # longer than the longest quiet poll, an ActiveSync Ping of 59 minutes (X-WIRE-6)

DIRECTORIES = {name: name for name in ("autodiscover", "owa", "ecp", "ews", "oab")}
DIRECTORIES["microsoft-server-activesync"] = "eas"


def virtual_directory(path):
    """Which one a path is in, in any letter case (X-WIRE-8)."""
    return DIRECTORIES.get(path.split("/")[1].lower())


class FrontEnd:
    def __init__(self, lab, directory):
        self.fqdn = lab["seat"]["fqdn"]
        self.directory = directory
        self.passing = Passing(lab)
        self.conversations = set()
        self.sessions = forms.Sessions(asyncio.get_running_loop().time)

    # ---- Connections

    def over_tls(self, reader, writer):
        self.begin(self.converse(reader, writer, self.answer))

    def over_plain(self, reader, writer):
        self.begin(self.converse(reader, writer, self.answer_plain))

    def begin(self, conversation):
        task = asyncio.create_task(conversation)
        self.conversations.add(task)
        task.add_done_callback(self.conversations.discard)

    async def end_all(self):
        for task in self.conversations:
            task.cancel()
        await asyncio.gather(*self.conversations, return_exceptions=True)

    async def converse(self, reader, writer, answer):
        """One client's connection; what is done for it ends as soon as the client is gone (X-WIRE-11)."""
        requests = asyncio.create_task(self.requests(reader, writer, answer))
        gone = asyncio.create_task(writer.wait_closed())
        try:
            await asyncio.wait({requests, gone}, return_when=asyncio.FIRST_COMPLETED)
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()  # we are told to stop, and closing TLS in order would wait for the client
            raise
        finally:
            requests.cancel()
            await asyncio.gather(requests, gone, return_exceptions=True)

    async def requests(self, reader, writer, answer):
        try:
            while await self.one_request(reader, writer, answer):
                pass
        except (asyncio.IncompleteReadError, OSError):
            writer.transport.abort()
        except Exception:
            traceback.print_exc()
            writer.transport.abort()

    async def one_request(self, reader, writer, answer):
        """Answers the next request; says whether another may follow."""
        method, keep = None, False
        try:
            head = await asyncio.wait_for(read_head(reader), REQUEST_WITHIN)
            request = Request(head, reader, writer)
            method = request.method
            outcome = await answer(request)
            if isinstance(outcome, Forward):
                async with asyncio.timeout(EXCHANGE_WITHIN):
                    return await self.passing.pass_on(request, outcome)
            keep = await asyncio.wait_for(request.skip(), REQUEST_WITHIN) and request.keeps
        except asyncio.LimitOverrunError:
            outcome = Answer(431, f"a head or a line is longer than {MOST_HEAD} bytes")
        except Refused as refused:
            outcome = Answer(refused.status, str(refused))
        writer.write(outcome.encoded(method, keep))
        await writer.drain()
        return keep

    # ---- Decisions

    async def answer_plain(self, request):
        """Whoever asks without TLS is told where to ask (X-AD-3); a request that may hold a secret is told nothing."""
        if request.method in ("GET", "HEAD"):
            return found(request.url)
        return Answer(403, "TLS is required")

    async def answer(self, request):
        if request.path == "/":
            return found(f"https://{request.host}/owa/")
        directory = virtual_directory(request.path)
        if directory is None:
            return Answer(404, "there is no such virtual directory here")
        if request.path.lower().endswith("/healthcheck.htm"):
            return Answer(200, f"200 OK<br/>{self.fqdn}")
        if self.directory.facts.signs_in_by_forms(directory):
            return await self.answer_by_forms(request, directory)
        return await self.answer_by_basic(request, directory)

    async def answer_by_basic(self, request, directory):
        home = await self.home(request.credentials())
        if not home:
            return Answer(401, "", (("WWW-Authenticate", f'Basic realm="{request.host}"'),))
        where = self.route(request.path, directory, home)
        if isinstance(where, Redirect):
            return found(where.url)
        return Forward(where.candidates, request.head.value("authorization"))

    async def answer_by_forms(self, request, directory):
        path, session = request.path.lower(), forms.session(request.cookies())
        if path == "/owa/auth.owa" and request.method == "POST":
            return await self.sign_in_by_form(request)
        if path == "/owa/auth/logon.aspx":
            return Answer(200, forms.logon_page(request.query, request.host))
        if path == "/ecp/logoff.aspx":
            return found(f"https://{request.host}/owa/logoff.owa")
        if path == "/owa/logoff.owa":
            return found(forms.logon_url(request.host, "/owa/", 1), ("Set-Cookie", self.sessions.end(session)))
        if path.startswith("/owa/auth/"):
            return Answer(404, "there is no such file here")
        credentials = self.sessions.find(session)
        home = await self.home(credentials)
        if not home and request.method in ("GET", "HEAD"):
            return found(forms.logon_url(request.host, request.target, 3 if session else 0))
        if not home:
            return Answer(440, "sign in again")
        where = self.route(request.path, directory, home)
        if isinstance(where, Redirect):
            return moved(where, dict(zip(("username", "password"), credentials)))
        return Forward(where.candidates, "Basic " + base64.b64encode(":".join(credentials).encode()).decode())

    async def sign_in_by_form(self, request):
        typed = forms.fields(await request.form())
        wanted = forms.own_destination(typed, request.host)
        credentials = typed.get("username", ""), typed.get("password", "")
        home = await self.home(credentials)
        if not home:
            return found(forms.logon_url(request.host, wanted, 2))
        where = self.route(wanted, virtual_directory(wanted), home)
        if isinstance(where, Redirect):
            return moved(where, typed)  # no session stays here (CX-OWA-9)
        return found(f"https://{request.host}{wanted}", ("Set-Cookie", self.sessions.begin(credentials)))

    async def home(self, credentials):
        """The server with the mailbox of whose credentials these are; None if nobody's (GEN-1)."""
        try:
            return await self.directory.sign_in(*credentials) if credentials else None
        except (LdapError, OSError, asyncio.IncompleteReadError) as error:
            print(f"the directory cannot be asked: {error!r}", file=sys.stderr)
            raise Refused(503, "the directory cannot be asked") from error

    def route(self, path, directory, home):
        facts = self.directory.facts
        guid = path.lower().removeprefix("/oab/").partition("/")[0]
        return route(facts, directory, home, facts.address_books.get(guid) if directory == "oab" else None)


def moved(where, typed):
    """Moves a user: with what was typed where both ends sign in by forms, else to sign in again (X-OWA-1, X-OWA-3)."""
    if where.silent:
        return Answer(200, forms.silent_page(where.url, where.server.version, typed))
    return found(where.url)


async def run(lab):
    directory = Directory(lab)
    await directory.load()
    front_end = FrontEnd(lab, directory)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity.load_cert_chain(lab["seat"]["certificate"]["chain"], lab["seat"]["certificate"]["key"])
    listen = {name: address.rsplit(":", 1) for name, address in lab["seat"]["listen"].items()}
    plain = await asyncio.start_server(front_end.over_plain, *listen["http"], limit=MOST_HEAD)
    # Last, since a connection to it is taken for readiness.
    tls = await asyncio.start_server(front_end.over_tls, *listen["https"], ssl=identity, limit=MOST_HEAD)
    await stop.wait()
    plain.close()
    tls.close()
    await front_end.end_all()


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        asyncio.run(run(json.load(file)))
