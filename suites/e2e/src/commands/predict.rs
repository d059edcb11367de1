//! `coexist predict`: the oracle's legs for every mailbox, client and view of a topology. A table, never a case file.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use model::case::{Leg, Opens, Password};
use model::{Topology, When};
use oracle::{Prediction, Table, Unpredicted};

use super::say;
use crate::exit::Exit;

pub(super) fn predict(root: &Path, topology: &str) -> Exit {
    let suite = match say::suite(root) {
        Ok(suite) => suite,
        Err(exit) => return exit,
    };
    let topology = match suite.topology(topology, &Default::default()) {
        Ok(topology) => topology,
        Err(error) => return say::suite_error(&error),
    };
    let journeys = oracle::journeys(&topology);
    if journeys.is_empty() {
        say::error(format!("{} has no mailbox that a client could open: nothing to predict", topology.name));
        return Exit::NothingChecked;
    }
    // A reader that has seen enough closes the pipe; that is no failure.
    drop(std::io::stdout().write_all(page(&topology, &journeys).as_bytes()));
    Exit::AsExpected
}

/// The whole table.
fn page(topology: &Topology, journeys: &[When]) -> String {
    let table = Table::standard();
    let mut page = String::new();
    let (mut claimed, mut unclaimed, mut unpredicted) = (0, 0, 0);
    for when in journeys {
        let predicted = oracle::predict(&table, topology, when);
        match &predicted {
            Ok(Prediction { unclaimed: None, .. }) => claimed += 1,
            Ok(_) => unclaimed += 1,
            Err(_) => unpredicted += 1,
        }
        page.push_str(&journey(when, &predicted));
    }
    say(
        &mut page,
        &format!(
            "{}: {} journeys; {claimed} claimed by rules, {unclaimed} unclaimed, {unpredicted} not predicted",
            topology.name,
            journeys.len()
        ),
    );
    page
}

fn say(page: &mut String, line: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(page, "{line}");
}

/// One journey: what the client does, a line a leg, and the rows that decided.
fn journey(when: &When, predicted: &Result<Prediction, Unpredicted>) -> String {
    let mut lines = String::new();
    say(&mut lines, &asked(when));
    match predicted {
        Err(error) => say(&mut lines, &format!("    {error}")),
        Ok(prediction) => {
            for (leg, number) in prediction.legs.iter().zip(1..) {
                say(&mut lines, &format!("  {number} {}", row(leg)));
            }
            let silent = prediction.unclaimed.as_ref().map(|why| format!("   unclaimed: {why}"));
            say(
                &mut lines,
                &format!("    rows {}{}", prediction.rows.join(", "), silent.unwrap_or_default()),
            );
        }
    }
    lines.push('\n');
    lines
}

/// Mailbox, client, view, what it opens and does there, and whatever else the journey turns on.
pub(crate) fn asked(when: &When) -> String {
    let opens = match &when.opens {
        Opens::Url(url) => url.to_string(),
        Opens::Rpc(host) => format!("rpc:{host}"),
        Opens::Mail(address) => address.to_string(),
        Opens::Outlook(_) | Opens::Device(_) => "set up by Autodiscover".to_owned(),
    };
    let mut line =
        format!("{:<8} {:<8} {:<9} {:<18} {opens}", when.mailbox, when.client, when.view, when.does);
    if when.password != Password::Right {
        line.push_str(&format!(", password {}", when.password));
    }
    if let Some(time) = when.comes_back {
        line.push_str(&format!(", comes back {time}"));
    }
    if let Some(device) = &when.device {
        let listed = if device.on_451_list { "" } else { "not " };
        let autodiscover = if device.autodiscover { "" } else { ", without Autodiscover" };
        line.push_str(&format!(
            ", {} {}, {listed}on the 451 list{autodiscover}",
            device.kind, device.protocol
        ));
    }
    if let Some(words) = &when.can_handle {
        line.push_str(&format!(", can handle {words}"));
    }
    if !when.excludes.is_empty() {
        let steps: Vec<&str> = when.excludes.iter().map(|step| step.as_str()).collect();
        line.push_str(&format!(", without {}", steps.join(", ")));
    }
    line
}

/// One leg: name, how it was reached, hops, prompts for credentials and about certificates, what was told.
fn row(leg: &Leg) -> String {
    let hops: Vec<String> = leg
        .hops
        .iter()
        .map(|hop| match hop.by {
            Some(by) => format!("{} ({by})", hop.at),
            None => hop.at.to_string(),
        })
        .collect();
    let prompts = format!("{}+{}", leg.prompts.credentials, leg.prompts.certificate);
    format!("{:<26} {:<6} {:<52} prompts {prompts}  {}", leg.dials, leg.reached, hops.join(" > "), leg.told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Suite;

    #[test]
    fn a_journey_shows_its_legs_its_rows_and_whether_the_article_speaks_of_it() {
        let suite = Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        let topology = suite.topology("coexistence", &Default::default()).unwrap();
        let page = page(&topology, &oracle::journeys(&topology));
        let at = page
            .find("purple   browser  external  open-mailbox       https://mail.contoso.com/owa/\n")
            .unwrap_or_else(|| panic!("{page}"));
        let shown: Vec<&str> = page[at..].lines().take(4).map(str::trim_end).collect();
        assert_eq!(
            shown[1],
            "  1 mail.contoso.com           typed  cas2013-s1                                           \
             prompts 1+0  silent redirect https://legacy.contoso.com/owa/"
        );
        assert!(shown[2].contains("cas2007-s1 > mbx2007-s1"), "{shown:?}");
        assert!(shown[3].starts_with("    rows CX-OWA-2"), "{shown:?}");
        assert!(page.trim_end().lines().last().unwrap().starts_with("coexistence: "));
    }
}
