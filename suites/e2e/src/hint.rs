//! What a difference most likely means, for the author of a proxy. A guess, and said as one.

use model::Protocol;
use model::case::{Case, Told};
use model::verdict::{Difference, SeenLeg};

/// A sentence for the first difference, where one is known.
pub fn likely(case: &Case, why: &[Difference], seen: &[SeenLeg]) -> Option<String> {
    let first = why.first()?;
    let leg = first.leg.checked_sub(1).and_then(|at| seen.get(at));
    let extra = |prefix: &str| {
        leg.is_some_and(|leg| leg.hops.iter().any(|hop| !hop.expected && hop.server.starts_with(prefix)))
    };
    let expects_silent =
        case.steps.iter().flat_map(|step| &step.then).any(|leg| matches!(leg.told, Told::SilentRedirect(_)));
    let protocol = case.protocols().first().copied();
    let says = match first.what.as_str() {
        "stranger" => "a connection that one user signed in carries another user's request: do not share it",
        "invariant" if first.says.contains("451") => {
            "Exchange 2013 proxies devices and never tells them to move"
        }
        "invariant" if first.says.contains("FQDN") => {
            "the target's name is built from a namespace or an InternalUrl; a legacy server is dialled by its FQDN"
        }
        "hops" if expects_silent && extra("cas2007") => {
            "the proxy treats a 2007 mailbox in its own site as something to proxy; 2007 is redirected"
        }
        "hops" if extra("cas2007") && protocol == Some(Protocol::Autodiscover) => {
            "Autodiscover of a 2007 mailbox is answered by an MBX2013, not by CAS2007"
        }
        "hops" if extra("cas") => {
            "another Client Access server was chosen: look at the mailbox's site and version"
        }
        "hops" if extra("mbx") => {
            "another Mailbox server was reached: look at the active copy of the database"
        }
        "hops" if first.says.contains("never saw") => {
            "the proxy answered by itself where it must pass the request on"
        }
        "carried" if first.says.contains("had not happened") => {
            "the proxy holds back what it could pass on: it waits for more of the body, or for its end"
        }
        "carried" if first.says.contains("servers behind 2 times") => {
            "the proxy sends again what may change something"
        }
        "prompts" if first.says.contains("credentials") => {
            "the user had to sign in once more: a redirect without credentials, or a cookie that does not come back"
        }
        "prompts" => "the certificate served for this name is not right for it",
        "told" if expects_silent => {
            "the redirect is not silent: what the user typed does not reach the target"
        }
        _ => return None,
    };
    Some(says.to_owned())
}
