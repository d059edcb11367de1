//! Who plays which part: exported servers and the names that they have in the topology.

use std::collections::BTreeSet;

use model::topology::Origin;
use model::{HostName, ServerName, SiteName};

use crate::Wrong;
use crate::note::{Kind, Note};
use crate::record::Place;
use crate::rows::{Rows, Server};

/// Every server, under its names.
pub(super) struct Cast<'r> {
    members: Vec<Member<'r>>,
}

/// One exported server. Where it has both roles it is two here: the lab has a server for each, since a hop is between two.
pub(super) struct Member<'r> {
    pub(super) row: &'r Server,
    pub(super) client_access: Option<ServerName>,
    pub(super) mailbox: Option<ServerName>,
    pub(super) site: SiteName,
}

impl Member<'_> {
    /// Whether it has this name in the topology.
    pub(super) fn plays(&self, server: &ServerName) -> bool {
        self.client_access.as_ref() == Some(server) || self.mailbox.as_ref() == Some(server)
    }
}

impl<'r> Cast<'r> {
    pub(super) fn of(rows: &'r Rows, notes: &mut Vec<Note>) -> Result<Cast<'r>, Vec<Wrong>> {
        let mut labels = Labels::default();
        let mut sites: Vec<(String, SiteName)> = vec![];
        let mut members: Vec<Member<'r>> = vec![];
        let fallback = rows.servers.iter().find_map(|row| row.site.clone());
        let mut both = vec![];
        for row in &rows.servers {
            if let Some(twice) = row.fqdn.as_ref().and_then(|fqdn| {
                members
                    .iter()
                    .find(|other| other.row.fqdn.as_ref() == Some(fqdn))
                    .map(|other| (fqdn, other.row))
            }) {
                let message = format!("{} and {} have one name in DNS, {}", twice.1.name, row.name, twice.0);
                let help = "a server is named once: take the old export away";
                return Err(vec![Wrong { at: place(&row.origin), message, help: help.to_owned() }]);
            }
            let written = row.site.clone().or_else(|| fallback.clone()).unwrap_or_else(|| "Site1".to_owned());
            if row.site.is_none() {
                let says = format!("it is in the site {written}: no export says where it is");
                notes.push(Note::new(Kind::Assumed, &row.name, says));
            }
            let site = match sites.iter().find(|(known, _)| known.eq_ignore_ascii_case(&written)) {
                Some((_, site)) => site.clone(),
                None => {
                    let site = site_name(&written, &sites);
                    sites.push((written, site.clone()));
                    site
                }
            };
            let name: ServerName = labels.give(&row.name);
            let (client_access, mailbox) = match (row.client_access, row.mailbox) {
                (true, true) => {
                    both.push(row.name.as_str());
                    (Some(name.clone()), Some(labels.give(&format!("{name}-mbx"))))
                }
                (true, false) => (Some(name), None),
                (false, _) => (None, Some(name)),
            };
            members.push(Member { row, client_access, mailbox, site });
        }
        if !both.is_empty() {
            let says = "both roles are on one machine: here the Mailbox role is a server of its own, with -mbx behind its name";
            notes.push(Note::new(Kind::Assumed, both.join(", "), says));
        }
        Ok(Cast { members })
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Member<'r>> {
        self.members.iter()
    }

    /// Whether a server as it is written somewhere, by name or DNS name, is this one.
    pub(super) fn is(&self, written: &str, row: &Server) -> bool {
        let fqdn = row.fqdn.as_ref().map(HostName::as_str);
        row.name.eq_ignore_ascii_case(written) || fqdn.is_some_and(|fqdn| fqdn.eq_ignore_ascii_case(written))
    }

    pub(super) fn find(&self, written: &str) -> Option<&Member<'r>> {
        self.members.iter().find(|member| self.is(written, member.row))
    }

    /// The Client Access server that is written so.
    pub(super) fn client_access(&self, written: &str) -> Option<&ServerName> {
        self.find(written)?.client_access.as_ref()
    }

    /// The Mailbox server that is written so.
    pub(super) fn mailbox(&self, written: &str) -> Option<&ServerName> {
        self.find(written)?.mailbox.as_ref()
    }
}

/// Where something came from, as a line of a file.
fn place(Origin(_, at): &Origin) -> Option<Place> {
    let (file, line) = at.rsplit_once(':')?;
    Some(Place { file: file.into(), line: line.parse().ok()? })
}

/// Names that were given, each to one thing alone: findings tell a server from a database by the name.
#[derive(Default)]
pub(super) struct Labels(BTreeSet<String>);

impl Labels {
    /// A label that is like what was written: small letters, digits and hyphens.
    pub(super) fn give<T: std::str::FromStr>(&mut self, written: &str) -> T {
        let own = label(written);
        let numbered = (2..).map(|number| format!("{own}-{number}"));
        for candidate in std::iter::once(own.clone()).chain(numbered) {
            if !self.0.contains(&candidate)
                && let Ok(name) = candidate.parse()
            {
                self.0.insert(candidate);
                return name;
            }
        }
        unreachable!("there is always a number that nobody has")
    }

    /// A name that is taken already.
    pub(super) fn take(&mut self, name: &str) {
        self.0.insert(name.to_owned());
    }
}

/// The most letters of a label, so that a number, and what a lease adds to a mailbox's name, still fit.
const MOST_LETTERS: usize = 40;

/// What a name becomes here, before a number that makes it one thing's alone.
pub(crate) fn label(written: &str) -> String {
    let mut label = String::new();
    for c in written.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => label.push(c),
            'ä' => label.push_str("ae"),
            'ö' => label.push_str("oe"),
            'ü' => label.push_str("ue"),
            'ß' => label.push_str("ss"),
            _ if label.ends_with('-') || label.is_empty() => {}
            _ => label.push('-'),
        }
    }
    label.truncate(MOST_LETTERS);
    let label = label.trim_matches('-');
    if label.is_empty() { "unnamed".to_owned() } else { label.to_owned() }
}

/// A site's name as far as it can be one here.
pub(crate) fn plain_site(written: &str) -> String {
    written.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// A site's name, with what a name here may not hold as hyphens.
fn site_name(written: &str, taken: &[(String, SiteName)]) -> SiteName {
    let own = plain_site(written);
    let own = if own.is_empty() { "Site".to_owned() } else { own };
    let numbered = (2..).map(|number| format!("{own}-{number}"));
    let free = |name: &SiteName| !taken.iter().any(|(_, other)| other == name);
    let mut candidates = std::iter::once(own.clone()).chain(numbered).filter_map(|name| name.parse().ok());
    candidates.find(free).unwrap_or_else(|| unreachable!("there is always a number that nobody has"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_labels_that_nobody_else_has() {
        let mut labels = Labels::default();
        let mut give = |written: &str| labels.give::<ServerName>(written).to_string();
        assert_eq!(give("EX_Cas01"), "ex-cas01");
        assert_eq!(give("EX-CAS01"), "ex-cas01-2");
        assert_eq!(give("Mailbox Database 1234567890"), "mailbox-database-1234567890");
        assert_eq!(give("München"), "muenchen");
        assert_eq!(give("###"), "unnamed");
    }

    #[test]
    fn a_site_keeps_its_letters() {
        assert_eq!(site_name("Default-First-Site-Name", &[]).as_str(), "Default-First-Site-Name");
        let one = site_name("HQ West", &[]);
        assert_eq!(one.as_str(), "HQ-West");
        assert_eq!(site_name("HQ_West", &[("HQ West".to_owned(), one)]).as_str(), "HQ-West-2");
    }
}
