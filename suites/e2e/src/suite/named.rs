//! Names in a case that its topology or the rule book must have, each refused at its place.

use std::borrow::Cow;

use exchange::Script;
use model::case::{Answering, Askers, Case, CopyMove, FaultAt, Leg, MailboxMove, Steering};
use model::problem::{Problem, Source};
use model::rule::Rule;
use model::topology::ServerRole;
use model::{Protocol, ServerName, Topology, Version};

/// Every name of a case that leads nowhere.
pub(super) fn wrong(case: &Case, file: &Source, topology: &Topology, rules: &[Rule]) -> Vec<Problem> {
    let mut found = Found { file, problems: vec![] };
    for (number, rule) in case.rules.iter().enumerate() {
        if !rules.iter().any(|known| known.id == *rule) {
            let help = "rules.toml lists them; `coexist list rules` prints them";
            found.add(&["rules", &number.to_string()], format!("there is no rule {rule}"), help);
        }
    }
    for (number, listed) in case.finds.iter().flat_map(|finds| &finds.list).enumerate() {
        if !rules.iter().any(|known| known.id == listed.rule) {
            let help = "rules.toml lists them; `coexist list rules` prints them";
            found.add(
                &["finding", &number.to_string(), "rule"],
                format!("there is no rule {}", listed.rule),
                help,
            );
        }
    }
    faults(case, topology, &mut found);
    answers(case, topology, &mut found);
    pings(case, topology, &mut found);
    let mut moved = vec![];
    let mut now = Cow::Borrowed(topology);
    let mut row = 0;
    for step in &case.steps {
        for steering in &step.before {
            let path = ["step", &row.to_string(), "steers"];
            match steering {
                Steering::MovesAddress(server) => address(server, &mut moved, &path, topology, &mut found),
                Steering::MovesCopy(copy) => copy_moves(copy, &path, &now, &mut found),
                Steering::MovesMailbox(mailbox) => mailbox_moves(mailbox, &path, &now, &mut found),
                Steering::OutOfService(server) | Steering::InService(server) => {
                    served_or_not(server, &path, topology, &mut found);
                }
                Steering::Fails(scripts) => {
                    let path = [&path[..], &["fails"]].concat();
                    scripts.iter().for_each(|fault| faulty(fault, &path, topology, &mut found));
                }
                Steering::Mends(at) => {
                    place_of_fault(at, &[&path[..], &["mends"]].concat(), topology, &mut found);
                }
                Steering::WaitsFor(_) => {}
            }
            steering.changes(now.to_mut());
            row += 1;
        }
        if !topology.mailboxes.contains_key(&step.when.mailbox) {
            let message = format!("{} has no mailbox `{}`", topology.name, step.when.mailbox);
            let help = format!("mailbox = one of {}", listed(topology.mailboxes.keys()));
            let path = found.in_step(row, &["when", "mailbox"]);
            found.add(&borrowed(&path), message, &help);
        }
        for (at, leg) in step.then.iter().enumerate() {
            hops(leg, (row, at), topology, &mut found);
        }
        row += 1;
    }
    for (number, resolves) in case.resolves.iter().enumerate() {
        for (at, server) in resolves.servers.iter().enumerate() {
            let path = ["resolves", &number.to_string(), "servers", &at.to_string()];
            server_is_known(server, &path, topology, &mut found);
        }
    }
    found.problems
}

struct Found<'a> {
    file: &'a Source,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn add(&mut self, path: &[&str], message: String, help: &str) {
        self.problems.push(self.file.problem(self.file.locate(path), message, Some(help.to_owned())));
    }

    /// A path in a case's row: the only one stands at the top of the file.
    fn in_step(&self, row: usize, path: &[&str]) -> Vec<String> {
        let before = match self.file.locate(&["when"]) {
            Some(_) => vec![],
            None => vec!["step".to_owned(), row.to_string()],
        };
        before.into_iter().chain(path.iter().map(|&word| word.to_owned())).collect()
    }
}

fn borrowed(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

fn hops(leg: &Leg, (row, leg_at): (usize, usize), topology: &Topology, found: &mut Found<'_>) {
    for (number, hop) in leg.hops.iter().enumerate() {
        for (at, server) in hop.at.0.iter().enumerate().filter(|(_, server)| !topology.has_position(server)) {
            let written = found.in_step(row, &["then", &leg_at.to_string(), "hops", &number.to_string()]);
            let (written, at) = (borrowed(&written), at.to_string());
            let forms = [&["any-of", &at][..], &["at"], &[]];
            let path = forms.map(|form| [&written[..], form].concat());
            let path = path.iter().find(|path| found.file.locate(path).is_some()).unwrap_or(&written).clone();
            server_is_known(server, &path, topology, found);
        }
    }
}

fn server_is_known(server: &ServerName, path: &[&str], topology: &Topology, found: &mut Found<'_>) {
    if !topology.has_position(server) {
        let help = format!("servers: {}", listed(topology.positions()));
        found.add(path, format!("{} has no server `{server}`", topology.name), &help);
    }
}

/// What the lab does not fill does not move; and each server has one other address.
fn address<'c>(
    server: &'c ServerName,
    moved: &mut Vec<&'c ServerName>,
    path: &[&str],
    topology: &Topology,
    found: &mut Found<'_>,
) {
    let path = [path, &["moves-address"]].concat();
    let example = "a right one: steers = { moves-address = \"cas2010-s3\" }";
    let behind = topology.front_end.as_ref().is_some_and(|front_end| front_end.server == *server);
    if *server == topology.seat || behind {
        found.add(&path, format!("{server} is not the lab's own: it cannot be moved"), example);
    } else if !topology.servers.contains_key(server) {
        server_is_known(server, &path, topology, found);
    } else if moved.contains(&server) {
        found.add(&path, format!("{server} has moved already, and has no third address"), example);
    }
    moved.push(server);
}

/// An active copy moves to where there is one, and away from where it is.
fn copy_moves(copy: &CopyMove, path: &[&str], now: &Topology, found: &mut Found<'_>) {
    let path = |key| [path, &["moves-copy", key]].concat();
    let example = "a right one: steers = { moves-copy = { of = \"db2013-s1\", to = \"mbx2013-s1\" } }";
    match now.databases.get(&copy.of) {
        None => {
            let help = format!("databases: {}", listed(now.databases.keys()));
            found.add(&path("of"), format!("{} has no database `{}`", now.name, copy.of), &help);
        }
        Some(database) if !database.copies.contains(&copy.to) => {
            let help = format!("copies of it are on {}", listed(database.copies.iter()));
            found.add(&path("to"), format!("{} has no copy on `{}`", copy.of, copy.to), &help);
        }
        Some(database) if database.active == copy.to => {
            found.add(
                &path("to"),
                format!("the active copy of {} is on {} already", copy.of, copy.to),
                example,
            );
        }
        Some(_) => {}
    }
}

/// A mailbox moves to a database that there is, and in which it is not yet.
fn mailbox_moves(moves: &MailboxMove, path: &[&str], now: &Topology, found: &mut Found<'_>) {
    let path = |key| [path, &["moves-mailbox", key]].concat();
    let example = "a right one: steers = { moves-mailbox = { of = \"red\", to = \"db2013-s1\" } }";
    match now.mailboxes.get(&moves.of) {
        None => {
            let help = format!("mailboxes: {}", listed(now.mailboxes.keys()));
            found.add(&path("of"), format!("{} has no mailbox `{}`", now.name, moves.of), &help);
        }
        Some(_) if !now.databases.contains_key(&moves.to) => {
            let help = format!("databases: {}", listed(now.databases.keys()));
            found.add(&path("to"), format!("{} has no database `{}`", now.name, moves.to), &help);
        }
        Some(mailbox) if mailbox.database == moves.to => {
            found.add(&path("to"), format!("{} is in {} already", moves.of, moves.to), example);
        }
        Some(_) => {}
    }
}

/// IsOutOfService is Exchange 2010's alone (rule CX-OOS-1).
fn served_or_not(server: &ServerName, path: &[&str], topology: &Topology, found: &mut Found<'_>) {
    match topology.server(server) {
        Some(known) if known.version == Version::Exchange2010 => {}
        Some(known) => {
            let message =
                format!("{server} cannot be out of service: Exchange {} has no such setting", known.version);
            found.add(path, message, "a right one: steers = { out-of-service = \"cas2010-s3\" }");
        }
        None => server_is_known(server, path, topology, found),
    }
}

const RIGHT_FAULT: &str =
    "a right one: \"cas2007-s1/eas\" = [\"503\"], or \"pings cas2007-s1/eas\" = [\"503\", \"...\"]";

/// A fault at a place that there is not would never show, and the case would pass without it.
fn faults(case: &Case, topology: &Topology, found: &mut Found<'_>) {
    for fault in &case.given.faults {
        faulty(fault, &["given", "faults"], topology, found);
    }
}

fn faulty(
    (place, script): (&String, &Vec<String>),
    path: &[&str],
    topology: &Topology,
    found: &mut Found<'_>,
) {
    let path = [path, &[place]].concat();
    place_of_fault(place, &path, topology, found);
    let of = place.parse::<FaultAt>().map_or(Askers::Clients, |at| at.of);
    if let Err((number, says)) = Script::read(of, script) {
        found.add(&[&path[..], &[&number.to_string()]].concat(), says, RIGHT_FAULT);
    }
}

fn place_of_fault(place: &str, path: &[&str], topology: &Topology, found: &mut Found<'_>) {
    match place.parse::<FaultAt>() {
        Err(says) => found.add(path, says, RIGHT_FAULT),
        Ok(at) if at.server == topology.seat => {
            let message = format!("the subject sits at {}: only other servers have faults", at.server);
            found.add(path, message, RIGHT_FAULT);
        }
        Ok(at) => server_is_known(&at.server, path, topology, found),
    }
}

/// Of whom health is asked: Client Access servers of older versions.
fn pings(case: &Case, topology: &Topology, found: &mut Found<'_>) {
    for (number, row) in case.pings.iter().enumerate() {
        for (at, server) in row.at.iter().enumerate() {
            let path = ["pings", &number.to_string(), "at", &at.to_string()];
            match topology.server(server) {
                Some(known)
                    if known.version != Version::Exchange2013 && known.is(ServerRole::ClientAccess) => {}
                Some(_) => {
                    let message = format!("{server} is not asked for its health");
                    found.add(&path, message, "a Client Access server of Exchange 2007 or 2010");
                }
                None => server_is_known(server, &path, topology, found),
            }
        }
    }
}

/// Answers are dictated at places that there are, to the one user that the case has.
fn answers(case: &Case, topology: &Topology, found: &mut Found<'_>) {
    let example = "[[given.answers.\"cas2010-s1/ews\"]]\nstatus = \"503 RPC Error: 6ba\"\nlines = []";
    for (place, script) in &case.given.answers {
        let path = ["given", "answers", place];
        let Some((server, protocol)) = place.split_once('/') else {
            found.add(&path, format!("`{place}` is no place of an answer"), example);
            continue;
        };
        match server.parse::<ServerName>() {
            Err(error) => found.add(&path, error.to_string(), example),
            Ok(server) if server == topology.seat => {
                let message =
                    format!("the subject sits at {server}: only other servers are told what to answer");
                found.add(&path, message, example);
            }
            Ok(server) => server_is_known(&server, &path, topology, found),
        }
        if let Err(error) = protocol.parse::<Protocol>() {
            found.add(&path, error.to_string(), example);
        }
        let code =
            |answer: &Answering| answer.status.split(' ').next().and_then(|code| code.parse::<u16>().ok());
        if script.iter().any(|answer| !code(answer).is_some_and(|code| (200..600).contains(&code))) {
            found.add(&path, "a status begins with its code, 200 to 599".to_owned(), example);
        }
    }
}

fn listed<T: ToString>(names: impl Iterator<Item = T>) -> String {
    names.map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}
