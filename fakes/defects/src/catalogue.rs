//! Every defect of the reference that the suite must catch, built or not: id, harm, port, seat, what it does, and the
//! rules of which one at least must fail.
//!
//! Where a row stands for several seats, the one named is the one in which it is run. `one-url-for-all` is run as 2010:
//! a 2013 front end asks no ExternalURL of ActiveSync, so there is nothing that it could get wrong. `closes-on-401` lies
//! at the front: a 2013 front end challenges by itself, and behind it there is no challenge to close after. For the same
//! reason `splits-handshake` and `two-servers-one-handshake` are run as edge: no legs of a sign-in pass through our front ends.
//! `strips-one-spelling` lies in the octets: a head that has been read has no spelling any more. `hangs-when-all-down` lies at
//! the front, where an answer can be withheld: a decision is a value, and no value never comes.

use model::Role;

use crate::Class::{Health, Redirect, Routing, Security, Transport};
use crate::Port::{Back, Bytes, Choose, Decide, Discover, Front, Lane, Order, Pulse};
use crate::{Class, Defect, Port};

/// The whole catalogue, in its order.
pub fn catalogue() -> Vec<Defect> {
    ROWS.iter()
        .map(|row| Defect {
            id: row.id,
            title: row.title,
            rules: row.rules,
            class: row.class,
            port: row.port,
            role: row.role,
            built: crate::is_built(row.id),
        })
        .collect()
}

struct Row {
    id: &'static str,
    class: Class,
    port: Port,
    role: Role,
    title: &'static str,
    rules: &'static [&'static str],
}

macro_rules! rows {
    ($($id:literal: $class:ident $port:ident $role:ident, $title:literal, [$($rule:literal),+ $(,)?];)+) => {
        &[$(Row {
            id: $id,
            class: $class,
            port: $port,
            role: Role::$role,
            title: $title,
            rules: &[$($rule),+],
        }),+]
    };
}

const ROWS: &[Row] = rows! {
    // Sign-in, discovery, choice of server
    "discovers-before-sign-in": Security Decide FrontEnd2013, "redirects or proxies although the password is wrong", ["GEN-1"];
    "tells-versions-apart": Security Front FrontEnd2013, "answers a wrong password differently for 2007, 2010 and 2013", ["GEN-1"];
    "minds-the-device": Routing Decide FrontEnd2013, "chooses by User-Agent or device type", ["GEN-2", "CX-EAS-4B"];
    "reads-2007-as-2010": Routing Discover FrontEnd2013, "believes every legacy mailbox is a 2010 one", ["CX-OWA-2", "CX-EAS-2", "CX-AD-2", "CX-OA-2", "PRE-OWA-2", "PRE-EAS-2", "PRE-OA-2"];
    "reads-2010-as-2013": Routing Discover FrontEnd2013, "sends 2010 mailboxes to an MBX2013", ["CX-OWA-1", "CX-EAS-1", "CX-EWS-1", "CX-OA-1", "CX-AD-1", "CX-IMAP-1", "CX-POP-1"];
    "stays-in-own-site": Routing Decide FrontEnd2013, "takes a 2010 server of its own site for a mailbox elsewhere", ["CX-OWA-3", "CX-EAS-3", "CX-EWS-3", "CX-OA-3", "CX-AD-1", "CX-EAS-4B"];
    "mixes-up-sites": Routing Discover FrontEnd2013, "takes Site2 for Site3", ["CX-OWA-3", "CX-EAS-3", "CX-EWS-3", "CX-OA-3", "CX-OA-8", "CX-AD-1"];
    "one-url-for-all": Routing Discover FrontEnd2010, "takes the OWA ExternalURL as a flag of the site for every protocol", ["TOP-1"];
    "remembers-by-domain": Routing Discover FrontEnd2013, "keeps one answer for a whole mail domain", ["CX-AD-1", "CX-OWA-1", "CX-EWS-3"];
    "remembers-for-ever": Routing Discover FrontEnd2013, "keeps the first answer after a failover", ["CX-AD-4"];
    "takes-a-passive-copy": Routing Discover FrontEnd2013, "sends green to the DAG member without the active copy", ["CX-AD-3", "CX-OWA-6", "CX-EAS-6", "CX-EWS-6", "CX-OA-5", "CX-RPC-3"];
    "mbx2013-of-any-site": Routing Decide FrontEnd2013, "takes an MBX2013 of Site2 for a 2007 mailbox (+mbx2013-s2)", ["CX-AD-2", "CX-EAS-2", "CX-EAS-5"];
    "targets-internal-url": Routing Decide FrontEnd2013, "builds the target from the InternalURL", ["CX-TGT-1"];
    "targets-namespace": Routing Decide FrontEnd2013, "builds the target from the load-balanced name, and meets itself", ["CX-TGT-1", "CX-OWA-1"];
    "keeps-client-host": Routing Back FrontEnd2013, "dials the right server under the client's Host and SNI", ["CX-TGT-1"];
    "minds-letter-case": Routing Front FrontEnd2013, "knows /owa and not /OWA, /ews and not /EWS", ["X-WIRE-8"];
    "reads-across-sites": Routing Decide FrontEnd2010, "reads a Site3 mailbox itself", ["PRE-OWA-3", "PRE-EAS-3", "PRE-EWS-2", "PRE-OA-3"];
    "sends-own-away": Routing Decide FrontEnd2010, "passes a mailbox of its own site to a neighbour", ["PRE-OWA-1", "PRE-EAS-1", "PRE-EWS-1", "PRE-OA-1"];

    // Autodiscover
    "writes-the-answer": Routing Decide FrontEnd2013, "answers by itself, one template for all", ["CX-AD-1", "CX-AD-2", "CX-AD-3"];
    "asks-cas2007": Routing Decide FrontEnd2013, "sends a 2007 mailbox's lookup to CAS2007", ["CX-AD-2"];
    "asks-another-first": Routing Decide FrontEnd2010, "passes the lookup on to the mailbox's site", ["PRE-AD-1"];
    "knows-only-mail": Routing Front FrontEnd2013, "refuses the host name autodiscover", ["CX-AD-6", "PRE-AD-1"];
    "hands-out-one-name": Routing Front FrontEnd2013, "rewrites every host in the answer to mail", ["CX-AD-5", "PRE-AD-2", "CX-EWS-2", "CX-EWS-4", "CX-OAB-2", "CX-OAB-4", "CX-OA-4", "CX-EAS-4A", "PRE-EWS-3", "PRE-EWS-4"];
    "drops-second-exhttp": Transport Front FrontEnd2013, "removes the external ExHTTP block", ["CX-EXHTTP-1"];
    "exhttp-for-all": Routing Front FrontEnd2013, "adds ExHTTP to answers for older mailboxes", ["CX-EXHTTP-4"];
    "swallows-capability": Transport Back FrontEnd2013, "strips X-ClientCanHandle and X-MapiHttpCapability", ["X-AD-1", "X-MAPI-1", "X-WIRE-8"];
    "challenges-plain-http": Security Front FrontEnd2013, "answers the port 80 lookup with 401 instead of 302", ["X-AD-3", "X-SEC-5"];
    "turns-302-into-301": Transport Front FrontEnd2013, "changes the redirect's status", ["X-AD-3", "X-WIRE-3"];
    "follows-redirects": Transport Back Edge, "follows 302 and 451 itself", ["X-AD-2", "PRE-EAS-4B"];

    // Outlook Web App and ECP
    "redirects-bare": Redirect Decide FrontEnd2013, "plain 302 where credentials should travel: a second prompt", ["CX-OWA-2", "CX-OWA-4B", "CX-OWA-5", "PRE-OWA-2", "PRE-OWA-4C"];
    "proxies-2007": Redirect Decide FrontEnd2013, "proxies a 2007 mailbox instead of redirecting it", ["CX-OWA-2", "CX-OWA-5"];
    "proxies-past-external-url": Redirect Decide FrontEnd2013, "proxies to a site that has an ExternalURL", ["CX-OWA-4B", "TOP-1"];
    "redirects-own-site": Redirect Decide FrontEnd2013, "redirects because its own site has an ExternalURL too", ["CX-OWA-1"];
    "redirects-without-url": Redirect Decide FrontEnd2013, "redirects to a site that has none", ["CX-OWA-3"];
    "redirects-inside": Redirect Decide FrontEnd2013, "names the InternalURL to the client", ["CX-OWA-2", "CX-OWA-4B", "CERT-1"];
    "violet-straight-home": Redirect Decide FrontEnd2013, "proxies violet to CAS2007 in Site3", ["CX-OWA-5"];
    "silent-without-fba": Redirect Discover FrontEnd2013, "sends the form although the target has no forms sign-in", ["X-OWA-1", "X-OWA-3"];
    "breaks-special-characters": Redirect Front FrontEnd2013, "does not escape what the user typed", ["X-OWA-4"];
    "password-in-url": Security Front FrontEnd2013, "hands credentials over in the redirect's query", ["X-SEC-5", "CX-OWA-2"];
    "manual-though-silent": Redirect Decide FrontEnd2010, "shows the page with the link where silent is set", ["PRE-OWA-4C"];
    "silent-though-manual": Redirect Decide FrontEnd2010, "redirects silently where the setting is off", ["PRE-OWA-4B"];
    "proxies-2007-facing": Redirect Decide FrontEnd2010, "proxies to 2007 in another internet-facing site", ["X-OWA-2"];
    "forgets-ecp": Routing Decide FrontEnd2013, "routes /owa by mailbox, and /ecp always at home", ["X-ECP-1"];
    "narrows-cookie-path": Transport Front FrontEnd2013, "its session cookie does not cover the page it protects: a second prompt", ["CX-OWA-1", "X-WIRE-10"];
    "widens-cookie-domain": Security Front FrontEnd2013, "its session cookie goes to legacy and mail-region too", ["CX-OWA-9", "X-SEC-5"];
    "session-without-end": Security Front FrontEnd2013, "serves the mailbox after the cookie has expired", ["CX-OWA-7"];
    "session-too-short": Transport Front FrontEnd2013, "ends it before the time it declares", ["CX-OWA-7"];
    "asks-private-or-public": Redirect Front FrontEnd2013, "asks though not configured, or does not though configured", ["CX-OWA-8", "X-OWA-5"];

    // ActiveSync
    "answers-451": Redirect Decide FrontEnd2013, "tells the device to move", ["CX-EAS-4B", "CX-EAS-7"];
    "451-when-down": Redirect Front FrontEnd2013, "says 451 in place of a server's 503", ["CX-EAS-7", "CX-HLT-7"];
    "skips-mbx2013": Routing Decide FrontEnd2013, "goes to CAS2007 directly", ["CX-EAS-2", "CX-EAS-5"];
    "451-to-all": Redirect Decide FrontEnd2010, "tells devices that are not on the list", ["PRE-EAS-4C", "X-EAS-1"];
    "451-to-none": Redirect Decide FrontEnd2010, "always proxies", ["PRE-EAS-4B"];
    "451-without-location": Redirect Front FrontEnd2010, "leaves out X-MS-Location", ["X-EAS-3", "PRE-EAS-4B"];
    "451-names-itself": Redirect Front FrontEnd2010, "names the host just called", ["X-EAS-3", "PRE-EAS-4B"];
    "451-on-post-only": Redirect Decide FrontEnd2010, "answers OPTIONS 200 first", ["X-EAS-4"];
    "451-as-error-page": Transport Front Edge, "swaps the bare 451 for its own page", ["X-WIRE-3", "PRE-EAS-4B"];
    "answers-options": Transport Front FrontEnd2013, "replies to OPTIONS itself; protocol versions are lost", ["CX-EAS-1", "X-WIRE-4"];
    "reads-user-from-query": Routing Discover FrontEnd2013, "routes by User=, so the base64 query and a forged name both mislead it", ["CX-EAS-3", "X-SEC-2"];
    "cuts-ping": Transport Bytes FrontEnd2013, "ends a quiet Ping before its heartbeat", ["X-WIRE-6"];
    "ping-marks-down": Health Pulse FrontEnd2013, "counts a quiet Ping as a failure of the server", ["X-WIRE-6", "CX-HLT-6"];
    "sends-twice": Transport Back FrontEnd2013, "repeats a POST on the next server after a reset", ["X-WIRE-7"];

    // Outlook Anywhere
    "refuses-rpc-verbs": Transport Front FrontEnd2013, "405 or 501 to RPC_IN_DATA", ["X-WIRE-4", "CX-OA-1"];
    "waits-for-whole-body": Transport Bytes FrontEnd2013, "passes nothing on before the declared length is there", ["X-WIRE-5", "CX-OA-1"];
    "waits-for-first-buffer": Transport Bytes FrontEnd2013, "opens no connection behind before 16 KiB of the body came", ["X-WIRE-5", "CX-OA-1"];
    "withholds-known-length": Transport Bytes FrontEnd2013, "holds an answer with a declared length, streams a chunked one", ["X-WIRE-5", "CX-OA-1"];
    "refuses-one-gib": Transport Front FrontEnd2013, "413 by the declared length", ["X-WIRE-5", "CX-OA-1"];
    "rechunks-in-channel": Transport Back FrontEnd2013, "sends the IN body on as chunked", ["X-WIRE-9", "CX-OA-1"];
    "withholds-echo": Transport Bytes FrontEnd2013, "waits for a full PDU before it passes 4 bytes on", ["X-WIRE-5"];
    "cuts-idle-in-channel": Transport Bytes FrontEnd2013, "ends IN for want of bytes while OUT lives", ["X-WIRE-6", "X-WIRE-11"];
    "unwraps-rpc": Routing Decide FrontEnd2013, "opens the RPC itself towards the Mailbox server", ["CX-OA-7", "CX-OA-1", "CX-OA-2", "CX-OA-3"];
    "keeps-rpc-wrapped": Routing Decide FrontEnd2010, "passes the HTTP session on instead of unwrapping", ["PRE-OA-1", "PRE-OA-2", "PRE-OA-3"];
    "dials-the-query": Security Decide FrontEnd2013, "takes the server named in the query as its target", ["CX-OA-5", "X-SEC-2"];
    "hides-missing-ntlm": Transport Front FrontEnd2013, "turns the server leg's 401 into a 500 or a hang", ["CX-OA-6"];
    "loses-rpc-reason": Transport Front FrontEnd2013, "503 Service Unavailable for 503 RPC Error: 6ba", ["X-WIRE-3"];
    "leaves-half-open": Transport Lane FrontEnd2013, "keeps OUT open after IN has gone", ["X-WIRE-11"];

    // EWS, OAB, MAPI
    "replaces-soap-fault": Transport Front FrontEnd2013, "its own page for a 500 with a fault in it", ["X-WIRE-3"];
    "withholds-early-401": Transport Bytes FrontEnd2013, "keeps a challenge back until the whole upload came", ["X-WIRE-5"];
    "holds-streaming-events": Transport Bytes FrontEnd2013, "buffers a streaming answer", ["X-WIRE-5"];
    "swallows-expect": Transport Bytes FrontEnd2013, "never sends 100, never passes it on", ["X-WIRE-12"];
    "caps-body": Transport Front FrontEnd2013, "413 to what it declares to accept", ["X-WIRE-13"];
    "oab-from-any": Routing Decide FrontEnd2013, "ignores who distributes this OAB", ["CX-OAB-6", "CX-OAB-1"];
    "oab-from-mailbox-site": Routing Decide FrontEnd2013, "fetches blue's OAB in Site3, undeclared", ["CX-OAB-3"];
    "oab-green-anywhere": Routing Decide FrontEnd2013, "takes any MBX2013 for green's OAB", ["CX-OAB-7"];
    "ignores-range": Transport Back FrontEnd2013, "drops Range: a whole file for a piece", ["X-WIRE-9"];
    "turns-head-into-get": Transport Back FrontEnd2013, "asks the server behind with GET", ["X-WIRE-4"];
    "compresses-again": Transport Front FrontEnd2013, "adds gzip to WBXML or XML that was not asked for", ["X-WIRE-9"];
    "holds-pending": Transport Bytes FrontEnd2013, "buffers PROCESSING and PENDING", ["X-MAPI-1"];
    "folds-cookies": Transport Bytes FrontEnd2013, "joins Set-Cookie lines, or Cookie lines with a comma", ["X-WIRE-10", "X-MAPI-1"];

    // Connections and sign-in on them
    "pool-forgets-who": Security Lane FrontEnd2013, "shares a connection that NTLM has authenticated", ["X-SEC-4"];
    "pins-after-challenge-only": Security Lane FrontEnd2013, "shares one that a first-request token has authenticated", ["X-SEC-4"];
    "pins-one-spelling": Security Lane FrontEnd2013, "pins NTLM, and neither ntlm nor Nego2", ["X-SEC-4", "X-WIRE-1"];
    "splits-handshake": Transport Lane Edge, "each leg on a new connection", ["X-WIRE-1", "CX-OA-1"];
    "two-servers-one-handshake": Transport Choose Edge, "balances per request, where a name leads to two servers", ["X-WIRE-1"];
    "first-of-several": Routing Choose FrontEnd2013, "declares that it spreads load, and takes the first of several servers each time", ["CX-EAS-1", "PRE-EAS-3"];
    "closes-on-401": Transport Front FrontEnd2013, "ends the connection after each challenge", ["X-WIRE-1"];
    "stalls-on-401-body": Transport Bytes FrontEnd2013, "waits when a challenge has a body, or a HEAD has none", ["X-WIRE-1"];
    "merges-offers": Transport Bytes FrontEnd2013, "three WWW-Authenticate lines become one", ["X-WIRE-2"];
    "invents-basic": Security Front FrontEnd2013, "offers Basic where the server did not", ["X-WIRE-2"];
    "chokes-on-big-heads": Transport Bytes FrontEnd2013, "hangs or resets at a 12 KiB Authorization", ["X-WIRE-13"];
    "lowers-header-names": Transport Bytes FrontEnd2013, "www-authenticate, x-ms-location on HTTP/1", ["X-WIRE-14"];

    // What a client must not be able to do
    "passes-front-end-headers": Security Back FrontEnd2013, "lets a client's X-CommonAccessToken and kin through", ["X-SEC-1"];
    "strips-one-spelling": Security Bytes FrontEnd2013, "strips them, except in another letter case or as a duplicate", ["X-SEC-1"];
    "believes-cookies": Security Decide FrontEnd2013, "goes where X-BEResource or the override cookie says", ["X-SEC-2"];
    "routes-undecoded": Security Decide FrontEnd2013, "takes /owa/%2e%2e/ecp for /owa", ["X-SEC-3"];
    "forwards-both-lengths": Security Bytes FrontEnd2013, "passes Content-Length beside Transfer-Encoding", ["X-SEC-6"];
    "hands-its-session-on": Security Back FrontEnd2013, "sends its own session cookie to a server behind, or to another namespace", ["X-SEC-5"];

    // Health and out of service
    "fears-401": Health Pulse FrontEnd2013, "takes a challenge for a failure", ["CX-HLT-2", "CX-HLT-10"];
    "fears-302": Health Pulse FrontEnd2013, "takes a redirect for a failure", ["CX-HLT-2", "CX-HLT-10"];
    "forgives-503": Health Pulse FrontEnd2013, "takes 502, 503 or 504 for life", ["CX-HLT-3"];
    "no-second-try": Health Pulse FrontEnd2013, "down at the first failure", ["CX-HLT-4"];
    "tries-again-late": Health Pulse FrontEnd2013, "retries only at the next interval", ["CX-HLT-3", "CX-HLT-4"];
    "three-strikes": Health Pulse FrontEnd2013, "needs a third failure", ["CX-HLT-3"];
    "never-forgives": Health Pulse FrontEnd2013, "a server once down stays down", ["CX-HLT-5"];
    "asks-once": Health Pulse FrontEnd2013, "one round at start, none after", ["CX-HLT-1", "CX-HLT-5"];
    "asks-when-used": Health Pulse FrontEnd2013, "first round only after a first client", ["CX-HLT-8"];
    "asks-own-site": Health Pulse FrontEnd2013, "never asks Site2 and Site3", ["CX-HLT-8", "CX-HLT-1"];
    "skips-2007": Health Pulse FrontEnd2013, "never asks the 2007 servers", ["CX-HLT-1", "CX-HLT-8"];
    "one-for-all": Health Pulse FrontEnd2013, "one protocol down, the whole server down", ["CX-HLT-6"];
    "asks-one-path": Health Pulse FrontEnd2013, "asks /owa and concludes for all", ["CX-HLT-1", "CX-HLT-6"];
    "asks-in-own-words": Health Pulse FrontEnd2013, "GET everywhere, another user agent, a query, the namespace as Host", ["CX-HLT-1", "CX-HLT-9"];
    "ignores-out-of-service": Health Discover FrontEnd2013, "routes to a CAS2010 that was taken out", ["CX-OOS-1"];
    "forgets-to-take-back": Health Discover FrontEnd2013, "never uses it again once unset, or later than declared", ["CX-OOS-1", "X-OOS-1"];
    "spills-to-other-site": Health Decide FrontEnd2013, "all down at home, so it goes to Site2", ["CX-HLT-7"];
    "spills-to-other-version": Health Decide FrontEnd2013, "all CAS2010 down, so it goes to CAS2007 or MBX2013", ["CX-HLT-7"];
    "hangs-when-all-down": Health Front FrontEnd2013, "no answer instead of a prompt error", ["CX-HLT-7"];

    // IMAP and POP (each row stands for both)
    "plain-first": Security Order FrontEnd2013, "encrypted client, plaintext target tried first", ["CX-IMAP-4", "CX-POP-4"];
    "one-server-at-a-time": Routing Order FrontEnd2013, "goes through SSL, TLS, plain of the first server before the next server's SSL (+pairs)", ["CX-IMAP-4", "CX-POP-4"];
    "ssl-for-everyone": Routing Order FrontEnd2013, "plaintext client, SSL target tried first", ["CX-IMAP-5", "CX-POP-5"];
    "fqdn-for-2010": Routing Discover FrontEnd2013, "ignores the connection settings of 2010 servers", ["CX-IMAP-2", "CX-POP-2"];
    "reads-2007-settings": Routing Discover FrontEnd2013, "uses connection settings of 2007 servers instead of FQDNs", ["CX-IMAP-3", "CX-POP-3"];
    "candidates-at-home": Routing Discover FrontEnd2013, "looks for candidates in its own site", ["CX-IMAP-2", "CX-POP-2", "CX-IMAP-1", "CX-POP-1"];
    "refers-the-client": Redirect Front FrontEnd2013, "answers with a referral instead of proxying", ["CX-IMAP-1", "CX-POP-1"];
    "skips-the-stopped": Health Order FrontEnd2013, "asks first and leaves a stopped service out", ["CX-IMAP-6", "CX-POP-6", "CX-IMAP-7", "CX-POP-7"];
    "keeps-mail-warm": Health Lane FrontEnd2013, "opens IMAP and POP connections without a client", ["CX-IMAP-7", "CX-POP-7"];
    "hangs-on-the-stopped": Transport Bytes FrontEnd2013, "no clear error when the chosen service is stopped", ["CX-IMAP-6", "CX-POP-6"];
    "keeps-early-commands": Security Bytes FrontEnd2013, "runs what came before STARTTLS", ["X-SEC-7"];

    // Names and certificates
    "one-name-certificate": Transport Front FrontEnd2013, "serves autodiscover with a certificate for mail only", ["CERT-1"];
    "drops-intermediate": Transport Front FrontEnd2013, "sends the leaf alone", ["CERT-1"];
    "insists-on-sni": Transport Front FrontEnd2013, "resets a client that sends none", ["X-TLS-1"];
    "resolves-once": Routing Back FrontEnd2013, "keeps a server's first address for ever", ["X-DNS-1"];
};
