//! `e2e --shrink`: a failed case in a smaller topology in which it still fails, written as a suite of its own.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::Topology;
use model::case::{Case, Given};
use model::topology::Setting;
use model::verdict::{Outcome, Verdict};
use oracle::Table;

use super::again::Again;
use super::say;
use crate::publish::whole;
use crate::run::{How, Work, run};
use crate::shrink::{Least, Limits, Tried, Whole, flat, least, same_kind};
use crate::suite::Suite;

/// The most cases of a run that are shrunk.
const MOST_CASES: usize = 3;
/// How long one of them is shrunk at most.
const WITHIN: Duration = Duration::from_secs(120);
/// The name of the topology that is written, and so the first word of the case's id.
const NAME: &str = "shrunk";

/// Where cases are shrunk.
pub(super) struct Shrinking<'a> {
    /// What their run was made of.
    pub(super) again: &'a Again<'a>,
    /// The report's folder.
    pub(super) report: &'a Path,
    /// The most topologies that are tried for one.
    pub(super) tries: usize,
}

impl Shrinking<'_> {
    /// Shrinks the first failed cases of a run, and says what came of each, in lines for the summary.
    pub(super) async fn all(&self, verdicts: &[Verdict]) -> Vec<String> {
        let mut failed: Vec<&Verdict> = vec![];
        for verdict in verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Fail) {
            if failed.len() < MOST_CASES && !failed.iter().any(|known| known.id == verdict.id) {
                failed.push(verdict);
            }
        }
        let mut lines = vec![];
        for verdict in failed {
            let found = self.one(verdict).await;
            lines.extend(found.unwrap_or_else(|why| vec![format!("{}: not shrunk: {why}", verdict.id)]));
        }
        lines
    }

    async fn one(&self, verdict: &Verdict) -> Result<Vec<String>, String> {
        let Again { suite, work, stop, .. } = *self.again;
        let known =
            work.iter().find_map(|work| Some((work, work.cases.iter().find(|c| c.id == verdict.id)?)));
        let (work, case) = known.ok_or("it is no case of this run")?;
        if case.finds.is_some() {
            return Err("it plays in no lab; its topology's file is named by `coexist explain`".to_owned());
        }
        let limits = Limits { tries: self.tries, within: WITHIN };
        eprintln!("coexist: shrinking {}: at most {} runs, and {WITHIN:?}", verdict.id, limits.tries);
        let topology = suite.topology_of(case).map_err(|error| error.to_string())?;
        let first = tried(&topology).ok_or("its topology cannot be written as one file")?;
        let scene = Scene { shrinking: self, work, case, referee: self.referee(&topology)? };
        let alone = scene.fails(&first).await.ok_or("alone in its topology it does not fail")?;
        // Who is vouched for by nobody is shrunk by the case's own word.
        let vouched = scene.is_right(&first).await;
        let still = async |number: usize, tried: &Tried| {
            said(&case.id.to_string(), number, limits, &tried.topology);
            let fails = scene.fails(tried).await.filter(|fails| same_kind(&alone, fails))?;
            (!vouched || scene.is_right(tried).await).then_some(fails)
        };
        let names = mentioned(case);
        let keeps = |name: &str| mentions(&names, name);
        let base = case.topology.clone();
        let put_together = {
            let suite = suite.clone();
            move |variants: &[String], settings: &Setting| {
                let built = suite.topology(&format!("{base}{}", variants.concat()), settings).ok()?;
                flat(&built)
            }
        };
        let given = &case.given;
        let start = Whole::new(Arc::new(put_together), given.variants.clone(), given.settings.clone());
        let found = least(start, alone.clone(), keeps, (limits, stop), still).await;
        if io::stderr().is_terminal() {
            eprintln!();
        }
        let found = found.ok_or("its topology cannot be put together again")?;
        let folder = self.report.join(NAME).join(verdict.id.as_str());
        let id = self.write(&folder, &scene.case_in(&found.tried), &found.tried)?;
        Ok(self.lines(verdict, &topology, &found, (&folder, &id, vouched)))
    }

    /// The reference of the role, sound: the case must hold there. Where it is the subject itself, nobody is.
    fn referee(&self, topology: &Topology) -> Result<Option<Work>, String> {
        if self.again.how.subject.is_none() {
            return Ok(None);
        }
        let subject = self.again.suite.subject(Suite::reference_for(topology.role));
        Ok(Some(Work { subject: subject.map_err(|error| error.to_string())?, cases: vec![] }))
    }

    /// Writes a suite of this one case, and reads it again.
    fn write(&self, folder: &Path, case: &Case, tried: &Tried) -> Result<String, String> {
        let behind: String = case.id.as_str().split('/').skip(1).collect::<Vec<_>>().join("/");
        let behind: String = behind.chars().map(|c| if matches!(c, '[' | ']') { '-' } else { c }).collect();
        let id = format!("{NAME}/{}", behind.trim_end_matches('-'));
        let text = case.written().map_err(|error| format!("the case cannot be written: {error}"))?;
        let root = self.again.suite.root();
        let copied = ["rules.toml".to_owned()].into_iter().chain(
            ["reference-2013", "reference-2010", "reference-edge"]
                .map(|name| format!("subjects/{name}.toml")),
        );
        let written = || {
            for file in copied {
                put(folder, &file, &std::fs::read_to_string(root.join(&file))?)?;
            }
            put(folder, "floor", "1\n")?;
            put(folder, &format!("topologies/{NAME}.toml"), &tried.text)?;
            put(folder, &format!("cases/{id}.toml"), &text)
        };
        written().map_err(|error| format!("{}: {error}", folder.display()))?;
        match Suite::read(folder) {
            Ok(suite) if suite.cases.iter().any(|known| known.id.as_str() == id) => Ok(id),
            Ok(_) => Err(format!("{}: {id} is not read as it was written", folder.display())),
            Err(error) => {
                say::suite_error(&error);
                Err(format!("{}: {error}", folder.display()))
            }
        }
    }

    fn lines(
        &self,
        verdict: &Verdict,
        whole: &Topology,
        found: &Least<Verdict>,
        (folder, id, vouched): (&PathBuf, &str, bool),
    ) -> Vec<String> {
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let left = &found.tried.topology;
        let end = if found.cut_short { "; more might go: --shrink takes a number of runs" } else { "" };
        let how = &self.again.how;
        let subject = how.subject.as_ref().map(|name| {
            let file = self.again.suite.subject_file(name);
            format!(" --subject {}", file.display())
        });
        let mut lines = vec![
            format!(
                "{}: {} became {}, in {}{end}",
                verdict.id,
                count(whole.servers.len(), "server"),
                left.servers.len(),
                count(found.tries, "run"),
            ),
            format!("  {}", folder.join(format!("topologies/{NAME}.toml")).display()),
            format!("  {}", folder.join(format!("cases/{id}.toml")).display()),
        ];
        if !vouched && how.subject.is_some() {
            lines.push(
                "  our reference does not pass the case, so that it still holds there is not known"
                    .to_owned(),
            );
        }
        lines.push(format!(
            "  again: {} e2e --suites {} --case {id} --seed {:04x}{}",
            crate::called::coexist(),
            folder.display(),
            how.seed,
            subject.unwrap_or_default()
        ));
        lines
    }
}

/// A case in ever other topologies, and who plays in it.
struct Scene<'a> {
    shrinking: &'a Shrinking<'a>,
    work: &'a Work,
    case: &'a Arc<Case>,
    referee: Option<Work>,
}

impl Scene<'_> {
    /// The verdict, where the case fails in this topology.
    async fn fails(&self, tried: &Tried) -> Option<Verdict> {
        self.played(self.work, tried).await.filter(|verdict| verdict.outcome == Outcome::Fail)
    }

    /// Whether the case holds in this topology for a front end that does as the rules say.
    async fn is_right(&self, tried: &Tried) -> bool {
        let Some(referee) = &self.referee else { return false };
        self.played(referee, tried).await.is_some_and(|verdict| verdict.outcome == Outcome::Pass)
    }

    async fn played(&self, who: &Work, tried: &Tried) -> Option<Verdict> {
        let Again { suite, ground, how, stop, .. } = *self.shrinking.again;
        let file = how.folder.join(format!("{NAME}.toml"));
        std::fs::write(&file, &tried.text).ok()?;
        let case = Case { topology: file.display().to_string(), ..self.case_in(tried) };
        let work = Work { subject: who.subject.clone(), cases: vec![Arc::new(case)] };
        let how = How { isolate: true, ledger_lines: false, evidence: None, ..how.clone() };
        let quiet = Arc::new(|_, _, _| {});
        let came = run(suite.clone(), ground.clone(), vec![work], how, stop.clone(), quiet).await;
        came.verdicts.into_iter().next()
    }

    /// The case as it is in this topology: its variants and settings are in the file, and what nobody wrote is predicted anew.
    fn case_in(&self, tried: &Tried) -> Case {
        let mut case = Case::clone(self.case);
        case.given = Given { variants: vec![], settings: Setting::new(), ..case.given };
        if self.shrinking.again.suite.path_of(&case.id).is_some() {
            for step in &mut case.steps {
                if let Ok(told) = oracle::predict(&Table::standard(), &tried.topology, &step.when) {
                    step.then = told.legs;
                }
            }
        }
        case
    }
}

fn tried(topology: &Topology) -> Option<Tried> {
    let text = toml::to_string(&flat(topology)?).ok()?;
    Some(Tried { text, topology: topology.clone() })
}

fn said(case: &str, number: usize, limits: Limits, topology: &Topology) {
    if io::stderr().is_terminal() {
        let servers = topology.servers.len();
        eprint!(
            "\r\u{1b}[Kshrinking {case}: run {number} of at most {}, with {servers} servers",
            limits.tries
        );
    }
}

fn put(folder: &Path, file: &str, text: &str) -> io::Result<()> {
    let path = folder.join(file);
    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above)?;
    }
    whole(&path, text)
}

/// All that the case says but in prose.
fn mentioned(case: &Case) -> String {
    let said = (&case.given.faults, &case.given.answers, &case.steps, &case.resolves, &case.pings);
    serde_json::to_string(&said).unwrap_or_default()
}

/// Whether a name stands there as a word.
fn mentions(text: &str, name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(inner) && !text[at + name.len()..].starts_with(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_mentioned_as_a_word_alone() {
        let text = "{\"at\":\"cas2010-s1b\",\"to\":\"https://mail.contoso.com/owa/\",\"mailbox\":\"red\"}";
        for name in ["cas2010-s1b", "mail.contoso.com", "red"] {
            assert!(mentions(text, name), "{name}");
        }
        for name in ["cas2010-s1", "s1b", "mail.contoso.co", "re"] {
            assert!(!mentions(text, name), "{name}");
        }
    }

    /// Whatever a topology is put together from, one file says the same.
    #[test]
    fn every_topology_of_the_suite_is_the_same_as_one_file() {
        let suite = Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        for case in suite.cases.iter().filter(|case| case.finds.is_none()) {
            let topology = suite.topology_of(case).unwrap();
            let text = toml::to_string(&flat(&topology).unwrap()).unwrap();
            let files = model::topology::TopologyFiles::base(model::problem::Source::new("x.toml", text));
            let again =
                files.build(&Setting::new()).unwrap_or_else(|problem| panic!("{}", problem.picture()));
            assert_eq!(Topology { name: topology.name.clone(), ..again }, *topology, "{}", case.id);
        }
    }
}
