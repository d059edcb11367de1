"""Forms-based sign-in: the logon page, the sessions behind its cookie, and the page that signs a user in elsewhere.

CX-OWA-7: a session lasts 60 minutes. CX-OWA-8: no public or private question. X-OWA-4: whatever was typed survives.
"""

import secrets
from html import escape
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from http1 import Refused

COOKIE = "cadata"
LASTS = 60 * 60  # seconds
MOST_SESSIONS = 10_000
URL_CHARACTERS = "/?:@!$&'()*+,;=%~-._"
LOGON_POSTS_TO = {8: "/owa/auth/owaauth.dll", 14: "/owa/auth.owa"}  # by a server's major version
REASONS = {
    "2": "The user name or password you entered isn't correct. Try entering it again.",
    "3": "Your session has timed out. To protect your account, please sign in again.",
}

LOGON = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Outlook Web App</title></head><body>
<form name="logonForm" action="/owa/auth.owa" method="POST" autocomplete="off">
{kept}
<p>{message}</p>
<label>User name: <input id="username" name="username"></label>
<label>Password: <input id="password" name="password" type="password"></label>
<input type="hidden" name="passwordText" value="">
<input type="submit" value="sign in">
</form></body></html>
"""

SILENT = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Outlook Web App</title></head><body onload="document.forms[0].submit()">
<form name="silentForm" action="{action}" method="POST">
{kept}
<noscript><input type="submit" value="continue"></noscript>
</form></body></html>
"""


class Sessions:
    """Who signed in, by the value of a cookie that says nothing. Use does not prolong a session."""

    def __init__(self, clock):
        self.clock = clock
        self.known = {}  # value of the cookie: credentials, when it ends; oldest first

    def begin(self, credentials):
        if len(self.known) >= MOST_SESSIONS:
            del self.known[next(iter(self.known))]
        value = secrets.token_urlsafe(24)
        self.known[value] = credentials, self.clock() + LASTS
        return f"{COOKIE}={value}; path=/; secure; HttpOnly"

    def find(self, value):
        credentials, ends = self.known.get(value, (None, 0))
        return credentials if ends > self.clock() else None

    def end(self, value):
        self.known.pop(value, None)
        return f"{COOKIE}=; path=/; expires=Thu, 01-Jan-1970 00:00:00 GMT; secure; HttpOnly"


def session(cookies):
    """The value of our cookie, among `name=value` of all."""
    return next((cookie.partition("=")[2] for cookie in cookies if cookie.startswith(f"{COOKIE}=")), None)


def fields(text):
    """The fields of a form, or of a query; the first of each name."""
    try:
        return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True, max_num_fields=32).items()}
    except ValueError as error:
        raise Refused(400, "the form has too many fields") from error


def logon_url(host, wanted, reason):
    query = urlencode({"replaceCurrent": 1, "reason": reason, "url": f"https://{host}{wanted}"})
    return f"https://{host}/owa/auth/logon.aspx?{query}"


def logon_page(query, host):
    asked = fields(query)
    kept = {
        "destination": asked.get("url") or f"https://{host}/owa/",
        "flags": 4,
        "forcedownlevel": 0,
        "trusted": 4,
        "isUtf8": 1,
    }
    return LOGON.format(kept=hidden(kept), message=REASONS.get(asked.get("reason"), ""))


def own_destination(typed, host):
    """Path and query of where the user wanted to go, if that is a page of our host; else of the mailbox."""
    try:
        wanted = urlsplit(typed.get("destination", ""))
    except ValueError:
        return "/owa/"
    ours = wanted.scheme == "https" and wanted.netloc.lower() == host.lower()
    if not ours or not wanted.path.lower().startswith(("/owa/", "/ecp/")):
        return "/owa/"
    return quote(f"{wanted.path}?{wanted.query}" if wanted.query else wanted.path, safe=URL_CHARACTERS)


def silent_page(target, version, typed):
    """A form that posts itself to the target's logon, so that the user types once (CX-OWA-2, CX-OWA-4B)."""
    kept = {
        "destination": target,
        "flags": typed.get("flags", 4),
        "forcedownlevel": typed.get("forcedownlevel", 0),
        "trusted": typed.get("trusted", 4),
        "username": typed["username"],
        "password": typed["password"],
        "isUtf8": 1,
    }
    action = f"https://{urlsplit(target).netloc}{LOGON_POSTS_TO[version]}"
    return SILENT.format(action=escape(action), kept=hidden(kept))


def hidden(kept):
    inputs = (f'<input type="hidden" name="{name}" value="{escape(str(value))}">' for name, value in kept.items())
    return "\n".join(inputs)
