//! `coexist list`: what there is.

use std::collections::BTreeMap;
use std::path::Path;

use model::subject::Feature;
use model::{MailboxName, RuleId};

use super::{List, What, say};
use crate::exit::Exit;
use crate::findings::fault::CHECK_FAULTS;
use crate::lab_fault::LAB_FAULTS;
use crate::suite::Suite;

pub(super) fn list(root: &Path, options: &List) -> Exit {
    let suite = match say::suite(root) {
        Ok(suite) => suite,
        Err(exit) => return exit,
    };
    match options.what {
        What::Cases => {
            suite.cases.iter().for_each(|case| println!("{:<58} {}", case.id.to_string(), case.title))
        }
        What::Rules => print!("{}", report::matrix::rules(&suite.rules, &covered(&suite))),
        What::Topologies => topologies(&suite),
        What::Subjects => {
            for name in suite.subjects() {
                match suite.subject(&name) {
                    Ok((subject, _)) => {
                        println!("{name:<24} {:<16} {}", subject.role, features(&subject.features))
                    }
                    Err(error) => return say::suite_error(&error),
                }
            }
        }
        What::Features => Feature::ALL.iter().for_each(|feature| println!("{feature}")),
        What::Defects => defects(),
    }
    Exit::AsExpected
}

/// The rules that cases hold, and for which mailboxes.
pub(super) fn covered(suite: &Suite) -> Vec<(RuleId, Vec<MailboxName>)> {
    let mut covered: BTreeMap<RuleId, Vec<MailboxName>> = BTreeMap::new();
    for case in &suite.cases {
        for rule in &case.rules {
            let mailboxes = covered.entry(rule.clone()).or_default();
            for step in &case.steps {
                if !mailboxes.contains(&step.when.mailbox) {
                    mailboxes.push(step.when.mailbox.clone());
                }
            }
        }
    }
    covered.into_iter().collect()
}

fn topologies(suite: &Suite) {
    let (bases, variants) = suite.topologies();
    for base in bases {
        let taken: Vec<&str> = variants
            .iter()
            .filter(|variant| suite.topology(&format!("{base}{variant}"), &Default::default()).is_ok())
            .copied()
            .collect();
        println!("{base:<14} variants: {}", taken.join(", "));
    }
}

fn features(features: &[Feature]) -> String {
    features.iter().map(|feature| feature.as_str()).collect::<Vec<_>>().join(", ")
}

fn defects() {
    for defect in defects::catalogue() {
        let built = if defect.built { "" } else { "  (not built yet)" };
        println!("{:<28} {:<22} {}{built}", defect.id, defect.rules.join(" "), defect.title);
    }
    for fault in LAB_FAULTS {
        println!("{:<28} {:<22} {}", fault.id, fault.rules.join(" "), fault.title);
    }
    for fault in CHECK_FAULTS {
        println!("{:<28} {:<22} {}", fault.id, fault.rules.join(" "), fault.title);
    }
}
