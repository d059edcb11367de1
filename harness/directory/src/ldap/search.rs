//! Searches: where they begin, what they find, and in which pages.

use std::collections::VecDeque;
use std::sync::Arc;

use super::answer::{self, Code, Outcome};
use super::dn::{self, Dn};
use super::entry::Entry;
use super::message::{Controls, Scope, Search};
use super::tree::Tree;

/// The most objects in one answer, or in a page of one: Active Directory's MaxPageSize.
const MOST_RESULTS: usize = 1000;
/// The most bytes of objects in one answer, or in a page of one.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Searches of a connection whose next page may still be asked for.
const MOST_OPEN: usize = 8;

/// Searches that are to go on with another page, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Pages {
    open: VecDeque<Open>,
    next_cookie: u64,
}

#[derive(Debug)]
struct Open {
    cookie: [u8; 8],
    search: Search,
    tree: Arc<Tree>,
    found: Vec<usize>,
    at: usize,
}

/// Where the search is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    /// The domain controller's name, for references.
    pub(super) host: &'a str,
    /// The global catalog knows no borders between naming contexts.
    pub(super) catalog: bool,
}

/// Answers a search of somebody who has signed in: all messages of the answer.
pub(super) fn answer(
    id: i32,
    search: Search,
    controls: &Controls,
    tree: &Arc<Tree>,
    pages: &mut Pages,
    at: At<'_>,
) -> Vec<u8> {
    let refused = |outcome: &Outcome| answer::done(id, answer::SEARCH_DONE, outcome);
    let mut written = vec![];
    let mut open = match controls.page.as_ref().filter(|page| !page.cookie.is_empty()) {
        Some(page) => match pages.take(&page.cookie, &search) {
            Some(open) => open,
            None => {
                let says = "the cookie belongs to no search of this connection, or to another one";
                return refused(&Outcome::says(Code::UnwillingToPerform, says));
            }
        },
        None => match find(&search, tree, at.catalog) {
            Ok(found) => {
                if !controls.domain_scope {
                    written.extend(
                        border(&search, tree, at).into_iter().flat_map(|url| answer::reference(id, &url)),
                    );
                }
                Open { cookie: pages.draw(), search, tree: tree.clone(), found, at: 0 }
            }
            Err(outcome) => return refused(&outcome),
        },
    };
    // A page of no size gives up the pages that are left (RFC 2696, section 3).
    let page = match &controls.page {
        Some(page) if page.size == 0 && !page.cookie.is_empty() => {
            return answer::search_done(id, &Outcome::of(Code::Success), Some(&[]));
        }
        Some(page) if page.size > 0 => page.size.min(MOST_RESULTS),
        _ => MOST_RESULTS,
    };
    let limit = match open.search.size_limit {
        0 => usize::MAX,
        limit => limit,
    };
    let end = open.found.len().min(limit).min(open.at + page);
    while open.at < end && written.len() < MOST_BYTES {
        let entry = &open.tree.entries()[open.found[open.at]];
        written.extend(one(id, entry, &open.search));
        open.at += 1;
    }
    let over = open.at == open.found.len();
    let paged = controls.page.is_some();
    let outcome = match over || (paged && open.at < limit) {
        true => Outcome::of(Code::Success),
        false => Outcome::of(Code::SizeLimitExceeded),
    };
    let goes_on = paged && !over && open.at < limit;
    let cookie = goes_on.then_some(open.cookie);
    written.extend(answer::search_done(
        id,
        &outcome,
        paged.then(|| cookie.as_ref().map_or(&[][..], |c| &c[..])),
    ));
    if goes_on {
        pages.keep(open);
    }
    written
}

/// Answers a search for the rootDSE, which anyone may read.
pub(super) fn root(id: i32, search: &Search, tree: &Tree) -> Vec<u8> {
    let mut written = match search.filter.fits(tree.root()) {
        Some(true) => one(id, tree.root(), search),
        _ => vec![],
    };
    written.extend(answer::done(id, answer::SEARCH_DONE, &Outcome::of(Code::Success)));
    written
}

impl Pages {
    fn draw(&mut self) -> [u8; 8] {
        self.next_cookie += 1;
        self.next_cookie.to_be_bytes()
    }

    fn take(&mut self, cookie: &[u8], search: &Search) -> Option<Open> {
        let at = self.open.iter().position(|open| open.cookie == cookie && open.search == *search)?;
        self.open.remove(at)
    }

    fn keep(&mut self, open: Open) {
        if self.open.len() == MOST_OPEN {
            self.open.pop_front();
        }
        self.open.push_back(open);
    }
}

fn find(search: &Search, tree: &Tree, catalog: bool) -> Result<Vec<usize>, Outcome> {
    let base = match search.base.trim() {
        // The whole forest, which only the global catalog searches.
        "" if catalog => Dn::of_root(),
        written => Dn::parse(written).ok_or_else(|| {
            Outcome::says(Code::InvalidDnSyntax, "0000208F: NameErr: DSID-03100225, problem 2006 (BAD_NAME)")
        })?,
    };
    let whole = base.key().is_empty();
    let at = tree.find(base.key());
    if at.is_none() && !whole {
        let matched = tree.deepest(base.key()).map(Dn::to_string).unwrap_or_default();
        let says = format!(
            "0000208D: NameErr: DSID-0310020A, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'{matched}'\n"
        );
        return Err(Outcome { code: Code::NoSuchObject, matched, says });
    }
    let fits = |at: &usize| search.filter.fits(&tree.entries()[*at]) == Some(true);
    if search.scope == Scope::Base {
        return Ok(at.into_iter().filter(fits).collect());
    }
    let inner = (!catalog && borders(&base, tree)).then(|| tree.places.configuration.key());
    let within = |at: &usize| {
        let key = tree.entries()[*at].dn.key();
        inner.is_none_or(|inner| !dn::is_within(key, inner))
            && match search.scope {
                Scope::One => dn::above(key).unwrap_or_default() == base.key() && key != base.key(),
                _ => dn::is_within(key, base.key()),
            }
    };
    Ok((0..tree.entries().len()).filter(within).filter(fits).collect())
}

/// Whether the configuration, a naming context of its own, is below a base that is in the domain's.
fn borders(base: &Dn, tree: &Tree) -> bool {
    let inner = tree.places.configuration.key();
    dn::is_within(inner, base.key()) && inner != base.key()
}

/// The reference to the configuration that a search in the domain is given.
fn border(search: &Search, tree: &Tree, at: At<'_>) -> Option<String> {
    let base = Dn::parse(search.base.trim()).filter(|base| !at.catalog && borders(base, tree))?;
    let scope = match search.scope {
        Scope::Base => return None,
        Scope::One if base.key() == tree.places.domain.key() => "??base",
        Scope::One => return None,
        Scope::Sub => "",
    };
    Some(format!("ldap://{}/{}{scope}", at.host, tree.places.configuration))
}

/// One object, with the attributes that were asked for: all where none or `*` is, none where `1.1` alone is.
fn one(id: i32, entry: &Entry, search: &Search) -> Vec<u8> {
    let names = &search.attributes;
    let all = names.is_empty() || names.iter().any(|name| name == "*");
    let wanted = |name: &str| all || names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
    let attributes = entry.attributes().iter().filter(|attribute| wanted(attribute.name));
    answer::entry(id, entry.dn.as_str(), attributes, search.types_only)
}
