//! What GitHub's pages show of a run: an annotation a failed case, and a summary in Markdown.
//!
//! Formats: GitHub Docs, "Workflow commands for GitHub Actions". A subject's text can end neither a command nor a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use model::CaseId;
use model::plain::steers;
use model::verdict::{RunFacts, Verdict};

use crate::html::Evidence;
use crate::terminal;

/// GitHub shows this many errors of a step.
const MOST_ANNOTATIONS: usize = 10;
/// Rows of the summary's table. GitHub takes at most 1 MiB of a step.
const MOST_ROWS: usize = 100;
/// Characters of one text in either.
const MOST_CHARACTERS: usize = 300;

/// Workflow commands, one a line: an error at the file of each failed case, and one that says how many more there are.
/// `file` gives a case's file relative to the checkout, where it is in it.
pub fn annotations(verdicts: &[Verdict], file: impl Fn(&CaseId) -> Option<String>) -> String {
    let wrong: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.outcome.as_expected()).collect();
    let mut commands = String::new();
    let shown = if wrong.len() > MOST_ANNOTATIONS { MOST_ANNOTATIONS - 1 } else { wrong.len() };
    for verdict in &wrong[..shown] {
        let file = file(&verdict.id).map(|file| format!("file={},", property(&file))).unwrap_or_default();
        let title = property(&format!("{}: {}", verdict.id, terminal::says(verdict)));
        let says = data(&sentences(verdict).join("\n"));
        let _ = writeln!(commands, "::error {file}title={title}::{says}");
    }
    if shown < wrong.len() {
        let more = wrong.len() - shown;
        let _ = writeln!(
            commands,
            "::error title={more} more cases are not as expected::The report lists all of them"
        );
    }
    commands
}

/// The run as Markdown: counts, what failed, deviations, the next step.
pub fn summary(run: &RunFacts, verdicts: &[Verdict], evidence: &BTreeMap<CaseId, Evidence>) -> String {
    let wrong: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.outcome.as_expected()).collect();
    let sign = if run.exit == 0 { "✅" } else { "❌" };
    let counts = &run.counts;
    let mut text = format!(
        "## {sign} Coexist: {} of {} cases not as expected\n\n`{}` on {}, ground {}, seed `{}`, exit code {}\n\n",
        wrong.len(),
        counts.selected,
        code(&run.subject.join(", ")),
        plain(&run.topologies.join(", ")),
        plain(&run.ground),
        code(&run.seed),
        run.exit
    );
    text.push_str("| passed | failed | failed as expected | passed unexpectedly | skipped | could not be run | unobserved |\n|--:|--:|--:|--:|--:|--:|--:|\n");
    let _ = writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} | {} |\n",
        counts.pass,
        counts.fail,
        counts.expected_fail,
        counts.unexpected_pass,
        counts.skip,
        counts.setup,
        counts.unobserved
    );
    for remark in &run.remarks {
        let _ = writeln!(text, "**Note:** {}\n", plain(remark));
    }
    let _ = writeln!(text, "**Next:** `{}`\n", code(&terminal::next(run, verdicts)));
    if !wrong.is_empty() {
        text.push_str("| case | rules | what differs | evidence |\n|---|---|---|---|\n");
        for verdict in wrong.iter().take(MOST_ROWS) {
            let rules: Vec<String> = verdict.rules.iter().map(ToString::to_string).collect();
            let folder = evidence.get(&verdict.id).map(|evidence| format!("`{}`", code(&evidence.folder)));
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                code(verdict.id.as_str()),
                plain(&rules.join(" ")),
                sentences(verdict).iter().map(|says| plain(says)).collect::<Vec<_>>().join("<br>"),
                folder.unwrap_or_default()
            );
        }
        if wrong.len() > MOST_ROWS {
            let _ = writeln!(text, "\nand {} more: see the report", wrong.len() - MOST_ROWS);
        }
        text.push('\n');
    }
    deviations(&mut text, verdicts);
    text
}

fn deviations(text: &mut String, verdicts: &[Verdict]) {
    let excused = |verdict: &&Verdict| verdict.outcome == model::verdict::Outcome::ExpectedFail;
    let excused: Vec<&Verdict> = verdicts.iter().filter(excused).collect();
    if excused.is_empty() {
        return;
    }
    let _ = writeln!(text, "<details><summary>{} deviations, each true today</summary>\n", excused.len());
    text.push_str("| case | why it fails |\n|---|---|\n");
    for verdict in excused.iter().take(MOST_ROWS) {
        let why = verdict.likely.as_deref().unwrap_or_default();
        let _ = writeln!(text, "| `{}` | {} |", code(verdict.id.as_str()), plain(why));
    }
    if excused.len() > MOST_ROWS {
        let _ = writeln!(text, "\nand {} more: see the report", excused.len() - MOST_ROWS);
    }
    text.push_str("\n</details>\n");
}

/// The first differences, and the likely cause.
fn sentences(verdict: &Verdict) -> Vec<String> {
    let mut says: Vec<String> = verdict.why.iter().take(3).map(|why| bounded(&why.says)).collect();
    if verdict.why.len() > 3 {
        says.push(format!("and {} differences more", verdict.why.len() - 3));
    }
    says.extend(verdict.likely.as_ref().map(|likely| format!("likely: {}", bounded(likely))));
    says
}

fn bounded(says: &str) -> String {
    let shown: String = says.chars().take(MOST_CHARACTERS).collect();
    if shown.len() < says.len() { shown + "…" } else { shown }
}

/// The message of a workflow command.
fn data(text: &str) -> String {
    let harmless: String =
        text.chars().map(|c| if steers(c) && !matches!(c, '\r' | '\n') { '\u{fffd}' } else { c }).collect();
    harmless.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value among its properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text in Markdown that stays text, on one line: all that could mean something there is a numeric character reference.
fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => shown.push(' '),
            c if steers(c) => shown.push('\u{fffd}'),
            c if c.is_ascii_punctuation()
                && !matches!(c, '.' | ',' | '/' | '-' | ';' | '(' | ')' | '=' | '+') =>
            {
                let _ = write!(shown, "&#{};", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown
}

/// Text between back ticks in a table: without those, bars and line ends.
fn code(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '`' => '\'',
            '|' => '/',
            c if steers(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{proxied_purple, run};

    fn file(id: &CaseId) -> Option<String> {
        Some(format!("suites/cases/{id}.toml"))
    }

    #[test]
    fn a_failed_case_is_an_error_at_its_file() {
        let wanted = "::error file=suites/cases/coexistence/owa/purple.toml,title=coexistence/owa/purple%3A leg 1 differs::\
                      cas2007-s1 is passed, and nothing expects it%0Aa silent redirect is due, and a mailbox was read%0A\
                      likely: the proxy treats a 2007 mailbox in its own site as something to proxy; 2007 is redirected\n";
        assert_eq!(annotations(&[proxied_purple()], file), wanted);
    }

    #[test]
    fn what_a_subject_says_ends_no_command() {
        let mut verdict = proxied_purple();
        verdict.why[0].says = "50%\r\n::stop-commands::x\u{202e}".to_owned();
        let commands = annotations(&[verdict], |_| Some("a:b,c%.toml".to_owned()));
        assert_eq!(commands.lines().count(), 1, "{commands}");
        assert!(commands.starts_with("::error file=a%3Ab%2Cc%25.toml,title="), "{commands}");
        assert!(commands.contains("::50%25%0D%0A::stop-commands::x\u{fffd}%0A"), "{commands}");
    }

    #[test]
    fn ten_annotations_at_most_and_the_last_says_how_many_more() {
        let ten: Vec<Verdict> = (0..10).map(|_| proxied_purple()).collect();
        assert_eq!(annotations(&ten, file).lines().count(), 10);
        let many: Vec<Verdict> = (0..25).map(|_| proxied_purple()).collect();
        let commands = annotations(&many, file);
        assert_eq!(commands.lines().count(), 10);
        assert_eq!(
            commands.lines().last(),
            Some("::error title=16 more cases are not as expected::The report lists all of them")
        );
    }

    #[test]
    fn the_summary_says_what_failed_and_what_is_next() {
        let verdicts = [proxied_purple()];
        let folder = "evidence/coexistence/owa/purple".to_owned();
        let evidence = BTreeMap::from([(verdicts[0].id.clone(), Evidence { folder, ..Evidence::default() })]);
        let wanted = "\
## ❌ Coexist: 1 of 1 cases not as expected

`reference-2013` on coexistence, ground own, seed `7f21`, exit code 1

| passed | failed | failed as expected | passed unexpectedly | skipped | could not be run | unobserved |
|--:|--:|--:|--:|--:|--:|--:|
| 0 | 1 | 0 | 0 | 0 | 0 | 0 |

**Next:** `cargo xtask e2e --case coexistence/owa/purple --seed 7f21`

| case | rules | what differs | evidence |
|---|---|---|---|
| `coexistence/owa/purple` | CX-OWA-2 | cas2007-s1 is passed, and nothing expects it<br>a silent redirect is due, and a mailbox was \
read<br>likely&#58; the proxy treats a 2007 mailbox in its own site as something to proxy; 2007 is redirected | \
`evidence/coexistence/owa/purple` |

";
        assert_eq!(summary(&run(1, &verdicts), &verdicts, &evidence), wanted);
    }

    #[test]
    fn a_deviation_is_listed_with_its_reason_and_a_strangers_text_stays_text() {
        let mut verdict = proxied_purple();
        verdict.outcome = model::verdict::Outcome::ExpectedFail;
        verdict.likely = Some("no | <b>silent</b> redirect\n[yet](x) `12`".to_owned());
        let verdicts = [verdict];
        let text = summary(&run(0, &verdicts), &verdicts, &BTreeMap::new());
        assert!(text.contains("1 deviations, each true today"), "{text}");
        assert!(
            text.contains(
                "| `coexistence/owa/purple` | no &#124; &#60;b&#62;silent&#60;/b&#62; redirect &#91;yet&#93;(x) \
                 &#96;12&#96; |\n"
            ),
            "{text}"
        );
    }
}
