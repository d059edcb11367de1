//! The parts of a topology that may be left out, and what goes with each.

use std::collections::BTreeSet;

use model::topology::Setting;
use toml::{Table, Value};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A variant, `+pairs`.
    Variant(String),
    /// The fields that are set at a place, `cas2010-s1/owa`.
    Setting(String),
    /// Where it stands in the file.
    Of(Vec<String>),
}

/// Kinds of parts, those with which most goes first.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Variants,
    Settings,
    /// A table of named things.
    Named(&'static str),
    /// What a server has of its own.
    OfServers,
}

pub(super) const KINDS: [Kind; 10] = [
    Kind::Variants,
    Kind::Settings,
    Kind::Named("sites"),
    Kind::Named("servers"),
    Kind::Named("mailboxes"),
    Kind::Named("databases"),
    Kind::Named("oabs"),
    Kind::Named("namespaces"),
    Kind::Named("services"),
    Kind::OfServers,
];

/// The tables whose keys are names.
const NAMED: [&str; 8] =
    ["sites", "servers", "edges", "mailboxes", "databases", "oabs", "namespaces", "services"];

/// Every name of a topology's file.
pub(super) fn names(table: &Table) -> BTreeSet<String> {
    NAMED.iter().flat_map(|kind| keys(table, &[kind])).collect()
}

/// The parts of a kind without which all of `kept` is still there.
pub(super) fn of(
    kind: Kind,
    (variants, settings): (&[String], &Setting),
    table: &Table,
    kept: &BTreeSet<String>,
) -> Vec<Part> {
    let all: Vec<Vec<String>> = match kind {
        Kind::Variants => return variants.iter().cloned().map(Part::Variant).collect(),
        Kind::Settings => return settings.keys().cloned().map(Part::Setting).collect(),
        Kind::Named(kind) => {
            keys(table, &[kind]).into_iter().map(|name| vec![kind.to_owned(), name]).collect()
        }
        Kind::OfServers => {
            let own = |server: &String| {
                let directories = keys(table, &["servers", server, "directories"]).into_iter();
                let at = |rest: &[&str]| -> Vec<String> {
                    ["servers", server].iter().chain(rest).map(|step| (*step).to_owned()).collect()
                };
                let parts = directories.map(|name| at(&["directories", &name]));
                let others = ["outlook-anywhere", "imap", "pop"].into_iter();
                let there = others.filter(|name| !keys(table, &["servers", server, name]).is_empty());
                parts.chain(there.map(|name| at(&[name]))).collect::<Vec<_>>()
            };
            keys(table, &["servers"]).iter().flat_map(own).collect()
        }
    };
    let stays = |path: &Vec<String>| {
        let mut less = table.clone();
        without(&mut less, path);
        kept.is_subset(&names(&less))
    };
    all.into_iter().filter(stays).map(Part::Of).collect()
}

fn keys(table: &Table, path: &[&str]) -> Vec<String> {
    let mut at = table;
    for step in path {
        match at.get(*step).and_then(Value::as_table) {
            Some(inner) => at = inner,
            None => return vec![],
        }
    }
    at.keys().cloned().collect()
}

/// Takes one part out, and what cannot be without it: the servers of a site, the mailboxes of a database, a database without a
/// copy. Lists that name it name it no longer.
pub(super) fn without(whole: &mut Table, path: &[String]) {
    let Some((name, above)) = path.split_last() else { return };
    let mut table = &mut *whole;
    for step in above {
        match table.get_mut(step).and_then(Value::as_table_mut) {
            Some(inner) => table = inner,
            None => return,
        }
    }
    if table.remove(name).is_none() {
        return;
    }
    let [kind, _] = path else { return };
    match kind.as_str() {
        "sites" => {
            for kind in ["servers", "edges"] {
                those(whole, kind, "site", name).iter().for_each(|path| without(whole, path));
            }
        }
        "servers" => {
            for part in ["namespaces", "oabs", "databases"] {
                if let Some(part) = whole.get_mut(part) {
                    forget(part, name);
                }
            }
            without_a_copy(whole).iter().for_each(|path| without(whole, path));
            elsewhere_active(whole, name);
        }
        "databases" => {
            those(whole, "mailboxes", "database", name).iter().for_each(|path| without(whole, path));
            unset(whole, "oabs", "organization-mailbox", name);
        }
        "oabs" => unset(whole, "databases", "oab", name),
        _ => {}
    }
    if let Some(origins) = whole.get_mut("origins").and_then(Value::as_table_mut) {
        origins.retain(|place, _| place != name && !place.starts_with(&format!("{name}/")));
    }
}

/// The things of a kind of which a field says this.
fn those(whole: &Table, kind: &str, field: &str, says: &str) -> Vec<Vec<String>> {
    let things = whole.get(kind).and_then(Value::as_table).into_iter().flatten();
    let so = things.filter(|(_, thing)| thing.get(field).and_then(Value::as_str) == Some(says));
    so.map(|(name, _)| vec![kind.to_owned(), name.clone()]).collect()
}

fn without_a_copy(whole: &Table) -> Vec<Vec<String>> {
    let things = whole.get("databases").and_then(Value::as_table).into_iter().flatten();
    let bare = |thing: &Value| thing.get("copies").and_then(Value::as_array).is_some_and(Vec::is_empty);
    things
        .filter(|(_, thing)| bare(thing))
        .map(|(name, _)| vec!["databases".to_owned(), name.clone()])
        .collect()
}

/// A database whose active copy was on a server that is gone has another.
fn elsewhere_active(whole: &mut Table, server: &str) {
    for path in those(whole, "databases", "active", server) {
        let database = whole.get_mut(&path[0]).and_then(|all| all.get_mut(&path[1]));
        if let Some(database) = database.and_then(Value::as_table_mut)
            && let Some(copy) = database.get("copies").and_then(|copies| copies.get(0)).cloned()
        {
            database.insert("active".to_owned(), copy);
        }
    }
}

fn unset(whole: &mut Table, kind: &str, field: &str, says: &str) {
    for path in those(whole, kind, field, says) {
        let thing = whole.get_mut(&path[0]).and_then(|all| all.get_mut(&path[1]));
        if let Some(thing) = thing.and_then(Value::as_table_mut) {
            thing.remove(field);
        }
    }
}

fn forget(value: &mut Value, name: &str) {
    match value {
        Value::Table(table) => table.iter_mut().for_each(|(_, inner)| forget(inner, name)),
        Value::Array(list) => list.retain(|item| item.as_str() != Some(name)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "[sites.S]\n[sites.T]\n[servers.a]\nsite = \"S\"\n[servers.b]\nsite = \"T\"\n\
        [namespaces.n]\ninternal = [\"a\", \"b\"]\nexternal = [\"a\"]\n\
        [oabs.o]\ndistribution-points = [\"a\"]\norganization-mailbox = \"e\"\n\
        [databases.d]\ncopies = [\"b\", \"a\"]\nactive = \"a\"\noab = \"o\"\n\
        [databases.e]\ncopies = [\"a\"]\nactive = \"a\"\n\
        [mailboxes.red]\ndatabase = \"d\"\n[mailboxes.blue]\ndatabase = \"e\"\n\
        [origins]\na = [\"A\", \"1\"]\n\"a/owa\" = [\"A\", \"2\"]\nb = [\"B\", \"1\"]\n";

    fn less(path: &[&str]) -> Table {
        let mut table: Table = WHOLE.parse().unwrap();
        without(&mut table, &path.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>());
        table
    }

    #[test]
    fn with_a_server_goes_what_cannot_be_without_it() {
        for path in [["servers", "a"], ["sites", "S"]] {
            let left = less(&path);
            let wanted = "[sites.T]\n[servers.b]\nsite = \"T\"\n[namespaces.n]\ninternal = [\"b\"]\nexternal = []\n\
                [oabs.o]\ndistribution-points = []\n[databases.d]\ncopies = [\"b\"]\nactive = \"b\"\noab = \"o\"\n\
                [mailboxes.red]\ndatabase = \"d\"\n[origins]\nb = [\"B\", \"1\"]\n";
            let mut wanted: Table = wanted.parse().unwrap();
            if path[0] == "servers" {
                wanted["sites"].as_table_mut().unwrap().insert("S".to_owned(), Value::Table(Table::new()));
            }
            assert_eq!(left, wanted);
        }
        assert!(less(&["oabs", "o"])["databases"]["d"].get("oab").is_none());
    }

    #[test]
    fn what_would_take_a_kept_name_with_it_is_no_part() {
        let table: Table = WHOLE.parse().unwrap();
        let kept = BTreeSet::from(["blue".to_owned()]);
        let of = |kind| of(Kind::Named(kind), (&[], &Setting::new()), &table, &kept);
        let part = |kind: &str, name: &str| Part::Of(vec![kind.to_owned(), name.to_owned()]);
        assert_eq!(of("sites"), [part("sites", "T")]);
        assert_eq!(of("servers"), [part("servers", "b")]);
        assert_eq!(of("databases"), [part("databases", "d")]);
        assert_eq!(of("mailboxes"), [part("mailboxes", "red")]);
    }
}
