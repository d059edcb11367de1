//! The schemes by which a client signs in over HTTP.

use crate::protocol::words;

words! {
    /// The scheme of an Authorization header. All but Basic are bound to the connection (MS-NTHT, RFC 4559).
    #[derive(Default)]
    Scheme, "scheme", "basic (or ntlm, ntlm-lower-case, negotiate, nego2, ticket, plain, profile)";
    /// Basic, with every request.
    #[default]
    Basic = "basic",
    /// NTLM in three legs.
    Ntlm = "ntlm",
    /// The same, called `ntlm`: a scheme's letter case means nothing (RFC 9110, section 11.1).
    NtlmLowerCase = "ntlm-lower-case",
    /// The same three legs under `Negotiate`: NTLM without SPNEGO around it.
    Negotiate = "negotiate",
    /// The same three legs under `Nego2`.
    Nego2 = "nego2",
    /// The lab's stand-in for Kerberos under `Negotiate`: with the first request, and without a challenge.
    Ticket = "ticket",
    /// What the block of the Autodiscover answer says that leads there; NTLM where none does. Outlook Anywhere only.
    Profile = "profile",
    /// SASL PLAIN (RFC 4616), for mail programs: `AUTHENTICATE PLAIN`, `AUTH PLAIN`. Without it they use LOGIN, USER and PASS.
    Plain = "plain",
}
