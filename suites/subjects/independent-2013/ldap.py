"""A small LDAP v3 client (RFC 4511) on asyncio: simple bind, and searches in pages (RFC 2696). Answers are bounded."""

import asyncio
from contextlib import asynccontextmanager

MOST_MESSAGE = 1024 * 1024
MOST_ENTRIES = 100_000
PAGE = 500
ANSWER_WITHIN = 5  # seconds

BASE, SUBTREE = 0, 2  # the scopes of a search
SUCCESS, INVALID_CREDENTIALS = 0, 49
PAGED_RESULTS = b"1.2.840.113556.1.4.319"

INTEGER, OCTETS, ENUMERATED, BOOLEAN, SEQUENCE = 0x02, 0x04, 0x0A, 0x01, 0x30
BIND, BOUND, UNBIND, SEARCH, ENTRY, DONE = 0x60, 0x61, 0x42, 0x63, 0x64, 0x65
SIMPLE, CONTROLS = 0x80, 0xA0
EQUALS, PRESENT = 0xA3, 0x87


class LdapError(Exception):
    """The directory answered with an error, or not in LDAP."""


# ---- BER


def encode(tag, *content):
    """One element: its tag, its length in the shortest form, and what it holds."""
    value = b"".join(content)
    length = len(value)
    if length < 0x80:
        return bytes([tag, length]) + value
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + value


def number(value, tag=INTEGER):
    return encode(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def text(value, tag=OCTETS):
    return encode(tag, value.encode())


def elements(data):
    """The tag and content of each element in `data`."""
    at, found = 0, []
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            at, size = at + (size & 0x7F), int.from_bytes(data[at : at + (size & 0x7F)], "big")
        if at + size > len(data):
            raise LdapError("an element of an answer is longer than what holds it")
        found.append((tag, data[at : at + size]))
        at += size
    return found


# ---- Filters


def equals(attribute, value):
    """A filter. The value is data, not syntax: nothing in it needs to be escaped."""
    return encode(EQUALS, text(attribute), text(value))


ANYTHING = text("objectClass", PRESENT)


# ---- The conversation


class Entry:
    """An object: its name, and its attributes by their names in small letters."""

    def __init__(self, name, attributes):
        self.name = name
        self.attributes = attributes

    def octets(self, attribute):
        return next(iter(self.attributes.get(attribute.lower(), [])), None)

    def every(self, attribute):
        return [value.decode() for value in self.attributes.get(attribute.lower(), [])]

    def value(self, attribute):
        return next(iter(self.every(attribute)), None)


@asynccontextmanager
async def connected(host, port, source, tls=None, name=None):
    """A connection, closed at the end. With `tls`, the server has to prove that it is `name`."""
    opening = asyncio.open_connection(host, port, local_addr=(source, 0), ssl=tls, server_hostname=name)
    reader, writer = await asyncio.wait_for(opening, ANSWER_WITHIN)
    try:
        yield Connection(reader, writer)
        writer.write(encode(SEQUENCE, number(0x7FFFFFFF), bytes([UNBIND, 0])))
    finally:
        writer.close()


class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.last = 0

    async def bind(self, name, password):
        """Whether this is the password of that name (DN, UPN or DOMAIN\\user)."""
        if not password:
            return False  # a bind without one is anonymous, and succeeds for anybody (RFC 4513, 5.1.2)
        await self.send(encode(BIND, number(3), text(name), text(password, SIMPLE)))
        _, result, _ = await self.receive()
        code = self.code(result)
        if code not in (SUCCESS, INVALID_CREDENTIALS):
            raise LdapError(f"the directory answered a bind with result {code}")
        return code == SUCCESS

    async def search(self, base, scope, wanted, attributes):
        """Every entry that the filter `wanted` picks, read page by page."""
        limits = (number(0, ENUMERATED), number(0), number(0), encode(BOOLEAN, b"\0"))
        names = encode(SEQUENCE, *map(text, attributes))
        operation = encode(SEARCH, text(base), number(scope, ENUMERATED), *limits, wanted, names)
        found, cookie = [], b""
        while True:
            page = encode(SEQUENCE, number(PAGE), encode(OCTETS, cookie))
            paged = encode(SEQUENCE, encode(OCTETS, PAGED_RESULTS), encode(OCTETS, page))
            await self.send(operation, encode(CONTROLS, paged))
            while True:
                tag, content, controls = await self.receive()
                if tag == ENTRY:
                    found.append(entry(content))
                    if len(found) > MOST_ENTRIES:
                        raise LdapError(f"the directory holds more than {MOST_ENTRIES} entries below {base}")
                elif tag == DONE:
                    break
            if code := self.code(content):
                raise LdapError(f"the directory answered a search below `{base}` with result {code}")
            cookie = next_page(controls)
            if not cookie:
                return found

    async def send(self, operation, controls=b""):
        self.last += 1
        self.writer.write(encode(SEQUENCE, number(self.last), operation, controls))
        await self.writer.drain()

    async def receive(self):
        """The next answer: tag and content of its operation, and its controls."""
        message = elements(await asyncio.wait_for(self.message(), ANSWER_WITHIN))
        if len(message) < 2 or int.from_bytes(message[0][1], "big") != self.last:
            raise LdapError("the directory answered something that was not asked")
        (tag, content), rest = message[1], message[2:]
        return tag, content, rest

    async def message(self):
        tag, size = await self.reader.readexactly(2)
        if size & 0x80:
            size = int.from_bytes(await self.reader.readexactly(size & 0x7F), "big")
        if tag != SEQUENCE or size > MOST_MESSAGE:
            raise LdapError("the directory's answer is no LDAP message, or too long a one")
        return await self.reader.readexactly(size)

    @staticmethod
    def code(result):
        return int.from_bytes(elements(result)[0][1], "big")


def entry(content):
    (_, name), (_, listed) = elements(content)
    attributes = {}
    for _, attribute in elements(listed):
        (_, description), (_, values) = elements(attribute)
        attributes[description.decode().lower()] = [value for _, value in elements(values)]
    return Entry(name.decode(), attributes)


def next_page(controls):
    """The cookie that asks for the next page; empty where this was the last one."""
    for _, listed in controls:
        for _, control in elements(listed):
            kind, *rest = elements(control)
            if kind[1] == PAGED_RESULTS:
                [(_, value)] = elements(rest[-1][1])
                return elements(value)[1][1]
    return b""
