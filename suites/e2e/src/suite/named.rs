//! Names in a case that its topology or the rule book must have, each refused at its place.

use exchange::fault::Fault;
use model::case::{Answering, Case, Leg};
use model::problem::{Problem, Source};
use model::rule::Rule;
use model::{Protocol, ServerName, Topology};

/// Every name of a case that leads nowhere.
pub(super) fn wrong(case: &Case, file: &Source, topology: &Topology, rules: &[Rule]) -> Vec<Problem> {
    let mut found = Found { file, problems: vec![] };
    for (number, rule) in case.rules.iter().enumerate() {
        if !rules.iter().any(|known| known.id == *rule) {
            let help = "rules.toml lists them; `coexist list rules` prints them";
            found.add(&["rules", &number.to_string()], format!("there is no rule {rule}"), help);
        }
    }
    faults(case, topology, &mut found);
    answers(case, topology, &mut found);
    let one_step = file.locate(&["when"]).is_some();
    for (number, step) in case.steps.iter().enumerate() {
        let number = number.to_string();
        let before: &[&str] = if one_step { &[] } else { &["step", &number] };
        if !topology.mailboxes.contains_key(&step.when.mailbox) {
            let message = format!("{} has no mailbox `{}`", topology.name, step.when.mailbox);
            let help = format!("mailbox = one of {}", listed(topology.mailboxes.keys()));
            found.add(&[before, &["when", "mailbox"]].concat(), message, &help);
        }
        for (at, leg) in step.then.iter().enumerate() {
            hops(leg, &[before, &["then", &at.to_string()]].concat(), topology, &mut found);
        }
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
}

fn hops(leg: &Leg, before: &[&str], topology: &Topology, found: &mut Found<'_>) {
    for (number, hop) in leg.hops.iter().enumerate() {
        for (at, server) in hop.at.0.iter().enumerate() {
            let (number, at) = (number.to_string(), at.to_string());
            let written = [before, &["hops", &number]].concat();
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

/// A fault at a place that there is not would never show, and the case would pass without it.
fn faults(case: &Case, topology: &Topology, found: &mut Found<'_>) {
    for (place, script) in &case.given.faults {
        let path = ["given", "faults", place];
        let example = "a right one: \"cas2007-s1/eas\" = [\"503\"]";
        let Some((server, protocol)) = place.split_once('/') else {
            found.add(&path, format!("`{place}` is no place of a fault"), example);
            continue;
        };
        match server.parse::<ServerName>() {
            Err(error) => found.add(&path, error.to_string(), example),
            Ok(server) if server == topology.seat => {
                let message = format!("the subject sits at {server}: only other servers have faults");
                found.add(&path, message, example);
            }
            Ok(server) => server_is_known(&server, &path, topology, found),
        }
        if let Err(error) = protocol.parse::<Protocol>() {
            found.add(&path, error.to_string(), example);
        }
        for (number, word) in script.iter().enumerate() {
            if let Err(says) = word.parse::<Fault>() {
                found.add(&["given", "faults", place, &number.to_string()], says, example);
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
