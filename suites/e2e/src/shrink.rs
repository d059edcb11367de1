//! The least of a topology in which something is still so: its parts are left out, many at a time and then one by one, as long as
//! it is. `random` shrinks what oracle and reference differ in by it, `e2e --shrink` a case that fails.

use std::collections::{BTreeSet, HashSet};
use std::ops::AsyncFnMut;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::Topology;
use model::case::FindingLevel;
use model::problem::Source;
use model::topology::{Setting, TopologyFiles};
use model::verdict::Verdict;
use tokio_util::sync::CancellationToken;
use toml::Table;

use crate::findings;

mod parts;
use parts::{Part, without};

/// How much is done for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Topologies that are tried.
    pub(crate) tries: usize,
    /// Time after which no other is begun.
    pub(crate) within: Duration,
}

/// Puts base, variants and settings together as one file's table; nothing where they do not fit.
pub(crate) type PutTogether = Arc<dyn Fn(&[String], &Setting) -> Option<Table> + Send + Sync>;

/// A topology as it is put together.
#[derive(Clone)]
pub(crate) struct Whole {
    put_together: PutTogether,
    variants: Vec<String>,
    settings: Setting,
    /// What of the table is left out.
    left_out: Vec<Vec<String>>,
}

impl Whole {
    pub(crate) fn new(put_together: PutTogether, variants: Vec<String>, settings: Setting) -> Whole {
        Whole { put_together, variants, settings, left_out: vec![] }
    }

    /// A topology that is one file.
    pub(crate) fn of_text(text: &str) -> Whole {
        let table = text.parse::<Table>().ok();
        Whole::new(Arc::new(move |_, _| table.clone()), vec![], Setting::new())
    }

    fn table(&self) -> Option<Table> {
        let mut table = (self.put_together)(&self.variants, &self.settings)?;
        self.left_out.iter().for_each(|path| without(&mut table, path));
        Some(table)
    }

    fn less(&self, parts: &[Part]) -> Whole {
        let mut less = self.clone();
        for part in parts {
            match part {
                Part::Variant(name) => less.variants.retain(|variant| variant != name),
                Part::Setting(place) => drop(less.settings.remove(place)),
                Part::Of(path) => less.left_out.push(path.clone()),
            }
        }
        less
    }
}

/// A topology that is tried.
pub(crate) struct Tried {
    /// As a file.
    pub(crate) text: String,
    /// As it is read.
    pub(crate) topology: Topology,
}

/// What was found.
pub(crate) struct Least<T> {
    /// The topology.
    pub(crate) tried: Tried,
    /// What shows it there.
    pub(crate) shown: T,
    /// How many topologies were tried.
    pub(crate) tries: usize,
    /// Whether it ended before nothing more could be left out.
    pub(crate) cut_short: bool,
}

/// Leaves out what can be left out. What `keeps` names stays; so does a topology that `check` has no new error for. `differs`
/// gives what shows that it is still so.
pub(crate) async fn least<T>(
    whole: Whole,
    shown: T,
    keeps: impl Fn(&str) -> bool,
    (limits, stop): (Limits, &CancellationToken),
    mut differs: impl AsyncFnMut(usize, &Tried) -> Option<T>,
) -> Option<Least<T>> {
    let first = whole.table()?;
    let tried = read(&first)?;
    let known = errors(&tried.topology);
    let mut kept = parts::names(&first);
    kept.retain(|name| keeps(name));
    let begun = Instant::now();
    let mut seen = HashSet::from([tried.text.clone()]);
    let mut now = whole;
    let mut least = Least { tried, shown, tries: 0, cut_short: false };
    let mut at_once = usize::MAX;
    loop {
        let mut smaller = false;
        for kind in parts::KINDS {
            let mut size = at_once;
            while size > 0 {
                let table = now.table()?;
                let all = parts::of(kind, (&now.variants, &now.settings), &table, &kept);
                size = size.min(all.len());
                for chunk in all.chunks(size.max(1)) {
                    let less = now.less(chunk);
                    let usable = less.table().filter(|table| kept.is_subset(&parts::names(table)));
                    let Some(tried) = usable.and_then(|table| read(&table)) else { continue };
                    if !seen.insert(tried.text.clone()) || !errors(&tried.topology).is_subset(&known) {
                        continue;
                    }
                    if least.tries >= limits.tries || begun.elapsed() > limits.within || stop.is_cancelled() {
                        least.cut_short = true;
                        return Some(least);
                    }
                    least.tries += 1;
                    if let Some(shown) = differs(least.tries, &tried).await {
                        (now, least.tried, least.shown, smaller) = (less, tried, shown, true);
                    }
                }
                size /= 2;
            }
        }
        if !smaller {
            return Some(least);
        }
        // What is left is little: what may go now that something else is gone, goes by itself.
        at_once = 1;
    }
}

/// Whether two verdicts differ in the same way: a topology that lost too much differs in ways of its own.
pub(crate) fn same_kind(a: &Verdict, b: &Verdict) -> bool {
    let kinds = |verdict: &Verdict| -> Vec<(usize, String)> {
        verdict.why.iter().map(|why| (why.leg, why.what.clone())).collect()
    };
    let told = |verdict: &Verdict| verdict.observed.last().map(|leg| leg.told.clone());
    kinds(a) == kinds(b) && told(a) == told(b)
}

/// A topology as one file, whatever it was put together from.
pub(crate) fn flat(topology: &Topology) -> Option<Table> {
    let mut table = Table::try_from(topology).ok()?;
    // The file's own name says it.
    table.remove("name");
    Some(table)
}

fn read(table: &Table) -> Option<Tried> {
    let text = toml::to_string(table).ok()?;
    let files = TopologyFiles::base(Source::new("shrunk.toml", text.clone()));
    Some(Tried { topology: files.build(&Setting::new()).ok()?, text })
}

fn errors(topology: &Topology) -> BTreeSet<(&'static str, String)> {
    let found = findings::of(topology).into_iter();
    found.filter(|finding| finding.level == FindingLevel::Error).map(|f| (f.rule, f.at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVER: Limits = Limits { tries: 1000, within: Duration::from_secs(600) };

    async fn shrunk(
        text: &str,
        limits: Limits,
        keeps: impl Fn(&str) -> bool,
        so: impl Fn(&Topology) -> bool,
    ) -> Least<()> {
        let differs = async |_: usize, tried: &Tried| so(&tried.topology).then_some(());
        let stop = CancellationToken::new();
        least(Whole::of_text(text), (), keeps, (limits, &stop), differs).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_not_needed_goes_many_at_a_time() {
        let text = oracle::random::text(3);
        let whole = oracle::random::topology(3);
        let (mailbox, _) = whole.mailboxes.first_key_value().unwrap();
        let home = whole.home(mailbox).unwrap();
        let so = |topology: &Topology| topology.home(mailbox) == Some(home);
        let least = shrunk(&text, EVER, |name| name == mailbox.as_str(), so).await;
        let left = &least.tried.topology;
        let servers: Vec<&str> = left.servers.keys().map(|name| name.as_str()).collect();
        assert!(servers.len() <= 2 && servers.contains(&home.as_str()), "{servers:?}");
        assert_eq!((left.mailboxes.len(), left.databases.len(), left.namespaces.len()), (1, 1, 0));
        assert!(!least.cut_short);
        assert!(least.tries < whole.servers.len() * 12, "{}", least.tries);
    }

    #[tokio::test]
    async fn no_more_is_tried_than_is_allowed() {
        let limits = Limits { tries: 3, ..EVER };
        let least = shrunk(&oracle::random::text(3), limits, |_| false, |_| false).await;
        assert!(least.cut_short && least.tries == 3);
        let never = Limits { within: Duration::ZERO, ..EVER };
        assert_eq!(shrunk(&oracle::random::text(3), never, |_| false, |_| true).await.tries, 0);
    }
}
