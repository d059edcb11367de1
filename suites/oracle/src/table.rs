//! The rule book as data: one row a decision.

use std::fmt;

use crate::columns::{
    Asks, Channel, Conditions, Credentials, CrossSite, Device, Gate, Holds, Ntlm, Outcome, Place,
    PlainRedirect, Reached, Seat, Selection, Service, SingleSignOn, Speaks, Whose,
};

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name: that of the rule it stands for, or where it stands for several or none, words.
    pub id: &'static str,
    /// When it applies.
    pub when: Conditions,
    /// What happens then.
    pub then: Outcome,
    /// The rules it stands for. None: the article is silent.
    pub rules: &'static [&'static str],
    /// Where it stands for none: the row that it was extended from.
    pub near: &'static str,
}

impl Row {
    /// Whether it speaks of a browser that comes back: then it takes a client who was there before.
    pub fn is_of_a_return(&self) -> bool {
        matches!(self.when.credentials, Credentials::Session | Credentials::SessionOver)
    }

    /// A rule of the article, before (`PRE-`) or with (`CX-`) Exchange 2013, or of another source (`X-`, `GEN-`), that
    /// claims this row where a 2013 front end is in the seat, or where none is.
    pub fn claimed(&self, with_2013: bool) -> bool {
        let foreign = if with_2013 { "PRE-" } else { "CX-" };
        self.rules.iter().any(|rule| !rule.starts_with(foreign))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.id, self.when, self.then)?;
        match self.rules {
            [] => write!(f, " [not in the article; as {}]", self.near),
            rules => write!(f, " [{}]", rules.join(", ")),
        }
    }
}

/// The decision table. Exactly one row applies where one does; of a spoilt table, the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// The rule book.
    pub fn standard() -> Table {
        let rows = [
            sign_in(),
            logon_page(),
            autodiscover(),
            names(),
            owa(),
            redirects(),
            eas(),
            ews(),
            oab(),
            mapi(),
            outlook_anywhere(),
            rpc(),
            mail(),
        ];
        Table { rows: rows.concat() }
    }

    /// Its rows, in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row that applies where this is so.
    pub(crate) fn row(&self, so: &Conditions) -> Option<&Row> {
        self.rows.iter().find(|row| row.when.admit(so))
    }

    /// How many cells can be changed: each outcome, and each condition other than `Any`, of every row that a rule
    /// claims. A row that none claims has no literal that could notice.
    pub fn cells(&self) -> usize {
        self.spoils().len()
    }

    /// This table with one cell changed, so that the row no longer does what its rules say where they say it.
    /// `None` for a cell that there is not.
    pub fn flipped(&self, cell: usize) -> Option<Table> {
        let (at, row, _) = self.spoils().into_iter().nth(cell)?;
        let mut table = self.clone();
        table.rows[at] = row;
        Some(table)
    }

    /// What `flipped` changes: the row's id and the column.
    pub fn cell(&self, cell: usize) -> Option<String> {
        self.spoils().into_iter().nth(cell).map(|(_, row, column)| format!("{}, {column}", row.id))
    }

    fn spoils(&self) -> Vec<(usize, Row, &'static str)> {
        let mut all = Vec::new();
        for (at, row) in self.rows.iter().enumerate().filter(|(_, row)| !row.rules.is_empty()) {
            for (column, when) in row.when.turned() {
                all.push((at, Row { when, ..row.clone() }, column.trim_end_matches(':')));
            }
            all.push((at, Row { then: row.then.turned(), ..row.clone() }, "outcome"));
        }
        all
    }
}

const ANY: Conditions = Conditions::ANY;

/// A row; `near` is written with `as_near` where no rule claims it.
fn row(id: &'static str, when: Conditions, then: Outcome, rules: &'static [&'static str]) -> Row {
    Row { id, when, then, rules, near: "" }
}

/// A row that the article is silent about.
fn as_near(near: &'static str, id: &'static str, when: Conditions, then: Outcome) -> Row {
    Row { id, when, then, rules: &[], near }
}

fn asked(asks: Asks, at: Reached, mailbox: Holds, place: Place) -> Conditions {
    Conditions { asks, at, mailbox, place, ..ANY }
}

fn sign_in() -> Vec<Row> {
    let bad = Conditions { asks: Asks::SignIn, credentials: Credentials::Bad, ..ANY };
    let with = |credentials| Conditions { asks: Asks::SignIn, credentials, ..ANY };
    vec![
        row("GEN-1", bad, Outcome::Refuse, &["GEN-1"]),
        row("session", with(Credentials::Session), Outcome::Proceed, &["CX-OWA-7", "CX-OWA-9"]),
        row("session-over", with(Credentials::SessionOver), Outcome::Refuse, &["CX-OWA-7"]),
    ]
}

/// What the logon page asks. Of older versions where nothing is set, the article says nothing.
fn logon_page() -> Vec<Row> {
    let set = |selection| Conditions { asks: Asks::LogonPage, selection, ..ANY };
    let unset = Conditions { at: Reached::Cas2013, ..set(Selection::Unset) };
    vec![
        row("CX-OWA-8", unset, Outcome::TakesForPrivate, &["CX-OWA-8"]),
        row("X-OWA-5-on", set(Selection::On), Outcome::AsksWhose, &["X-OWA-5", "CX-OWA-8"]),
        row("X-OWA-5-off", set(Selection::Off), Outcome::TakesForPrivate, &["X-OWA-5"]),
    ]
}

fn autodiscover() -> Vec<Row> {
    let at = |at, mailbox| asked(Asks::Autodiscover, at, mailbox, Place::Any);
    let over_http = Conditions { asks: Asks::AutodiscoverOverHttp, ..ANY };
    use Reached::{Cas2007, Cas2010, Cas2013};
    vec![
        row("X-AD-3", over_http, Outcome::FoundOverTls, &["X-AD-3"]),
        row("PRE-AD-1", at(Cas2010, Holds::Older), Outcome::WriteHere, &["PRE-AD-1"]),
        row("CX-AD-1", at(Cas2013, Holds::V2010), Outcome::CasWrites, &["CX-AD-1"]),
        row("CX-AD-2", at(Cas2013, Holds::V2007), Outcome::AnyMailbox2013Writes, &["CX-AD-2"]),
        row("CX-AD-3", at(Cas2013, Holds::V2013), Outcome::Active2013Writes, &["CX-AD-3"]),
        row("X-AD-2", at(Cas2007, Holds::V2010), Outcome::FoundAtSubject, &["X-AD-2"]),
        as_near("X-AD-2", "autodiscover-2013-at-legacy", at(Cas2007, Holds::V2013), Outcome::FoundAtSubject),
        as_near("PRE-AD-1", "autodiscover-2007-at-legacy", at(Cas2007, Holds::V2007), Outcome::WriteHere),
    ]
}

/// "What the Autodiscover answer names", cell by cell, and ExHTTP.
fn names() -> Vec<Row> {
    const NAMES: &[&str] = &["PRE-AD-2", "CX-AD-5"];
    let names = |asks, mailbox, place| asked(asks, Reached::Any, mailbox, place);
    let name = Outcome::Name;
    use Whose::{MailboxSite, MailboxSiteOrSubject, Nobody, Subject, ThisSite};
    let gated = |gate| Conditions { gate, ..names(Asks::ExHttp, Holds::V2013, Place::Any) };
    let mapi = |mailbox, gate| Conditions { gate, ..names(Asks::NamesMapi, mailbox, Place::Any) };
    let two = Asks::NamesEwsOrOab;
    vec![
        row("names-red", names(Asks::Names, Holds::V2010, Place::Same), name(MailboxSiteOrSubject), NAMES),
        row("names-orange", names(Asks::Names, Holds::V2010, Place::Facing), name(MailboxSite), NAMES),
        row("names-blue", names(Asks::Names, Holds::V2010, Place::Hidden), name(Subject), NAMES),
        row("names-purple", names(two, Holds::V2007, Place::Same), name(MailboxSite), NAMES),
        row("names-violet", names(two, Holds::V2007, Place::Hidden), name(ThisSite), &["CX-AD-5"]),
        as_near("names-orange", "names-indigo", names(two, Holds::V2007, Place::Facing), name(MailboxSite)),
        row(
            "names-2007",
            names(Asks::NamesOutlookAnywhereOrEas, Holds::V2007, Place::Any),
            name(Subject),
            NAMES,
        ),
        row("names-green", names(Asks::Names, Holds::V2013, Place::Any), name(Subject), &["CX-AD-5"]),
        row("exhttp-2013", gated(Gate::Open), Outcome::ExHttpPair, &["X-AD-1", "CX-EXHTTP-1"]),
        row("exhttp-2013-gated", gated(Gate::Closed), Outcome::NoExHttp, &["X-AD-1"]),
        row(
            "exhttp-older",
            names(Asks::ExHttp, Holds::Older, Place::Any),
            Outcome::NoExHttp,
            &["CX-EXHTTP-4", "PRE-AD-2"],
        ),
        row("mapi-named", mapi(Holds::V2013, Gate::Open), name(Subject), &["X-MAPI-1"]),
        row("mapi-not-asked-for", mapi(Holds::V2013, Gate::Closed), name(Nobody), &["X-MAPI-1"]),
        row("mapi-named-to-nobody", mapi(Holds::Older, Gate::Any), name(Nobody), &["X-MAPI-1"]),
    ]
}

fn owa() -> Vec<Row> {
    let at = |at, mailbox, place| asked(Asks::Owa, at, mailbox, place);
    let seated = |seat, when| Conditions { seat, ..when };
    let cross = |cross_site| Conditions { cross_site, ..at(Reached::Cas2010, Holds::V2010, Place::Facing) };
    let to_its_site = Outcome::Redirect(Whose::MailboxSite);
    use Holds::{V2007, V2010, V2013};
    use Outcome::{LinkTo, Redirect, Serve, ToActive2013, ToCas};
    use Place::{Any, Facing, Hidden, Same};
    use Reached::{Cas2007, Cas2010, Cas2013};
    vec![
        row("CX-OWA-1", at(Cas2013, V2010, Same), ToCas, &["CX-OWA-1"]),
        row("CX-OWA-2", at(Cas2013, V2007, Same), to_its_site, &["CX-OWA-2"]),
        row("CX-OWA-3", at(Cas2013, V2010, Hidden), ToCas, &["CX-OWA-3"]),
        row("CX-OWA-4B", at(Cas2013, V2010, Facing), to_its_site, &["CX-OWA-4B"]),
        row("CX-OWA-5", at(Cas2013, V2007, Hidden), Redirect(Whose::ThisSite), &["CX-OWA-5"]),
        as_near("CX-OWA-2", "owa-2007-facing", at(Cas2013, V2007, Facing), to_its_site),
        row("CX-OWA-6", at(Cas2013, V2013, Any), ToActive2013, &["CX-OWA-6"]),
        row("PRE-OWA-1", seated(Seat::Subject, at(Cas2010, V2010, Same)), Serve, &["PRE-OWA-1"]),
        row(
            "owa-at-region",
            seated(Seat::Elsewhere, at(Cas2010, V2010, Same)),
            Serve,
            &["PRE-OWA-4A", "PRE-OWA-4C", "CX-OWA-4A", "CX-OWA-4B"],
        ),
        row("PRE-OWA-2", at(Cas2010, V2007, Same), to_its_site, &["PRE-OWA-2"]),
        row("PRE-OWA-3", at(Cas2010, V2010, Hidden), ToCas, &["PRE-OWA-3"]),
        row("PRE-OWA-4B", cross(CrossSite::Manual), LinkTo(Whose::MailboxSite), &["PRE-OWA-4B"]),
        row("PRE-OWA-4C", cross(CrossSite::Silent), to_its_site, &["PRE-OWA-4C"]),
        row("X-OWA-2-facing", at(Cas2010, V2007, Facing), LinkTo(Whose::MailboxSite), &["X-OWA-2"]),
        row("X-OWA-2-hidden", at(Cas2010, V2007, Hidden), ToCas, &["X-OWA-2"]),
        row("owa-at-legacy", at(Cas2007, V2007, Same), Serve, &["PRE-OWA-2", "CX-OWA-2"]),
        row("CX-OWA-5-at-legacy", at(Cas2007, V2007, Hidden), ToCas, &["CX-OWA-5"]),
    ]
}

fn redirects() -> Vec<Row> {
    let unfit = |plain| Conditions { asks: Asks::Redirect, sso: SingleSignOn::Unfit, plain, ..ANY };
    let fit = Conditions { asks: Asks::Redirect, sso: SingleSignOn::Fit, ..ANY };
    vec![
        row("X-OWA-1", fit, Outcome::Silently, &["X-OWA-1"]),
        row("X-OWA-3-silent", unfit(PlainRedirect::Silent), Outcome::Plainly, &["X-OWA-1", "X-OWA-3"]),
        row("X-OWA-3-manual", unfit(PlainRedirect::Manual), Outcome::ByLink, &["X-OWA-3"]),
    ]
}

fn eas() -> Vec<Row> {
    let at = |at, mailbox, place| asked(Asks::Eas, at, mailbox, place);
    let seated = |seat, when| Conditions { seat, ..when };
    let device = |device| Conditions { device, ..at(Reached::Cas2010, Holds::V2010, Place::Facing) };
    let speaks = |speaks| Conditions { speaks, ..at(Reached::Cas2007, Holds::Newer, Place::Any) };
    use Holds::{V2007, V2010, V2013};
    use Outcome::{Forbid, Http451, Serve, ToActive2013, ToCas, ViaMailbox2013};
    use Place::{Any, Facing, Hidden, Other, Same};
    use Reached::{Cas2007, Cas2010, Cas2013};
    vec![
        row("CX-EAS-1", at(Cas2013, V2010, Same), ToCas, &["CX-EAS-1"]),
        row("CX-EAS-2", at(Cas2013, V2007, Same), ViaMailbox2013, &["CX-EAS-2"]),
        row("CX-EAS-3", at(Cas2013, V2010, Hidden), ToCas, &["CX-EAS-3"]),
        row("CX-EAS-4B", at(Cas2013, V2010, Facing), ToCas, &["CX-EAS-4B"]),
        row("CX-EAS-5", at(Cas2013, V2007, Other), ViaMailbox2013, &["CX-EAS-5"]),
        row("CX-EAS-6", at(Cas2013, V2013, Any), ToActive2013, &["CX-EAS-6"]),
        row("PRE-EAS-1", seated(Seat::Subject, at(Cas2010, V2010, Same)), Serve, &["PRE-EAS-1"]),
        row(
            "eas-at-region",
            seated(Seat::Elsewhere, at(Cas2010, V2010, Same)),
            Serve,
            &["PRE-EAS-4A", "PRE-EAS-4B", "CX-EAS-4A"],
        ),
        row("PRE-EAS-2", at(Cas2010, V2007, Same), ToCas, &["PRE-EAS-2"]),
        as_near("PRE-EAS-2", "eas-2007-elsewhere", at(Cas2010, V2007, Other), ToCas),
        row("PRE-EAS-3", at(Cas2010, V2010, Hidden), ToCas, &["PRE-EAS-3"]),
        row(
            "PRE-EAS-4B",
            device(Device::Moved),
            Http451(Whose::MailboxSite),
            &["PRE-EAS-4B", "X-EAS-1", "X-EAS-3", "X-EAS-4"],
        ),
        row("PRE-EAS-4C", device(Device::Left), ToCas, &["PRE-EAS-4C", "X-EAS-1"]),
        row("X-EAS-2-451", speaks(Speaks::From121), Http451(Whose::Subject), &["X-EAS-2"]),
        row("X-EAS-2-403", speaks(Speaks::Before121), Forbid, &["X-EAS-2"]),
        as_near("PRE-EAS-1", "eas-at-legacy", at(Cas2007, V2007, Same), Serve),
        as_near("CX-EWS-5", "eas-at-legacy-elsewhere", at(Cas2007, V2007, Other), ToCas),
    ]
}

fn ews() -> Vec<Row> {
    let at = |at, mailbox, place| asked(Asks::Ews, at, mailbox, place);
    let seated = |seat, when| Conditions { seat, ..when };
    use Holds::{V2007, V2010, V2013};
    use Outcome::{Serve, ToActive2013, ToCas};
    use Place::{Any, Facing, Hidden, Same};
    use Reached::{Cas2007, Cas2010, Cas2013};
    vec![
        row("CX-EWS-1", at(Cas2013, V2010, Same), ToCas, &["CX-EWS-1"]),
        row("CX-EWS-3", at(Cas2013, V2010, Hidden), ToCas, &["CX-EWS-3"]),
        as_near("CX-EWS-3", "ews-2010-facing", at(Cas2013, V2010, Facing), ToCas),
        row("CX-EWS-6", at(Cas2013, V2013, Any), ToActive2013, &["CX-EWS-6"]),
        row("PRE-EWS-1", seated(Seat::Subject, at(Cas2010, V2010, Same)), Serve, &["PRE-EWS-1"]),
        row(
            "ews-at-region",
            seated(Seat::Elsewhere, at(Cas2010, V2010, Same)),
            Serve,
            &["PRE-EWS-4", "CX-EWS-4"],
        ),
        row("PRE-EWS-2", at(Cas2010, V2010, Hidden), ToCas, &["PRE-EWS-2"]),
        as_near("PRE-EWS-2", "ews-2010-facing-before-2013", at(Cas2010, V2010, Facing), ToCas),
        row("ews-at-legacy", at(Cas2007, V2007, Same), Serve, &["PRE-EWS-3", "CX-EWS-2"]),
        row("CX-EWS-5", at(Cas2007, V2007, Hidden), ToCas, &["CX-EWS-5"]),
    ]
}

/// Each row stands for IMAP and POP.
fn mail() -> Vec<Row> {
    let at = |mailbox| asked(Asks::Mail, Reached::Cas2013, mailbox, Place::Any);
    let order = |channel| Conditions { asks: Asks::MailOrder, channel, ..ANY };
    let stopped = Conditions { asks: Asks::MailService, service: Service::Stopped, ..ANY };
    use Outcome::{ClearSslTls, MailByFqdn, MailBySettings, MailToActive2013, SslTlsClear, Unavailable};
    vec![
        row("CX-IMAP-1", at(Holds::V2013), MailToActive2013, &["CX-IMAP-1", "CX-POP-1"]),
        row(
            "CX-IMAP-2",
            at(Holds::V2010),
            MailBySettings,
            &["CX-IMAP-1", "CX-POP-1", "CX-IMAP-2", "CX-POP-2"],
        ),
        row("CX-IMAP-3", at(Holds::V2007), MailByFqdn, &["CX-IMAP-1", "CX-POP-1", "CX-IMAP-3", "CX-POP-3"]),
        row("CX-IMAP-4", order(Channel::Encrypted), SslTlsClear, &["CX-IMAP-4", "CX-POP-4"]),
        row("CX-IMAP-5", order(Channel::Clear), ClearSslTls, &["CX-IMAP-5", "CX-POP-5"]),
        row("CX-IMAP-6", stopped, Unavailable, &["CX-IMAP-6", "CX-POP-6"]),
    ]
}

fn oab() -> Vec<Row> {
    let at = |at, mailbox, place| asked(Asks::Oab, at, mailbox, place);
    let seated = |seat, when| Conditions { seat, ..when };
    use Holds::{V2007, V2010, V2013};
    use Outcome::{ServeAlone, ToDistributionPoint, ToOrganizationMailbox};
    use Place::{Any, Facing, Hidden, Same};
    use Reached::{Cas2007, Cas2010, Cas2013};
    vec![
        row("CX-OAB-1", at(Cas2013, V2010, Same), ToDistributionPoint, &["CX-OAB-1", "CX-OAB-6"]),
        row("CX-OAB-3", at(Cas2013, V2010, Hidden), ToDistributionPoint, &["CX-OAB-3"]),
        as_near("CX-OAB-3", "oab-2010-facing", at(Cas2013, V2010, Facing), ToDistributionPoint),
        row("CX-OAB-7", at(Cas2013, V2013, Any), ToOrganizationMailbox, &["CX-OAB-7"]),
        row("CX-OAB-4", seated(Seat::Elsewhere, at(Cas2010, V2010, Same)), ServeAlone, &["CX-OAB-4"]),
        as_near("CX-OAB-4", "oab-before-2013", seated(Seat::Subject, at(Cas2010, V2010, Any)), ServeAlone),
        row("CX-OAB-2", at(Cas2007, V2007, Same), ServeAlone, &["CX-OAB-2"]),
        row("CX-OAB-5", at(Cas2007, V2007, Hidden), ServeAlone, &["CX-OAB-5"]),
    ]
}

fn mapi() -> Vec<Row> {
    let at = |mailbox| asked(Asks::Mapi, Reached::Cas2013, mailbox, Place::Any);
    vec![
        row("X-MAPI-1", at(Holds::V2013), Outcome::ToActive2013, &["X-MAPI-1"]),
        // No older version has it, so nobody could be asked.
        as_near("X-MAPI-1", "mapi-older", at(Holds::Older), Outcome::Forbid),
    ]
}

fn outlook_anywhere() -> Vec<Row> {
    let at = |at, mailbox, place| asked(Asks::OutlookAnywhere, at, mailbox, place);
    let by = |ntlm, mailbox, place| Conditions { ntlm, ..at(Reached::Cas2013, mailbox, place) };
    let seated = |seat, when| Conditions { seat, ..when };
    use Holds::{Older, V2007, V2010, V2013};
    use Ntlm::Taken;
    use Outcome::{CasRefuses, Serve, ToActive2013, ToCas, ToCasByRpc};
    use Place::{Any, Facing, Hidden, Other, Same};
    use Reached::{Cas2010, Cas2013};
    vec![
        row("CX-OA-1", by(Taken, V2010, Same), ToCas, &["CX-OA-1", "CX-OA-7"]),
        row("CX-OA-2", by(Taken, V2007, Same), ToCas, &["CX-OA-2", "CX-OA-7"]),
        row("CX-OA-3", by(Taken, V2010, Hidden), ToCas, &["CX-OA-3", "CX-OA-7"]),
        as_near("CX-OA-3", "oa-2010-facing", by(Taken, V2010, Facing), ToCas),
        row("CX-OA-6", by(Ntlm::Missing, Older, Any), CasRefuses, &["CX-OA-6"]),
        row("CX-OA-5", at(Cas2013, V2013, Any), ToActive2013, &["CX-OA-5", "CX-OA-7", "CX-RPC-3"]),
        row("CX-OA-8", by(Taken, V2007, Other), ToCas, &["CX-OA-8", "CX-OA-7"]),
        row("PRE-OA-1", seated(Seat::Subject, at(Cas2010, V2010, Same)), Serve, &["PRE-OA-1"]),
        row(
            "oa-at-region",
            seated(Seat::Elsewhere, at(Cas2010, V2010, Same)),
            Serve,
            &["PRE-OA-4", "CX-OA-4"],
        ),
        row("PRE-OA-2", at(Cas2010, V2007, Same), Serve, &["PRE-OA-2"]),
        as_near("PRE-OA-2", "oa-2007-elsewhere", at(Cas2010, V2007, Other), Serve),
        as_near("PRE-OA-2", "oa-at-legacy", at(Reached::Cas2007, V2007, Same), Serve),
        row("PRE-OA-3", at(Cas2010, V2010, Hidden), ToCasByRpc, &["PRE-OA-3"]),
        as_near("PRE-OA-3", "oa-2010-facing-before-2013", at(Cas2010, V2010, Facing), ToCasByRpc),
    ]
}

fn rpc() -> Vec<Row> {
    let at = |at, mailbox| asked(Asks::Rpc, at, mailbox, Place::Same);
    vec![
        row(
            "rpc-array",
            at(Reached::Cas2010, Holds::V2010),
            Outcome::Serve,
            &["PRE-RPC-1", "PRE-RPC-4", "CX-RPC-1"],
        ),
        row("rpc-2007", at(Reached::Mbx2007, Holds::V2007), Outcome::ServeAlone, &["PRE-RPC-2", "CX-RPC-2"]),
    ]
}
