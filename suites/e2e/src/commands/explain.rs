//! `coexist explain`: what a case, a rule or a defect is, where it comes from, how to run it.

use std::path::Path;

use model::case::Case;

use super::say;
use crate::called::coexist;
use crate::exit::Exit;
use crate::findings::fault::CHECK_FAULTS;
use crate::lab_fault::LAB_FAULTS;
use crate::suite::Suite;

pub(super) fn explain(root: &Path, id: &str) -> Exit {
    let suite = match say::suite(root) {
        Ok(suite) => suite,
        Err(exit) => return exit,
    };
    if id == "routes" {
        println!(
            "What the servers that are not in the seat do with a request; the first row that fits holds.\n"
        );
        exchange::route::table().iter().for_each(|row| println!("{row}"));
        return Exit::AsExpected;
    }
    let made: Vec<_> =
        suite.cases.iter().filter(|case| case.id.as_str() == id || case.id.file() == id).collect();
    if !made.is_empty() {
        made.into_iter().for_each(|case| explain_case(case));
        return Exit::AsExpected;
    }
    if let Some(rule) = suite.rules.iter().find(|rule| rule.id.as_str() == id) {
        println!("{}  ({})\n  {}\n", rule.id, rule.level, rule.says);
        explain_rule(&suite, id);
        return Exit::AsExpected;
    }
    if let Some(defect) = defects::catalogue().into_iter().find(|defect| defect.id == id) {
        println!("{}  ({:?} at port {:?})\n  {}", defect.id, defect.class, defect.port, defect.title);
        println!("\n  must be caught by {}", defect.rules.join(", "));
        match defect.built {
            true => println!("  again    {} mutants --defect {id}", coexist()),
            false => println!("  not built yet"),
        }
        return Exit::AsExpected;
    }
    if let Some(fault) = LAB_FAULTS.iter().find(|fault| fault.id == id) {
        println!("{}  (a fault of the lab, not of a proxy)\n  {}", fault.id, fault.title);
        println!("\n  must be caught by {}", fault.rules.join(", "));
        println!("  again    {} mutants --defect {id}", coexist());
        return Exit::AsExpected;
    }
    if let Some(fault) = CHECK_FAULTS.iter().find(|fault| fault.id == id) {
        println!("{}  (a fault of `check`, not of a proxy)\n  {}", fault.id, fault.title);
        println!("\n  must be caught by {}, each", fault.rules.join(", "));
        println!("  again    {} mutants --defect {id}", coexist());
        return Exit::AsExpected;
    }
    say::error(format!("`{id}` is no case, rule or defect; `coexist list cases|rules|defects` prints them"));
    Exit::BadInput
}

fn explain_case(case: &Case) {
    let rules: Vec<&str> = case.rules.iter().map(|rule| rule.as_str()).collect();
    println!("{}  ({})\n  {}\n", case.id, rules.join(", "), case.title);
    println!("  topology {}", case.topology_name());
    for (place, fields) in &case.given.settings {
        println!("  given    {place} {fields}");
    }
    for (place, script) in &case.given.faults {
        println!("  fault    {place} answers {}", script.join(", then "));
    }
    for (place, answers) in &case.given.answers {
        let statuses: Vec<&str> = answers.iter().map(|answer| answer.status.as_str()).collect();
        println!("  told to  {place} answer {}", statuses.join(", then "));
    }
    for step in &case.steps {
        if !step.before.is_empty() {
            println!();
        }
        for steering in &step.before {
            println!("  then     {steering}");
        }
        let when = &step.when;
        let opens = String::from(when.opens.clone());
        println!(
            "\n  when     {} of {}, {}, {}opens {opens} to {}",
            when.client,
            when.mailbox,
            when.view,
            when.comes_back.map(|time| format!("comes back {time}, ")).unwrap_or_default(),
            when.does
        );
        for send in &when.sends {
            println!("  sends    {} {}", send.verb, send.target);
        }
        for (number, leg) in step.then.iter().enumerate() {
            let hops: Vec<String> = leg.hops.iter().map(|hop| hop.at.to_string()).collect();
            println!("  leg {}    {} ({}): {}", number + 1, leg.dials, leg.reached, hops.join(" -> "));
            println!(
                "           told {}; {} credentials, {} certificate prompts",
                leg.told, leg.prompts.credentials, leg.prompts.certificate
            );
        }
    }
    if let Some(finds) = &case.finds {
        println!(
            "\n  check finds {}",
            if finds.list.is_empty() { "nothing" } else { "this, and nothing else" }
        );
        for listed in &finds.list {
            println!("    {} {} at {}", listed.level, listed.rule, listed.at);
        }
        if let Some(near) = &finds.near {
            println!("  one setting away from {near}, which shows it");
        }
    }
    for name in &case.resolves {
        let servers: Vec<&str> = name.servers.iter().map(|server| server.as_str()).collect();
        println!("  {} ({}) leads to [{}]", name.name, name.view, servers.join(", "));
    }
    for row in &case.pings {
        let at: Vec<&str> = row.at.iter().map(|server| server.as_str()).collect();
        let kinds: Vec<String> = row
            .answers
            .iter()
            .map(|kind| kind.iter().map(|status| status.0.to_string()).collect::<Vec<_>>().join(" "))
            .collect();
        println!(
            "\n  pings    {} over {}: at least {} rounds, answered {}; then {}",
            at.join(", "),
            row.of,
            row.rounds,
            kinds.join(", then "),
            row.then
        );
        row.logged.iter().for_each(|logged| println!("           logged {logged}"));
    }
    println!("\n  source   {}\n  again    {} e2e --case {}", case.source, coexist(), case.id);
}

fn explain_rule(suite: &Suite, id: &str) {
    for case in suite.cases.iter().filter(|case| case.rules.iter().any(|rule| rule.as_str() == id)) {
        println!("  case     {:<52} {}", case.id.to_string(), case.title);
    }
    for defect in defects::catalogue().iter().filter(|defect| defect.rules.contains(&id)) {
        let built = if defect.built { "" } else { " (not built yet)" };
        println!("  defect   {}{built}: {}", defect.id, defect.title);
    }
    println!("\n  again    {} e2e --rule {id}", coexist());
}
