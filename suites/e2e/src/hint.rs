//! What a difference most likely means, for the author of a proxy. A guess, and said as one.

use model::case::{Case, Told};
use model::topology::Authentication;
use model::verdict::{Difference, SeenLeg};
use model::{Protocol, ServerName, Topology, Version};

/// A sentence for the first difference, where one is known.
pub fn likely(case: &Case, why: &[Difference], seen: &[SeenLeg], topology: &Topology) -> Option<String> {
    let first = why.first()?;
    if let Some(server) = without_ntlm(case, topology).filter(|_| first.what != "stranger") {
        return Some(format!(
            "{server}/outlook-anywhere lacks NTLM: add Ntlm to IISAuthenticationMethods of its Rpc virtual directory; \
             until then a 401 is due, at once"
        ));
    }
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
        "spread" => {
            "the proxy picks the same of several servers each time, though it declares that it spreads load"
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

/// A server of an older version that a leg of Outlook Anywhere passes, and at whose virtual directory a front end cannot sign in by
/// NTLM (rule CX-OA-6).
fn without_ntlm(case: &Case, topology: &Topology) -> Option<ServerName> {
    let legs = case
        .steps
        .iter()
        .flat_map(|step| &step.then)
        .filter(|_| case.protocols().contains(&Protocol::OutlookAnywhere));
    let mut passed = legs.flat_map(|leg| &leg.hops).flat_map(|hop| &hop.at.0);
    let lacks = |name: &&ServerName| {
        topology.server(name).is_some_and(|server| {
            let ntlm = [Authentication::Ntlm, Authentication::Windows];
            let own = server.outlook_anywhere.as_ref();
            server.version != Version::Exchange2013
                && own.is_some_and(|own| !own.iis_authentication.iter().any(|word| ntlm.contains(word)))
        })
    };
    // Before the 2013 front end nobody signs in there by NTLM on a user's behalf.
    let newest = || topology.servers.values().any(|server| server.version == Version::Exchange2013);
    passed.find(lacks).filter(|_| newest()).cloned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::suite::Suite;

    fn hint(id: &str, what: &str) -> Option<String> {
        let suite = Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        let case = suite.cases.iter().find(|case| case.id.as_str() == id).unwrap();
        let why = Difference { leg: 1, what: what.to_owned(), says: "told otherwise".to_owned() };
        likely(case, &[why], &[], &suite.topology_of(case).unwrap())
    }

    #[test]
    fn where_ntlm_is_missing_the_virtual_directory_and_its_property_are_named() {
        let says = hint("coexistence/outlook-anywhere/red-without-ntlm", "told").unwrap();
        assert!(says.starts_with("cas2010-s1/outlook-anywhere lacks NTLM: "), "{says}");
        assert!(says.contains("add Ntlm to IISAuthenticationMethods of its Rpc virtual directory"), "{says}");
        let stranger = hint("coexistence/outlook-anywhere/red-without-ntlm", "stranger").unwrap();
        assert!(stranger.contains("do not share it"), "{stranger}");
        for sound in ["coexistence/outlook-anywhere/red", "coexistence/owa/red"] {
            assert_eq!(hint(sound, "told"), None, "{sound}");
        }
    }
}
