//! A case's section: the journey drawn, what was expected and observed in words, why, and where to go on.

use model::case::{Leg, Opens, Step, When};
use model::verdict::{Outcome, SeenLeg, Verdict};

use super::escape::{address, bounded, lines, text};
use super::journey::{How, Journey};
use super::{Page, Shown, anchor, class, mark, sequence, word};
use crate::columns::{self, Line, Mark};
use crate::terminal;

pub(super) fn write(html: &mut String, page: &Page<'_>, one: &Shown<'_>) {
    let verdict = one.verdict;
    let outcome = verdict.outcome;
    let (id, rules) = (text(verdict.id.as_str()), listed(verdict));
    let open = if outcome.as_expected() { "" } else { " open" };
    let heading = match outcome {
        Outcome::Pass | Outcome::Skip => String::new(),
        _ => format!("<span>{}</span>", text(&terminal::says(verdict))),
    };
    html.push_str(&format!(
        "<details class=\"case {}\" data-id=\"{id}\" data-k=\"{rules} is:{outcome} {} {}\"{open}><summary>\
         <span class=o>{} {}</span><h3 class=id>{id}</h3>{heading}<span class=r>{rules}</span></summary>\n\
         <div class=in id=\"{}\">",
        class(outcome),
        word(outcome),
        text(&verdict.title),
        mark(outcome),
        word(outcome),
        text(&anchor(&verdict.id)),
    ));
    html.push_str(&format!("<p><span class=ttl>{}</span>", text(&verdict.title)));
    if let Some(case) = one.case {
        let said = |step: &Step| {
            let before = step.before.iter().map(|steering| text(&steering.to_string()));
            before.chain([does(&step.when)]).collect::<Vec<_>>()
        };
        let did: Vec<String> = case.steps.iter().flat_map(said).collect();
        html.push_str(&format!(
            "<br><span class=r>{}: {}</span>",
            text(&case.topology_name()),
            did.join("; then ")
        ));
    }
    html.push_str("</p>\n");
    if one.runs > 1 {
        html.push_str(&format!("<p>It ran {} times; {} were not as expected.</p>\n", one.runs, one.wrong));
    }
    reasons(html, verdict);
    picture(html, one);
    if !matches!(outcome, Outcome::Pass | Outcome::Skip) {
        columns(html, verdict);
    }
    legs(html, verdict);
    ending(html, page, verdict);
    html.push_str("</div></details>\n");
}

fn listed(verdict: &Verdict) -> String {
    verdict.rules.iter().map(|rule| text(rule.as_str())).collect::<Vec<_>>().join(" ")
}

/// What the client was set to do.
fn does(when: &When) -> String {
    let opens = match &when.opens {
        Opens::Url(url) => url.to_string(),
        Opens::Rpc(host) => format!("RPC over TCP at {host}"),
        Opens::Mail(address) => address.to_string(),
        Opens::Outlook(mailbox) | Opens::Device(mailbox) => format!("what Autodiscover gives for {mailbox}"),
    };
    let times = if when.times > 1 { format!(", {} times", when.times) } else { String::new() };
    text(&format!(
        "{}'s {}, {} view, opens {opens}, to {}{times}",
        when.mailbox, when.client, when.view, when.does
    ))
}

/// The differences in words, and the likely cause.
fn reasons(html: &mut String, verdict: &Verdict) {
    if !verdict.why.is_empty() {
        html.push_str("<ul class=why>");
        for why in &verdict.why {
            let place = match why.leg {
                0 => text(&why.what),
                leg => format!("leg {leg}, {}", text(&why.what)),
            };
            html.push_str(&format!("<li><b>{place}:</b> {}</li>", bounded_lines(&why.says)));
        }
        html.push_str("</ul>\n");
    }
    if let Some(likely) = &verdict.likely {
        let label = if verdict.outcome == Outcome::ExpectedFail { "Deviation" } else { "Likely cause" };
        html.push_str(&format!("<p><b>{label}:</b> {}</p>\n", text(likely)));
    }
}

/// A sentence may carry the end of a log.
fn bounded_lines(says: &str) -> String {
    const MOST_LINES: usize = 24;
    let shown: Vec<&str> = says.lines().take(MOST_LINES).collect();
    let more = if says.lines().nth(MOST_LINES).is_some() { "\n…" } else { "" };
    format!("{}{more}", lines(&shown.join("\n")))
}

fn picture(html: &mut String, one: &Shown<'_>) {
    let verdict = one.verdict;
    let journey = Journey::of(verdict);
    if verdict.outcome == Outcome::Skip || journey.legs.iter().all(|leg| leg.moves.is_empty()) {
        return;
    }
    let client =
        one.case.and_then(|case| case.steps.first()).map_or("client", |step| step.when.client.as_str());
    let (missing, extra) = (journey.count(How::Missing), journey.count(How::Extra));
    let differs = match (missing, extra) {
        (0, 0) => "as expected".to_owned(),
        (missing, extra) => format!("{missing} moves missing, {extra} not expected; in words below"),
    };
    let walked: Vec<String> = verdict.observed.iter().map(walked).collect();
    let named = format!("Hop sequence, {differs}. {}", walked.join("; "));
    html.push_str(&format!(
        "<div class=pic role=region tabindex=0 aria-label=\"Hop sequence\">{}</div>\n",
        sequence::svg(&journey, client, &named)
    ));
}

/// A leg in a sentence.
fn walked(leg: &SeenLeg) -> String {
    let hops: Vec<&str> = leg.hops.iter().map(|hop| hop.server.as_str()).collect();
    format!("{} by {}: {}", leg.dials, hops.join(", "), leg.told)
}

/// The terminal's two columns for each leg that differs.
fn columns(html: &mut String, verdict: &Verdict) {
    for leg in terminal::differing_legs(verdict) {
        let (expected, observed) = columns::of(verdict.expected.get(leg - 1), verdict.observed.get(leg - 1));
        html.push_str(&format!(
            "<div class=cols><div><h4>Leg {leg}, expected</h4><pre>{}</pre></div><div><h4>Leg {leg}, observed</h4><pre>{}</pre>\
             </div></div>\n",
            column(&expected),
            column(&observed)
        ));
    }
}

fn column(of: &[Line]) -> String {
    let line = |line: &Line| match line.mark {
        Mark::Same => text(&line.written()),
        Mark::Extra => format!("<span class=e>{}</span>", text(&line.written())),
        Mark::Unmet => format!("<span class=u>{}</span>", text(&line.written())),
    };
    of.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// How each leg was reached, who had to act, and what was told, with the expectation where it differs.
fn legs(html: &mut String, verdict: &Verdict) {
    if verdict.observed.is_empty() {
        return;
    }
    html.push_str(
        "<table class=legs><thead><tr><th scope=col>Leg<th scope=col>Prompts<th scope=col>Told</tr></thead><tbody>\n",
    );
    for (at, seen) in verdict.observed.iter().enumerate() {
        let expected = verdict.expected.get(at);
        let differs = |what: &str| verdict.why.iter().any(|why| why.leg == at + 1 && why.what == what);
        let cell = |what: &str, was: String, wanted: Option<String>| match (differs(what), wanted) {
            (true, Some(wanted)) => {
                format!("{} <span class=was>(expected {})</span>", text(&was), text(&wanted))
            }
            _ => text(&was),
        };
        let note = seen.note.as_deref().map(|note| format!("<br>{}", bounded(note, 300))).unwrap_or_default();
        html.push_str(&format!(
            "<tr><td>{} {}, {}<td>{}<td>{}{note}</tr>\n",
            at + 1,
            text(&seen.dials),
            cell("reached", seen.reached.clone(), expected.map(|leg| leg.reached.to_string())),
            cell("prompts", prompts(seen.prompts), expected.map(expected_prompts)),
            cell("told", seen.told.clone(), expected.map(|leg| leg.told.to_string())),
        ));
    }
    html.push_str("</tbody></table>\n");
}

fn expected_prompts(leg: &Leg) -> String {
    prompts((leg.prompts.credentials, leg.prompts.certificate))
}

fn prompts((credentials, certificate): (u8, u8)) -> String {
    match (credentials, certificate) {
        (0, 0) => "none".to_owned(),
        (credentials, 0) => format!("{credentials} for credentials"),
        (0, certificate) => format!("{certificate} about the certificate"),
        (credentials, certificate) => {
            format!("{credentials} for credentials, {certificate} about the certificate")
        }
    }
}

/// Where the expectation comes from, how to run it again, and what was left behind.
fn ending(html: &mut String, page: &Page<'_>, verdict: &Verdict) {
    html.push_str(&format!(
        "<p class=r>Source: routing-rules {}; {}. It took {:.0} ms.</p>\n\
         <div class=again><code>{}</code><button class=copy type=button hidden>Copy</button></div>\n",
        listed(verdict),
        text(&verdict.source),
        verdict.took.as_secs_f64() * 1000.0,
        text(&verdict.again)
    ));
    let Some(evidence) = page.evidence.get(&verdict.id).filter(|_| !verdict.outcome.as_expected()) else {
        return;
    };
    if !evidence.dns.is_empty() {
        dns(html, &evidence.dns);
    }
    html.push_str("<p class=ev>Evidence: ");
    for file in &evidence.files {
        let path = format!("{}/{file}", evidence.folder);
        html.push_str(&format!("<a href=\"{}\">{}</a>", address(&path), text(file)));
    }
    html.push_str("</p>\n");
}

fn dns(html: &mut String, questions: &[String]) {
    const MOST_SHOWN: usize = 30;
    html.push_str(&format!(
        "<details><summary>DNS queries in its time, those of cases beside it included: {}</summary><ul class=q>",
        questions.len()
    ));
    for question in questions.iter().take(MOST_SHOWN) {
        html.push_str(&format!("<li>{}</li>", bounded(question, 200)));
    }
    if questions.len() > MOST_SHOWN {
        html.push_str(&format!("<li>{} more in dns.jsonl</li>", questions.len() - MOST_SHOWN));
    }
    html.push_str("</ul></details>\n");
}
