//! A running lab as it is now, as JSON: what the page draws, and `steer state` prints.

use lab::Lab;
use model::topology::ServerRole;
use model::{HostName, Protocol, ServerName, View};
use serde_json::{Value, json};

/// Everything that a person may want to know. The passwords of the lab's users are nobody's secret here.
pub(crate) fn state(lab: &Lab) -> Value {
    let topology = lab.directory().topology();
    let at = lab.positions();
    let leads = |view, name: &HostName| -> Vec<&ServerName> {
        let addresses = lab.names().addresses(view, name);
        addresses.iter().filter_map(|ip| at.get(ip)).collect()
    };
    let servers: Vec<Value> = topology
        .servers
        .iter()
        .map(|(name, server)| {
            let served = super::change::served(server).into_iter();
            let mut protocols: Vec<&str> = served.map(Protocol::as_str).collect();
            protocols.sort_unstable();
            json!({
                "name": name, "site": server.site, "version": server.version, "address": lab.address(name),
                "client-access": server.is(ServerRole::ClientAccess), "mailbox": server.is(ServerRole::Mailbox),
                "seat": *name == topology.seat, "out-of-service": server.out_of_service, "protocols": protocols,
            })
        })
        .collect();
    let edges: Vec<Value> = topology
        .edges
        .iter()
        .map(|(name, edge)| json!({ "name": name, "site": edge.site, "seat": *name == topology.seat }))
        .collect();
    let names: Vec<Value> = topology
        .namespaces
        .iter()
        .map(|(name, planned)| {
            json!({
                "name": name, "published": !planned.external.is_empty(),
                "internal": leads(View::Internal, name), "external": leads(View::External, name),
            })
        })
        .collect();
    let databases: Vec<Value> = topology
        .databases
        .iter()
        .map(|(name, it)| json!({ "name": name, "copies": it.copies, "active": it.active }))
        .collect();
    let users: Vec<Value> = lab
        .directory()
        .accounts()
        .iter()
        .map(|account| {
            json!({
                "mailbox": account.name, "account": account.account, "address": account.address,
                "password": account.password, "database": account.database, "server": topology.home(&account.colour),
            })
        })
        .collect();
    let faults: Vec<Value> = lab
        .faults()
        .iter()
        .map(|(at, answers)| json!({ "at": at.to_string(), "answers": answers }))
        .collect();
    json!({
        "topology": topology.name, "domain": topology.domain, "seat": topology.seat, "sites": topology.sites.keys().collect::<Vec<_>>(),
        "servers": servers, "edges": edges, "names": names, "databases": databases, "users": users, "faults": faults,
    })
}

/// The same for a terminal: where each name leads, where each mailbox is, and what is wrong.
pub(crate) fn text(state: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let words = |value: &Value| match value.as_array().map(|all| all.iter().map(word).collect::<Vec<_>>()) {
        Some(all) if !all.is_empty() => all.join(" "),
        _ => "-".to_owned(),
    };
    let rows = |key: &str| state[key].as_array().cloned().unwrap_or_default();
    let mut text = format!("{}, the subject at {}\n\n", word(&state["topology"]), word(&state["seat"]));
    text.push_str(&format!("{:<28} {:<24} {}\n", "name", "outside", "inside"));
    for row in rows("names") {
        let (outside, inside) = (words(&row["external"]), words(&row["internal"]));
        text.push_str(&format!("{:<28} {outside:<24} {inside}\n", word(&row["name"])));
    }
    text.push_str(&format!("\n{:<12} {:<14} {}\n", "mailbox", "database", "active on"));
    for row in rows("users") {
        let (database, server) = (word(&row["database"]), word(&row["server"]));
        text.push_str(&format!("{:<12} {database:<14} {server}\n", word(&row["mailbox"])));
    }
    let out = rows("servers").into_iter().filter(|row| row["out-of-service"] == true);
    let out = out.map(|row| format!("out of service   {}\n", word(&row["name"])));
    let faults = rows("faults").into_iter();
    let faults =
        faults.map(|row| format!("fault            {}: {}\n", word(&row["at"]), words(&row["answers"])));
    let wrong: String = out.chain(faults).collect();
    if !wrong.is_empty() {
        text.push_str(&format!("\n{wrong}"));
    }
    text
}
