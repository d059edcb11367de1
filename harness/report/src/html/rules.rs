//! The overview: a table of rules and mailboxes, a mark for each case, and the rules for which none ran.

use model::MailboxName;
use model::case::Case;
use model::rule::{Level, Rule};
use model::verdict::Outcome;

use super::escape::{address, text};
use super::overview::ORDER;
use super::{Page, Shown, anchor, class, mark, word};

pub(super) fn write(html: &mut String, page: &Page<'_>, shown: &[Shown<'_>]) {
    html.push_str(
        "<h2 id=rules>Rules</h2>\n<p class=say>A mark is a case; it leads to what that case did. A dot is a mailbox that the \
         rule names and no case of this run plays. Arrow keys go from mark to mark.</p>\n<ul class=legend>",
    );
    for outcome in ORDER {
        html.push_str(&format!(
            "<li><span class=\"k {}\" aria-hidden=true>{}</span> {}</li>",
            class(outcome),
            mark(outcome),
            word(outcome)
        ));
    }
    html.push_str("</ul>\n");
    let mailboxes = mailboxes(page, shown);
    for (level, name, says) in [
        (Level::Result, "Result", "a user would notice"),
        (Level::Likeness, "Likeness", "Exchange does so, and another proxy need not"),
    ] {
        let rules: Vec<&Rule> = page.rules.iter().filter(|rule| rule.level == level).collect();
        if !rules.is_empty() {
            table(html, page, shown, &mailboxes, &rules, &format!("{name} <span>{says}</span>"));
        }
    }
}

fn table(
    html: &mut String,
    page: &Page<'_>,
    shown: &[Shown<'_>],
    mailboxes: &[MailboxName],
    rules: &[&Rule],
    caption: &str,
) {
    let (ran, idle): (Vec<&Rule>, Vec<&Rule>) =
        rules.iter().partition(|rule| shown.iter().any(|one| one.verdict.rules.contains(&rule.id)));
    html.push_str("<div class=scroll role=region tabindex=0 aria-label=\"Table of rules\">");
    if !ran.is_empty() {
        html.push_str(&format!(
            "<table class=rules><caption>{caption}</caption><thead><tr><th scope=col>Rule</th>"
        ));
        for mailbox in mailboxes {
            html.push_str(&format!("<th scope=col>{}</th>", text(mailbox.as_str())));
        }
        html.push_str("<th scope=col>none</th></tr></thead><tbody>\n");
        ran.iter().for_each(|rule| row(html, shown, mailboxes, rule));
        html.push_str("</tbody></table>");
    } else {
        html.push_str(&format!(
            "<p class=say style=\"padding:8px 12px;margin:0\">{caption}: no case ran.</p>"
        ));
    }
    if !idle.is_empty() {
        let rules = if idle.len() == 1 { "rule" } else { "rules" };
        html.push_str(&format!(
            "<details><summary>{} {rules} without a case in this run</summary><ul class=unruled>",
            idle.len()
        ));
        for rule in idle {
            let cases = page.cases.iter().filter(|case| case.rules.contains(&rule.id)).count();
            let why = match cases {
                0 => "no case yet".to_owned(),
                1 => "1 case, not run".to_owned(),
                many => format!("{many} cases, not run"),
            };
            html.push_str(&format!(
                "<li><b class=id>{}</b> {} <span>({why})</span></li>",
                text(rule.id.as_str()),
                text(&rule.says)
            ));
        }
        html.push_str("</ul></details>");
    }
    html.push_str("</div>\n");
}

fn row(html: &mut String, shown: &[Shown<'_>], mailboxes: &[MailboxName], rule: &Rule) {
    let of_rule: Vec<&Shown<'_>> = shown.iter().filter(|one| one.verdict.rules.contains(&rule.id)).collect();
    let bad = of_rule.iter().any(|one| !one.verdict.outcome.as_expected());
    html.push_str(&format!(
        "<tr{}><th scope=row><span class=id>{}</span><span class=says>{}</span></th>",
        if bad { " class=bad" } else { "" },
        text(rule.id.as_str()),
        text(&rule.says)
    ));
    for mailbox in mailboxes {
        let here: Vec<&Shown<'_>> = of_rule.iter().filter(|one| plays(one.case, mailbox)).copied().collect();
        match (here.is_empty(), rule.mailboxes.contains(mailbox)) {
            (true, true) => {
                html.push_str("<td class=none title=\"no case ran\">·<span class=vh>no case ran</span></td>")
            }
            (true, false) => html.push_str("<td></td>"),
            (false, _) => cell(html, &here),
        }
    }
    let nobody: Vec<&Shown<'_>> =
        of_rule.into_iter().filter(|one| one.case.is_none_or(|case| case.steps.is_empty())).collect();
    match nobody.is_empty() {
        true => html.push_str("<td></td></tr>\n"),
        false => {
            cell(html, &nobody);
            html.push_str("</tr>\n");
        }
    }
}

fn plays(case: Option<&Case>, mailbox: &MailboxName) -> bool {
    case.is_some_and(|case| case.steps.iter().any(|step| step.when.mailbox == *mailbox))
}

/// Those that are not as expected first.
fn cell(html: &mut String, cases: &[&Shown<'_>]) {
    let mut cases = cases.to_vec();
    cases.sort_by_key(|one| ORDER.iter().position(|outcome| *outcome == one.verdict.outcome));
    html.push_str("<td>");
    for one in cases {
        let outcome: Outcome = one.verdict.outcome;
        let id = text(one.verdict.id.as_str());
        html.push_str(&format!(
            "<a class=\"k {}\" href=\"#{}\" title=\"{id}: {}\" aria-label=\"{id}: {}\">{}</a>",
            class(outcome),
            address(&anchor(&one.verdict.id)),
            word(outcome),
            word(outcome),
            mark(outcome)
        ));
    }
    html.push_str("</td>");
}

/// The columns: in the order of the rule that names most of them, then whatever else ran.
fn mailboxes(page: &Page<'_>, shown: &[Shown<'_>]) -> Vec<MailboxName> {
    let mut rules: Vec<&Rule> = page.rules.iter().collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.mailboxes.len()));
    let of_rules = rules.into_iter().flat_map(|rule| &rule.mailboxes);
    let of_cases =
        shown.iter().filter_map(|one| one.case).flat_map(|case| &case.steps).map(|step| &step.when.mailbox);
    let mut columns = vec![];
    for mailbox in of_rules.chain(of_cases) {
        if !columns.contains(mailbox) && shown.iter().any(|one| plays(one.case, mailbox)) {
            columns.push(mailbox.clone());
        }
    }
    columns
}
