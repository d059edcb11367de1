//! The head of the page: did it pass, what failed, why, and what to do next, before anything is scrolled.

use std::collections::BTreeMap;

use model::verdict::{Outcome, RunFacts, Verdict};

use super::escape::{address, bounded, text};
use super::{Page, Shown, anchor, class, mark, word};
use crate::terminal;

/// Groups of failures that the head shows.
const MOST_CAUSES: usize = 4;

/// What the run came to, in a sentence.
pub(super) fn headline(run: &RunFacts, shown: &[Shown<'_>]) -> String {
    let wrong = shown.iter().filter(|one| !one.verdict.outcome.as_expected()).count();
    let all = shown.len();
    match (run.exit, wrong) {
        (130, _) => format!("Interrupted after {all} of {} cases", run.counts.selected),
        (3, _) => "Nothing was checked".to_owned(),
        (4, _) if wrong == 0 => "The lab or the subject broke".to_owned(),
        (_, 0) if run.unclaimed > 0 => format!("{} arrivals belong to no case", run.unclaimed),
        (0, 1..) => format!("As expected, but for the likeness of {wrong} of {all} cases"),
        (0, 0) => format!("All {all} cases are as expected"),
        (_, 1) => format!("1 of {all} cases is not as expected"),
        (_, wrong) => format!("{wrong} of {all} cases are not as expected"),
    }
}

pub(super) fn write(html: &mut String, page: &Page<'_>, shown: &[Shown<'_>], title: &str) {
    let run = page.run;
    let subject = run.subject.join(", ");
    let roles: Vec<&str> = page.roles.iter().map(|role| role.as_str()).collect();
    let (sign, class_of_all) = if run.exit == 0 { ("✓", "pass") } else { ("✗", "fail") };
    html.push_str(&format!(
        "<header class=top><p class=over style=margin:0><span><b>Coexist</b></span><span><b>{}</b> as {}</span><span>{}</span>\
         <span>seed {}</span></p>\n<h1><span class=\"mark {class_of_all}\" aria-hidden=true>{sign}</span>{}</h1>\n",
        text(&subject),
        text(&roles.join(", ")),
        text(&bases(&run.topologies)),
        text(&run.seed),
        text(title),
    ));
    for why in page.why.into_iter().chain(run.remarks.iter().map(String::as_str)) {
        html.push_str(&format!("<p class=reason>{}</p>\n", text(why)));
    }
    chips(html, shown);
    causes(html, shown);
    html.push_str(&format!(
        "<div class=next><b>Next</b><code>{}</code><button class=copy type=button hidden>Copy</button></div>\n",
        text(&terminal::next(run, page.verdicts))
    ));
    facts(html, page);
    html.push_str("</header>\n");
}

/// The base topologies, and how many variants of them.
fn bases(topologies: &[String]) -> String {
    let mut bases: Vec<&str> = topologies.iter().filter_map(|name| name.split('+').next()).collect();
    bases.dedup();
    let variants = topologies.iter().filter(|name| name.contains('+')).count();
    let named = bases.join(", ");
    match variants {
        0 => named,
        1 => format!("{named} and a variant"),
        many => format!("{named} and {many} variants"),
    }
}

/// Counts by outcome; with a script each of them filters.
fn chips(html: &mut String, shown: &[Shown<'_>]) {
    html.push_str("<ul class=chips aria-label=\"Cases by outcome\">");
    for outcome in ORDER {
        let count = shown.iter().filter(|one| one.verdict.outcome == outcome).count();
        if count > 0 {
            html.push_str(&format!(
                "<li><button type=button class={} value=\"is:{outcome}\" aria-pressed=false>{} {count} {}</button></li>",
                class(outcome),
                mark(outcome),
                word(outcome)
            ));
        }
    }
    html.push_str("</ul>\n");
}

/// What an author looks at first.
pub(super) const ORDER: [Outcome; 7] = [
    Outcome::Fail,
    Outcome::Unobserved,
    Outcome::Setup,
    Outcome::UnexpectedPass,
    Outcome::Pass,
    Outcome::ExpectedFail,
    Outcome::Skip,
];

/// Failures that most likely have one cause, those with most cases first.
fn causes(html: &mut String, shown: &[Shown<'_>]) {
    let mut groups: BTreeMap<String, Vec<&Verdict>> = BTreeMap::new();
    for one in shown.iter().filter(|one| !one.verdict.outcome.as_expected()) {
        groups.entry(cause(one.verdict)).or_default().push(one.verdict);
    }
    if groups.is_empty() {
        return;
    }
    let mut groups: Vec<(String, Vec<&Verdict>)> = groups.into_iter().collect();
    groups.sort_by_key(|(_, verdicts)| std::cmp::Reverse(verdicts.len()));
    html.push_str("<ul class=causes aria-label=\"What failed, and why\">");
    for (cause, verdicts) in groups.iter().take(MOST_CAUSES) {
        // The simplest of them explains most.
        let Some(first) = verdicts.iter().min_by_key(|verdict| verdict.why.len()) else { continue };
        let why = first.why.first().map_or("", |why| why.says.as_str());
        let others = match verdicts.len() {
            1 => String::new(),
            many => format!(" and {} more", many - 1),
        };
        let says = if cause == why { String::new() } else { format!(": {}", bounded(&one_line(why), 160)) };
        html.push_str(&format!(
            "<li class={}><span class=n>{}</span><p>{}</p><p class=w><a class=id href=\"#{}\">{}</a>{others}{says}</p></li>",
            class(first.outcome),
            verdicts.len(),
            bounded(&one_line(cause), 200),
            address(&anchor(&first.id)),
            text(first.id.as_str()),
        ));
    }
    let (more, cases) =
        groups.iter().skip(MOST_CAUSES).fold((0, 0), |(n, all), (_, of)| (n + 1, all + of.len()));
    if more > 0 {
        html.push_str(&format!(
            "<li class=fail><span class=n>{cases}</span><p><a href=\"#cases\">for {}</a></p></li>",
            if more == 1 { "another reason".to_owned() } else { format!("{more} other reasons") }
        ));
    }
    html.push_str("</ul>\n");
}

/// The likely cause, or what differs first.
fn cause(verdict: &Verdict) -> String {
    let first = || verdict.why.first().map(|why| why.says.clone());
    verdict.likely.clone().or_else(first).unwrap_or_else(|| word(verdict.outcome).to_owned())
}

/// The first line; with the last one, where more than one stand: a log's end is told there.
fn one_line(says: &str) -> String {
    let mut lines = says.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => format!("{first} {last}"),
        (first, _) => first.unwrap_or_default().to_owned(),
    }
}

fn facts(html: &mut String, page: &Page<'_>) {
    let run = page.run;
    let claimed = if run.unclaimed == 0 {
        ", none unclaimed".to_owned()
    } else {
        format!(", {} UNCLAIMED", run.unclaimed)
    };
    let ended = match run.exit {
        0 => "all as expected",
        1 => "not as expected",
        2 => "bad input",
        3 => "nothing was checked",
        4 => "the lab or the subject did not start or last",
        _ => "interrupted",
    };
    let facts = [
        ("Exit code", format!("{} ({ended})", run.exit)),
        ("Ground", format!("{}, {}", run.ground, run.host)),
        ("Time", format!("{:.2} s", run.took.as_secs_f64())),
        ("Arrivals", format!("{}{claimed}", run.arrivals)),
        ("Suite", run.tree.clone()),
        ("Topologies", run.topologies.join(", ")),
    ];
    html.push_str("<dl class=facts>");
    for (name, value) in facts {
        html.push_str(&format!("<div><dt>{name}</dt><dd>{}</dd></div>", text(&value)));
    }
    html.push_str("</dl>\n");
}
