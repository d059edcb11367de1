"""Where servers are: asked of DNS, and believed for as long as the answer says (X-DNS-1).

A resolver of our own, since the system's asks whom it was set up to ask, and hides how long an answer holds. It asks for A
records alone, over UDP alone: what names a lab has fits into one datagram.
"""

import asyncio
import secrets
import struct

ANSWER_WITHIN = 1  # seconds
ATTEMPTS = 2
A_IN = struct.pack("!HH", 1, 1)  # type A, class IN


class Names:
    """The names of the inside."""

    def __init__(self, lab):
        host, port = lab["dns"]["internal"].rsplit(":", 1)
        self.server = host, int(port)
        self.source = lab["source"]
        self.mapped = {(entry["ip"], entry["port"]): entry["address"] for entry in lab["mapped"]}
        self.known = {}  # from a name to its address, and until when that holds

    async def find(self, name, port):
        """Host and port to dial for a name and canonical port; OSError if there is none."""
        now = asyncio.get_running_loop().time()
        address, until = self.known.get(name, (None, now))
        if until <= now:
            address, ttl = await self.ask(name)
            self.known[name] = address, now + ttl
        host, real = self.mapped.get((address, port), f"{address}:{port}").rsplit(":", 1)
        return host, int(real)

    async def ask(self, name):
        for _ in range(ATTEMPTS):
            number = secrets.token_bytes(2)
            answered = asyncio.get_running_loop().create_future()
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Question(number, name, answered),
                local_addr=(self.source, 0),
                remote_addr=self.server,
            )
            try:
                return await asyncio.wait_for(answered, ANSWER_WITHIN)
            except TimeoutError:
                continue
            finally:
                transport.close()
        raise OSError(f"DNS says nothing of {name}")


class Question(asyncio.DatagramProtocol):
    """One question, and the first answer that is one to it."""

    def __init__(self, number, name, answered):
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        self.asked = labels + b"\0" + A_IN
        self.number = number
        self.name = name
        self.answered = answered

    def connection_made(self, transport):
        header = self.number + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0)  # recursion desired, one question
        transport.sendto(header + self.asked)

    def datagram_received(self, data, _):
        if not self.answered.done() and data[:2] == self.number and len(data) > 2 and data[2] & 0x80:
            try:
                self.answered.set_result(self.address(data))
            except (IndexError, struct.error, OSError) as error:
                self.answered.set_exception(OSError(f"{self.name}: {error}"))

    def error_received(self, error):
        if not self.answered.done():
            self.answered.set_exception(error)

    def address(self, data):
        """The first address of an answer, and for how many seconds it holds (RFC 1035, 4.1)."""
        at = 12 + len(self.asked)
        for _ in range(struct.unpack_from("!H", data, 6)[0]):
            while data[at] and data[at] < 0xC0:
                at += 1 + data[at]
            at += 2 if data[at] else 1  # a pointer ends a name as the root does
            kind, ttl, length = data[at : at + 4], *struct.unpack_from("!IH", data, at + 4)
            at += 10 + length
            if kind == A_IN and length == 4:
                return ".".join(str(byte) for byte in data[at - 4 : at]), ttl
        raise OSError(f"it has no address (code {data[3] & 15})")
