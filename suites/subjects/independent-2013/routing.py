"""Where a request goes: the coexistence rules as functions of facts. Nothing here waits or asks anybody.

CX-AD-1 to 3, CX-OWA-1 to 6, X-OWA-1 and 3, X-ECP-1, CX-EAS-1 to 6, CX-EWS-1 to 6, CX-OAB-1 to 7.
"""

from dataclasses import dataclass

EXCHANGE_2007, EXCHANGE_2010, EXCHANGE_2013 = 8, 14, 15  # major versions


@dataclass(frozen=True)
class Page:
    """A virtual directory for people: Outlook Web App, or the control panel."""

    external_url: str | None
    forms: bool  # forms-based sign-in is on
    forms_outside: bool  # and listed as authentication for clients outside


@dataclass(frozen=True)
class Server:
    """An Exchange server, as the directory states it."""

    fqdn: str
    site: str
    version: int
    client_access: bool
    mailboxes: bool
    pages: dict  # "owa" and "ecp", where it has them


@dataclass(frozen=True)
class AddressBook:
    """An Offline Address Book: the servers that distribute it, and the one that generates a 2013 one."""

    points: list
    generated_on: Server | None


@dataclass(frozen=True)
class Facts:
    """What is known of the organization; `seat` is this front end's own server."""

    seat: Server
    servers: list
    address_books: dict  # by GUID, in small letters

    def signs_in_by_forms(self, directory):
        return directory in self.seat.pages and self.seat.pages[directory].forms

    def client_access(self, version, site):
        return [s for s in self.servers if s.client_access and s.version == version and s.site == site]

    def mailbox_servers(self, version, site):
        return [s for s in self.servers if s.mailboxes and s.version == version and s.site == site]


@dataclass(frozen=True)
class Proxy:
    """The request goes on to one of these; to none of them where the list is empty."""

    candidates: list


@dataclass(frozen=True)
class Redirect:
    """The client starts over at this URL of this server."""

    url: str
    server: Server
    silent: bool  # both ends sign in by forms, so what the user typed may travel


def route(facts, directory, home, address_book=None):
    """What becomes of a request for a virtual directory, by a user whose mailbox is on the server `home`."""
    if directory == "oab":
        return Proxy(distribution_points(facts, address_book))
    if home.version == EXCHANGE_2013:
        return Proxy([home])
    if directory in ("owa", "ecp"):
        return page_of(facts, directory, home)
    if home.version == EXCHANGE_2010:
        return Proxy(facts.client_access(EXCHANGE_2010, home.site))
    if directory == "ews":
        return Proxy([])  # Autodiscover hands out the legacy namespace; no 2013 front end serves it
    return Proxy(facts.mailbox_servers(EXCHANGE_2013, facts.seat.site))


def page_of(facts, directory, home):
    """Outlook Web App and the control panel: the two that people are redirected from."""
    if home.version == EXCHANGE_2010:
        own = facts.client_access(EXCHANGE_2010, home.site)
        if home.site == facts.seat.site:
            return Proxy(own)
        return redirect(facts, directory, own) or Proxy(own)
    # Exchange 2007 has no control panel of its own: what it offers is in Outlook Web App. A site that publishes nothing
    # is reached through ours (CX-OWA-5).
    nearest = facts.client_access(EXCHANGE_2007, home.site) + facts.client_access(EXCHANGE_2007, facts.seat.site)
    return redirect(facts, "owa", nearest) or Proxy([])


def redirect(facts, directory, servers):
    """To the first that publishes the virtual directory, if any does."""
    for server in servers:
        page = server.pages.get(directory)
        if page and page.external_url:
            silent = page.forms and page.forms_outside and facts.signs_in_by_forms(directory)
            return Redirect(page.external_url, server, silent)
    return None


def distribution_points(facts, address_book):
    """Of a 2013 address book, who generates it; of an older one, any in our own site that distributes it."""
    if address_book is None:
        return []
    if address_book.generated_on:
        return [address_book.generated_on]
    return [server for server in address_book.points if server.site == facts.seat.site]
