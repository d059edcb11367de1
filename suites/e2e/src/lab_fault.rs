//! Faults of the lab, for rules at which the subject is idle: what is handed to the lab is another topology than the one
//! that the cases are judged by, so that it can be seen that such a case can fail.

use exchange::Script;
use model::case::{Askers, FaultAt};
use model::topology::{Certificate, Namespace, OutlookAnywhere, Server, ServerRole};
use model::{ExternalUrl, HostName, InternalUrl, Protocol, ServerName, Topology, Version, WebUrl};

/// One thing that is wrong about a lab.
#[derive(Debug)]
pub struct LabFault {
    /// Its name, `lab-scp-to-site2`.
    pub id: &'static str,
    /// What is wrong.
    pub title: &'static str,
    /// The rules of which one at least must fail.
    pub rules: &'static [&'static str],
    spoil: fn(&mut Topology),
    /// What older servers answer whoever asks for their health.
    pub(crate) pings: Option<&'static str>,
}

/// Every fault of the lab that speaks of HTTP, names and certificates.
pub const LAB_FAULTS: &[LabFault] = &[
    LabFault {
        id: "lab-namespace-one-view",
        title: "mail resolves outside only",
        rules: &["TOP-4"],
        spoil: |topology| each_namespace(topology, "mail.", |mail| mail.internal.clear()),
        pings: None,
    },
    LabFault {
        id: "lab-name-leaks-outside",
        title: "the external view answers an internal-only name",
        rules: &["DNS-1"],
        spoil: |topology| {
            each_namespace(topology, "", |name| {
                if name.external.is_empty() {
                    name.external.clone_from(&name.internal);
                }
            });
        },
        pings: None,
    },
    LabFault {
        id: "lab-scp-to-site2",
        title: "the service connection points lead to CAS2010 in Site2",
        rules: &["PRE-AD-1", "CX-AD-6"],
        spoil: |topology| {
            let region = host(topology, "mail-region");
            for server in topology.servers.values_mut() {
                server.scp = server.scp.take().map(|scp| WebUrl { host: region.clone(), ..scp });
            }
        },
        pings: None,
    },
    LabFault {
        id: "lab-trust-ignored",
        title: "nothing is wrong with a certificate that the case says is wrong",
        rules: &["CERT-1", "CX-EXHTTP-3"],
        spoil: |topology| {
            for server in topology.servers.values_mut() {
                server.certificate = Certificate::Valid;
            }
        },
        pings: None,
    },
    LabFault {
        id: "lab-region-asks-site1",
        title: "CAS2010 in Site2 passes its own mailbox through Site1",
        rules: &[
            "PRE-OA-4",
            "PRE-OWA-4A",
            "PRE-EAS-4A",
            "PRE-EWS-4",
            "CX-OA-4",
            "CX-OWA-4A",
            "CX-EAS-4A",
            "CX-EWS-4",
        ],
        spoil: |topology| moves(topology, "mbx2010-s2"),
        pings: None,
    },
    LabFault {
        id: "lab-legacy-reads-afar",
        title: "CAS2007 in Site1 reads MBX2007 in Site3 itself",
        rules: &["CX-OWA-5", "CX-EWS-5"],
        spoil: |topology| moves(topology, "mbx2007-s3"),
        pings: None,
    },
    LabFault {
        id: "lab-legacy-handed-mail",
        title: "Autodiscover hands mail to purple and violet",
        rules: &["CX-AD-5", "PRE-AD-2", "CX-EWS-2", "CX-EWS-5", "CX-OAB-2", "CX-OAB-5"],
        spoil: |topology| {
            names_mail(topology, "cas2007-s1", Protocol::Ews);
            names_mail(topology, "cas2007-s1", Protocol::Oab);
        },
        pings: None,
    },
    LabFault {
        id: "lab-region-oab-elsewhere",
        title: "orange's OAB URL names mail",
        rules: &["CX-OAB-4", "CX-AD-5"],
        spoil: |topology| names_mail(topology, "cas2010-s2", Protocol::Oab),
        pings: None,
    },
    LabFault {
        id: "lab-mbx2013-uses-fqdn",
        title: "MBX2013 ignores the InternalURL of CAS2007's ActiveSync",
        rules: &["CX-EAS-2", "CX-EAS-5"],
        spoil: |topology| {
            let old: Vec<ServerName> = topology
                .servers
                .iter()
                .filter(|(_, server)| server.version == Version::Exchange2007)
                .map(|(name, _)| name.clone())
                .collect();
            for name in old {
                let fqdn = topology.fqdn(&name);
                let Some(server) = topology.servers.get_mut(&name) else { continue };
                if let Some(InternalUrl(url)) =
                    server.directories.get_mut(&Protocol::Eas).and_then(|eas| eas.internal_url.as_mut())
                {
                    url.host = fqdn;
                }
            }
        },
        pings: None,
    },
    LabFault {
        id: "lab-array-of-other-site",
        title: "each database names another site's RPC Client Access array",
        rules: &["PRE-RPC-1", "CX-RPC-1"],
        pings: None,
        spoil: |topology| {
            let array = host(topology, "outlook-s3");
            let other = host(topology, "outlook-s2");
            for database in topology.databases.values_mut() {
                if let Some(named) = &mut database.rpc_client_access_server {
                    *named = if *named == array { other.clone() } else { array.clone() };
                }
            }
        },
    },
    LabFault {
        id: "lab-array-invented",
        title: "a site without an array still gets one in the profile",
        rules: &["PRE-RPC-4"],
        pings: None,
        spoil: |topology| {
            let array = host(topology, "outlook-s2");
            let own: Vec<_> = topology.servers.keys().map(|name| topology.fqdn(name)).collect();
            for database in topology.databases.values_mut() {
                if let Some(named) = &mut database.rpc_client_access_server
                    && own.contains(named)
                {
                    *named = array.clone();
                }
            }
        },
    },
    LabFault {
        id: "lab-2007-through-array",
        title: "a 2007 profile leads to the array",
        rules: &["PRE-RPC-2", "CX-RPC-2"],
        pings: None,
        spoil: |topology| {
            let name = host(topology, "mbx2007-s1");
            let leads = || topology.namespaces.get(&host(topology, "outlook-s1")).cloned();
            if let Some(array) = leads() {
                topology.namespaces.insert(name, array);
            }
        },
    },
    LabFault {
        id: "lab-2013-speaks-rpc-tcp",
        title: "the server that holds green takes RPC over TCP, and the answer offers it",
        rules: &["CX-RPC-3"],
        pings: None,
        spoil: |topology| {
            let name = host(topology, "mbx2013-s1b");
            let Some(server) = server(topology, "mbx2013-s1b") else { return };
            server.version = Version::Exchange2010;
            for database in topology.databases.values_mut() {
                if database.active.as_str() == "mbx2013-s1b" {
                    database.rpc_client_access_server = Some(name.clone());
                }
            }
        },
    },
    LabFault {
        id: "lab-exhttp-reversed",
        title: "ExHTTP comes with the external settings first",
        rules: &["CX-EXHTTP-1"],
        pings: None,
        spoil: |topology| {
            each_exhttp(topology, |own, inside| {
                let outside = own.external_host.replace(inside);
                own.internal_host = outside;
                std::mem::swap(&mut own.internal_ssl, &mut own.external_ssl);
            });
        },
    },
    LabFault {
        id: "lab-external-auth-used",
        title: "with one name and two authentications the external one is used",
        rules: &["CX-EXHTTP-2"],
        pings: None,
        spoil: |topology| {
            each_exhttp(topology, |own, _| own.internal_authentication = Some(own.external_authentication));
        },
    },
    LabFault {
        id: "lab-old-outlook-reads-exhttp",
        title: "an Outlook below the patch level is led where ExHTTP leads",
        rules: &["CX-EXHTTP-5"],
        pings: None,
        spoil: |topology| {
            each_exhttp(topology, |own, inside| {
                own.external_host = Some(inside);
                own.external_ssl = own.internal_ssl;
            });
        },
    },
    LabFault {
        id: "lab-2007-serves-newer",
        title: "CAS2007 serves a device whose mailbox is 2010",
        rules: &["X-EAS-2"],
        spoil: |topology| {
            if let Some(server) = server(topology, "mbx2010-s1") {
                server.version = Version::Exchange2007;
            }
        },
        pings: None,
    },
    LabFault {
        id: "lab-ping-answered-200",
        title: "a legacy server answers the ping with 200 everywhere",
        rules: &["CX-HLT-10"],
        spoil: |_| {},
        pings: Some("200"),
    },
];

impl LabFault {
    /// What older servers are told to answer, as a case would.
    pub(crate) fn faults(&self, topology: &Topology) -> Vec<(FaultAt, Script)> {
        let older = topology.servers.iter().filter(|(_, server)| {
            server.version != Version::Exchange2013 && server.is(ServerRole::ClientAccess)
        });
        let script = self.pings.map(|status| [status, "..."].map(str::to_owned));
        let script = script.and_then(|words| Script::read(Askers::Pings, &words).ok());
        let all = older.flat_map(|(name, _)| Protocol::ALL.iter().map(|protocol| (name.clone(), *protocol)));
        let at = |(server, protocol)| FaultAt { of: Askers::Pings, server, protocol };
        script.map(|script| all.map(|place| (at(place), script.clone())).collect()).unwrap_or_default()
    }

    /// The topology as the lab is given it.
    pub fn spoiled(&self, mut topology: Topology) -> Topology {
        (self.spoil)(&mut topology);
        topology
    }
}

fn host(topology: &Topology, name: &str) -> HostName {
    let host = HostName::folded(&format!("{name}.{}", topology.domain));
    host.expect("a label before a domain is a host name")
}

/// Changes Outlook Anywhere wherever it has an internal name.
fn each_exhttp(topology: &mut Topology, change: impl Fn(&mut OutlookAnywhere, HostName)) {
    for own in topology.servers.values_mut().filter_map(|server| server.outlook_anywhere.as_mut()) {
        if let Some(inside) = own.internal_host.clone() {
            change(own, inside);
        }
    }
}

/// Changes every namespace whose name begins so.
fn each_namespace(topology: &mut Topology, begins: &str, change: impl Fn(&mut Namespace)) {
    let named = topology.namespaces.iter_mut().filter(|(name, _)| name.as_str().starts_with(begins));
    named.for_each(|(_, namespace)| change(namespace));
}

/// A server by its name, where a topology has it.
fn server<'t>(topology: &'t mut Topology, name: &str) -> Option<&'t mut Server> {
    topology.servers.iter_mut().find(|(known, _)| known.as_str() == name).map(|(_, server)| server)
}

/// Moves a Mailbox server to the site of the seat.
fn moves(topology: &mut Topology, name: &str) {
    let site = topology.servers.get(&topology.seat).map(|seat| seat.site.clone());
    if let (Some(server), Some(site)) = (server(topology, name), site) {
        server.site = site;
    }
}

/// Makes a virtual directory's ExternalURL name `mail`.
fn names_mail(topology: &mut Topology, name: &str, protocol: Protocol) {
    let mail = host(topology, "mail");
    let directory = server(topology, name).and_then(|server| server.directories.get_mut(&protocol));
    if let Some(ExternalUrl(url)) = directory.and_then(|directory| directory.external_url.as_mut()) {
        url.host = mail;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::suite::Suite;

    #[test]
    fn every_fault_changes_a_topology_of_the_suite() {
        let suite = Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        for fault in LAB_FAULTS {
            let changes = suite.cases.iter().any(|case| {
                let topology = suite.topology_of(case).unwrap();
                fault.spoiled((*topology).clone()) != *topology || !fault.faults(&topology).is_empty()
            });
            assert!(changes, "{}", fault.id);
        }
    }
}
