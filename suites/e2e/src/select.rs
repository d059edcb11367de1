//! Which cases run: globs, rules, topologies, views, shards; in an order drawn from a seed.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::case::Case;
use model::verdict::Shard;
use model::{RuleId, View};

/// What a command line chose.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Globs over case ids; any may match. Empty: all.
    pub cases: Vec<String>,
    /// Only these ids, whatever else matches: those of an earlier report.
    pub among: Option<BTreeSet<String>>,
    /// Rules; any may match. Empty: all.
    pub rules: Vec<RuleId>,
    /// Topologies, `coexistence` or `coexistence+pairs`. Empty: all.
    pub topologies: Vec<String>,
    /// Cases whose clients stand in this view.
    pub view: Option<View>,
    /// The I-th of N parts, I from 1.
    pub shard: Option<Shard>,
}

impl Filter {
    /// Whether it lets everything through.
    pub fn is_open(&self) -> bool {
        self.cases.is_empty()
            && self.rules.is_empty()
            && self.topologies.is_empty()
            && self.view.is_none()
            && self.shard.is_none()
            && self.among.is_none()
    }

    /// The cases that it lets through, in the order of their ids.
    pub fn select(&self, cases: &[Arc<Case>]) -> Vec<Arc<Case>> {
        let mut chosen: Vec<Arc<Case>> = cases.iter().filter(|case| self.admits(case)).cloned().collect();
        chosen.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(Shard { part, parts }) = self.shard {
            chosen = chosen
                .into_iter()
                .enumerate()
                .filter(|(at, _)| at % parts == part - 1)
                .map(|(_, c)| c)
                .collect();
        }
        chosen
    }

    fn admits(&self, case: &Case) -> bool {
        let named = |glob: &String| matches(glob, case.id.as_str()) || matches(glob, case.id.file());
        let any = |empty: bool, found: bool| empty || found;
        self.among.as_ref().is_none_or(|among| among.contains(case.id.as_str()))
            && any(self.cases.is_empty(), self.cases.iter().any(named))
            && any(self.rules.is_empty(), self.rules.iter().any(|rule| case.rules.contains(rule)))
            && any(
                self.topologies.is_empty(),
                self.topologies.iter().any(|name| *name == case.topology || *name == case.topology_name()),
            )
            && self.view.is_none_or(|view| {
                case.steps.iter().any(|step| step.when.view == view)
                    || case.resolves.iter().any(|resolves| resolves.view == view)
            })
    }
}

/// Whether a glob matches: `*` stands for any text, slashes too.
pub fn matches(glob: &str, text: &str) -> bool {
    match glob.split_once('*') {
        None => glob == text,
        Some((before, rest)) => {
            let Some(left) = text.strip_prefix(before) else { return false };
            (0..=left.len()).any(|at| left.is_char_boundary(at) && matches(rest, &left[at..]))
        }
    }
}

/// Puts things into an order that the seed decides.
pub fn shuffle<T>(things: &mut [T], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for at in (1..things.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        things.swap(at, (state % (at as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(matches("coexistence/*/purple", "coexistence/owa/purple"));
        assert!(matches("*451*", "pre-e15/eas/orange-451-listed"));
        assert!(!matches("coexistence/owa", "coexistence/owa/purple"));
        assert!(matches("*", ""));
    }

    #[test]
    fn one_seed_is_one_order() {
        let order = |seed| {
            let mut things: Vec<u32> = (0..50).collect();
            shuffle(&mut things, seed);
            things
        };
        assert_eq!(order(7), order(7));
        assert_ne!(order(7), order(8));
    }
}
