"""Who signs in, where the mailbox is, and what servers there are: asked of Active Directory over LDAPS (GEN-1).

A password is checked by a bind, which the user's own entry is then read with.
"""

import ssl
import struct
from urllib.parse import urlsplit

from ldap import ANYTHING, BASE, SUBTREE, LdapError, connected, equals
from routing import AddressBook, Facts, Page, Server

MAILBOX, CLIENT_ACCESS = 2, 4  # bits of msExchCurrentServerRoles
FBA = 4  # a bit of the authentication methods of a virtual directory
METHODS = ["msExchInternalAuthenticationMethods", "msExchExternalAuthenticationMethods"]
PAGES = {"msExchOWAVirtualDirectory": "owa", "msExchECPVirtualDirectory": "ecp"}
TCP = "ncacn_ip_tcp:"  # what stands before the FQDN among a server's network addresses


class Directory:
    """What the directory says. `facts` are as they were at the latest sign-in."""

    def __init__(self, lab):
        self.where = urlsplit(lab["ldaps"])
        self.trusted = ssl.create_default_context(cafile=lab["ca"])
        self.source = lab["source"]
        self.own_name = lab["seat"]["fqdn"]
        self.account = lab["service-account"]
        self.domain = self.account["user"].partition("\\")[0]  # of a user who types no domain
        self.facts, self.homes, self.as_of = None, {}, None

    def connected(self):
        name = self.where.hostname
        return connected(name, self.where.port, self.source, self.trusted, name)

    async def load(self):
        async with self.connected() as ldap:
            if not await ldap.bind(self.account["user"], self.account["password"]):
                raise LdapError(f"the directory does not take the password of {self.account['user']}")
            await self.refresh(ldap)

    async def sign_in(self, user, password):
        """The server with the user's mailbox; None where name or password is wrong, or there is no mailbox."""
        name = user if {"\\", "@"} & set(user) else f"{self.domain}\\{user}"
        async with self.connected() as ldap:
            if not await ldap.bind(name, password):
                return None
            naming_context = await self.refresh(ldap)
            domain, _, account = name.rpartition("\\")
            named = equals("sAMAccountName", account) if domain else equals("userPrincipalName", name)
            people = await ldap.search(naming_context, SUBTREE, named, ["homeMDB"])
            return self.homes.get(folded(people[0].value("homeMDB"))) if people else None

    async def refresh(self, ldap):
        """Reads the organization again if anything in the directory has changed; gives the name of the domain."""
        wanted = ["defaultNamingContext", "configurationNamingContext", "highestCommittedUSN"]
        [root] = await ldap.search("", BASE, ANYTHING, wanted)
        if self.as_of != root.value("highestCommittedUSN"):
            await self.read(ldap, root.value("configurationNamingContext"))
            self.as_of = root.value("highestCommittedUSN")
        return root.value("defaultNamingContext")

    async def read(self, ldap, configuration):
        async def every(kind, attributes):
            return await ldap.search(configuration, SUBTREE, equals("objectClass", kind), attributes)

        pages = {}
        for kind, directory in PAGES.items():
            for entry in await every(kind, [*METHODS, "msExchExternalHostName"]):
                pages.setdefault(server_of(entry.name), {})[directory] = page(entry)
        names = ["networkAddress", "msExchServerSite", "versionNumber", "msExchCurrentServerRoles"]
        servers = {}
        for entry in await every("msExchExchangeServer", names):
            servers[folded(entry.name)] = server(entry, pages.get(folded(entry.name), {}))
        homes = {}
        for database in await every("msExchPrivateMDB", ["msExchOwningServer"]):
            homes[folded(database.name)] = servers[folded(database.value("msExchOwningServer"))]
        books = {}
        names = ["objectGUID", "msExchOABVirtualDirectoriesLink", "coexistOrganizationMailboxDatabase"]
        for entry in await every("msExchOAB", names):
            points = [servers[server_of(name)] for name in entry.every("msExchOABVirtualDirectoriesLink")]
            generated_on = homes.get(folded(entry.value("coexistOrganizationMailboxDatabase")))
            books[guid(entry.octets("objectGUID"))] = AddressBook(points, generated_on)
        [seat] = [found for found in servers.values() if found.fqdn == self.own_name]
        self.facts, self.homes = Facts(seat, list(servers.values()), books), homes


def folded(name):
    """A distinguished name as a key."""
    return (name or "").lower()


def server_of(name):
    """The key of the server that a virtual directory is below."""
    return folded(name).partition(",cn=protocols,")[2]


def guid(octets):
    """A GUID as addresses write it; its first three numbers come with their lowest octet first."""
    first, second, third = struct.unpack("<IHH", octets[:8])
    return f"{first:08x}-{second:04x}-{third:04x}-{octets[8:10].hex()}-{octets[10:].hex()}"


def page(entry):
    inside, outside = (bool(int(entry.value(name) or 0) & FBA) for name in METHODS)
    return Page(entry.value("msExchExternalHostName"), inside, outside)


def server(entry, pages):
    roles = int(entry.value("msExchCurrentServerRoles"))
    return Server(
        fqdn=next(a.removeprefix(TCP) for a in entry.every("networkAddress") if a.startswith(TCP)),
        site=folded(entry.value("msExchServerSite")),
        version=int(entry.value("versionNumber")) >> 22 & 0x3F,
        client_access=bool(roles & CLIENT_ACCESS),
        mailboxes=bool(roles & MAILBOX),
        pages=pages,
    )
