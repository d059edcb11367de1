//! Findings of a subject: templates, programs and cases that there are not, excuses that ended, a role nobody can test.

use std::collections::BTreeSet;
use std::path::Path;

use model::subject::{Day, Subject};
use model::{CaseId, Role};

use crate::commands::say;
use crate::exit::Exit;
use crate::findings::Finding;
use crate::suite::Suite;

/// What a suite has that a subject may name.
pub(super) struct Known {
    /// Every case.
    cases: BTreeSet<CaseId>,
    /// The roles of the topologies in which cases play.
    roles: BTreeSet<Role>,
}

impl Known {
    pub(super) fn of(suite: &Suite) -> Result<Known, Exit> {
        let mut roles = BTreeSet::new();
        let played = suite.cases.iter().map(|case| case.topology_name());
        let bases = suite.topologies().0.into_iter().map(str::to_owned);
        for name in bases.chain(played).collect::<BTreeSet<String>>() {
            let topology = suite.topology(&name, &Default::default());
            roles.insert(topology.map_err(|error| say::suite_error(&error))?.role);
        }
        Ok(Known { cases: suite.cases.iter().map(|case| case.id.clone()).collect(), roles })
    }
}

/// What is wrong or doubtful about a subject whose file is in this folder.
pub(super) fn findings(subject: &Subject, folder: &Path, known: &Known, today: &Day) -> Vec<Finding> {
    let mut found = vec![];
    if !known.roles.contains(&subject.role) {
        let says = format!("no topology has the role {}: no case of this suite would run", subject.role);
        found.push(Finding::error("-", "role", says));
    }
    // A path with a variable in it is known only when a lab is.
    let fixed = |path: &str| !path.contains('{');
    let templates = subject.run.files.iter().map(|template| template.from.as_str());
    for from in templates.filter(|from| fixed(from) && !folder.join(from).is_file()) {
        let says = format!("there is no template {}", folder.join(from).display());
        found.push(Finding::error("-", "run.files", says));
    }
    // A bare name is looked up in PATH. What is not there yet may still be built.
    let program = subject.run.command.first().filter(|word| word.contains('/') && fixed(word));
    if let Some(program) = program.filter(|program| !folder.join(program).is_file()) {
        let says = format!("there is no program {} yet", folder.join(program).display());
        found.push(Finding::warning("-", "run.command", says));
    }
    for (case, deviation) in &subject.deviations {
        let at = format!("deviations.\"{case}\"");
        if !known.cases.contains(case) {
            let says = "names no case; `coexist list cases` prints every id";
            found.push(Finding::error("-", at, says));
        } else if let Some(until) = deviation.until.as_ref().filter(|until| *until < today) {
            found.push(Finding::error("-", at, format!("the excuse ended on {until}: {}", deviation.why)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use model::problem::Source;

    use super::*;

    fn of(more: &str) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../subjects");
        let text = format!(
            "contract = 1\nname = \"mine\"\nrole = \"front-end-2013\"\nfeatures = [\"owa\"]\n[run]\n\
             command = [\"my-proxy\"]\nready = {{ tcp = \"https\", within = \"10s\" }}\n\
             stop = {{ signal = \"TERM\", within = \"5s\" }}\n{more}"
        );
        let subject = Subject::read(&Source::new("mine.toml", text)).unwrap();
        let known = Known {
            cases: ["coexistence/owa/red".parse().unwrap()].into(),
            roles: [Role::FrontEnd2013].into(),
        };
        let today = "2026-01-02".parse().unwrap();
        findings(&subject, &folder, &known, &today).iter().map(|finding| finding.at.clone()).collect()
    }

    #[test]
    fn a_template_must_be_there() {
        assert_eq!(of("files = [{ from = \"none.jinja\", to = \"{work}/a\" }]"), ["run.files"]);
        assert_eq!(of("files = [{ from = \"reference-2013.toml\", to = \"{work}/a\" }]"), [] as [&str; 0]);
        assert_eq!(of("files = [{ from = \"{work}/lab.json\", to = \"{work}/a\" }]"), [] as [&str; 0]);
    }

    #[test]
    fn a_deviation_names_a_case_and_its_day_is_not_past() {
        let deviates = |case: &str, until: &str| {
            of(&format!("[deviations]\n\"{case}\" = {{ why = \"later\", until = {until} }}"))
        };
        assert_eq!(
            deviates("coexistence/owa/nobody", "2027-01-01"),
            ["deviations.\"coexistence/owa/nobody\""]
        );
        assert_eq!(deviates("coexistence/owa/red", "2026-01-01"), ["deviations.\"coexistence/owa/red\""]);
        assert_eq!(deviates("coexistence/owa/red", "2026-01-02"), [] as [&str; 0]);
    }
}
