//! The files of a case's evidence as text, and how much of its mebibyte each may take.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use ledger::{Arrival, Query};
use model::ServerName;
use model::journal::{ClientLeg, Exchange, Journal};
use model::plain::plain;
use model::verdict::Verdict;
use serde_json::{Value, json};

use super::secrets::line;

/// One file of a case's evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    Again,
    Journeys,
    JourneysJson,
    Heads,
    Dns,
    Ledger,
    Iis,
    Log,
}

impl Share {
    pub(super) const ALL: [Share; 8] = [
        Share::Again,
        Share::Journeys,
        Share::JourneysJson,
        Share::Heads,
        Share::Dns,
        Share::Ledger,
        Share::Iis,
        Share::Log,
    ];

    pub(super) fn file(self) -> &'static str {
        match self {
            Share::Again => "again.txt",
            Share::Journeys => "journeys.txt",
            Share::JourneysJson => "journeys.json",
            Share::Heads => "heads.txt",
            Share::Dns => "dns.jsonl",
            Share::Ledger => "ledger.jsonl",
            Share::Iis => "iis.log",
            Share::Log => "subject.log",
        }
    }

    /// The most that it may hold; all of them are one mebibyte.
    pub(super) fn bytes(self) -> usize {
        const KIB: usize = 1024;
        match self {
            Share::Again => 8 * KIB,
            Share::Journeys => 56 * KIB,
            Share::JourneysJson => 128 * KIB,
            Share::Heads => 256 * KIB,
            Share::Dns => 64 * KIB,
            Share::Ledger => 256 * KIB,
            Share::Iis => 128 * KIB,
            Share::Log => 128 * KIB,
        }
    }

    /// A text as it is written: whole, or cut at the end of a line, with a line that says so.
    pub(super) fn cut(self, text: &str) -> Cow<'_, str> {
        if text.len() <= self.bytes() {
            return Cow::Borrowed(text);
        }
        const FOR_THE_NOTE: usize = 128;
        let most = self.bytes() - FOR_THE_NOTE;
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        let end = text[..end].rfind('\n').map_or(end, |at| at + 1);
        let says = format!("{} bytes more were cut: a case's evidence is at most 1 MiB", text.len() - end);
        let note = match self.file().contains(".json") {
            true => json!({ "cut": says }).to_string(),
            false => format!("({says})"),
        };
        let kept = &text[..end];
        let gap = if kept.ends_with('\n') || kept.is_empty() { "" } else { "\n" };
        Cow::Owned(format!("{kept}{gap}{note}\n"))
    }
}

/// The line that runs the case again, and what it ran in.
pub(super) fn again(verdict: &Verdict, facts: &str) -> String {
    let (id, outcome) = (&verdict.id, verdict.outcome);
    format!("{}\n\ncase       {id}\noutcome    {outcome}\n{facts}", verdict.again)
}

/// Both journeys for a program, and what the clients saw request by request; the heads have a file of their own.
pub(super) fn journeys(verdict: &Verdict, journals: &[Journal]) -> String {
    let mut clients = serde_json::to_value(journals).unwrap_or_default();
    without_heads(&mut clients);
    let mut whole = json!({
        "id": verdict.id,
        "outcome": verdict.outcome,
        "why": verdict.why,
        "expected": verdict.expected,
        "observed": verdict.observed,
        "clients": clients,
    });
    let mut text = format!("{whole:#}\n");
    if text.len() > Share::JourneysJson.bytes() {
        // It stays one JSON value, however much the clients did.
        whole["clients"] = json!("left out: a case's evidence is at most 1 MiB");
        text = format!("{whole:#}\n");
    }
    text
}

fn without_heads(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(without_heads),
        Value::Object(fields) => {
            fields.remove("heads");
            fields.values_mut().for_each(without_heads);
        }
        _ => {}
    }
}

/// What the case's clients sent and received, each line of a request behind `>`, of an answer behind `<`.
pub(super) fn heads(journals: &[Journal]) -> String {
    let mut text = String::from(
        "What the clients of this case sent (>) and received (<), head by head as it stood on the wire. Passwords, tickets\n\
         and cookies are left out; so are bodies.\n",
    );
    let legs = journals.iter().flat_map(|journal| &journal.legs);
    for (number, leg) in (1..).zip(legs) {
        for (nth, exchange) in (1..).zip(&leg.exchanges) {
            text.push_str(&format!("\n{}\n", title(number, leg, nth, exchange)));
            lines(&mut text, '>', &exchange.heads.sent);
            lines(&mut text, '<', &exchange.heads.received);
        }
    }
    text
}

fn title(number: usize, leg: &ClientLeg, nth: usize, exchange: &Exchange) -> String {
    let to = exchange.dialled.map_or("nowhere: the name did not resolve".to_owned(), |to| to.to_string());
    let ended = match exchange.status {
        0 => "no answer".to_owned(),
        status => format!("answered {status} {}", plain(&exchange.reason, usize::MAX)),
    };
    let (began, over) = (exchange.began.0, exchange.ended.0);
    format!(
        "== leg {number}, {}, request {nth} to {to}: {}; what it caused is in the ledger from {began} and before {over}",
        leg.dials,
        ended.trim_end()
    )
}

fn lines(text: &mut String, mark: char, head: &str) {
    for line in head.trim_end_matches("\r\n").split("\r\n").filter(|_| !head.is_empty()) {
        text.push_str(format!("{mark} {}", plain(line, usize::MAX)).trim_end());
        text.push('\n');
    }
}

/// DNS queries, one a line. Clients of cases that ran at the same time ask from the same address.
pub(super) fn dns(queries: &[Query], asker: impl Fn(IpAddr) -> String) -> String {
    queries.iter().fold(String::new(), |text, query| {
        let mut line = serde_json::to_value(query).unwrap_or_default();
        line["asked-by"] = json!(asker(query.peer.ip()));
        format!("{text}{line}\n")
    })
}

/// One query in words.
pub(super) fn question(query: &Query, asker: &str) -> String {
    let Query { view, kind, name, answers, .. } = query;
    asked(asker, view.as_str(), kind, name, *answers as u64)
}

/// One line of [`dns`] in words; none where it says that others were cut.
pub(super) fn question_of(line: &str) -> Option<String> {
    let query: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| query[key].as_str();
    let answers = query["answers"].as_u64()?;
    Some(asked(text("asked-by")?, text("view")?, text("kind")?, text("name")?, answers))
}

fn asked(asker: &str, view: &str, kind: &str, name: &str, answers: u64) -> String {
    let records = match answers {
        0 => "no record".to_owned(),
        1 => "1 record".to_owned(),
        many => format!("{many} records"),
    };
    format!("{asker} asked the {view} view for {kind} {name}: {records}")
}

/// The case's part of the ledger, one arrival a line.
pub(super) fn ledger(arrivals: &[Arc<Arrival>]) -> String {
    arrivals.iter().filter_map(|arrival| line(arrival)).fold(String::new(), |text, line| text + &line + "\n")
}

/// The servers' own logs, one below the other.
pub(super) fn iis(logs: &[(ServerName, String)]) -> String {
    let each =
        logs.iter().map(|(server, log)| format!("# the log of {server}, as IIS would have it\n{log}\n"));
    each.collect()
}

/// The subject's lines, below one that says which they are. `lost` bytes of the beginning are not among them.
pub(super) fn log(beside: &[String], lost: u64, written: &str) -> String {
    const NAMED: usize = 12;
    let others = match beside {
        [] => "no other case ran in this lab then".to_owned(),
        few if few.len() <= NAMED => format!("at the same time ran {}", few.join(", ")),
        many => format!("at the same time ran {} and {} more", many[..NAMED].join(", "), many.len() - NAMED),
    };
    let cut = match lost {
        0 => String::new(),
        lost => format!("({lost} bytes before these were cut: a case's evidence is at most 1 MiB)\n"),
    };
    format!("# what the subject wrote while this case ran; {others}\n{cut}{written}")
}

#[cfg(test)]
mod tests;
