//! The directory: the facts of a lab as they are now, steering included; sign-in checks; tickets; and the doors
//! through which a subject learns them. It states facts, never a target.

pub mod account;
mod clock;
pub mod far;
pub mod http;
pub mod ldap;
pub mod ntlm;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::line::Line;
use model::{CaseId, HostName, MailboxName, ServerName, Topology};
use serde::{Deserialize, Serialize};

pub use account::Account;
use far::{Asked, Question};

/// Facts, sign-in checks and tickets of one lab. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Directory(Arc<RwLock<State>>);

struct State {
    /// Who issues tickets, where that is another process.
    far: Option<Line>,
    topology: Arc<Topology>,
    /// How often a fact was changed: the topology's version at the doors.
    changes: u64,
    accounts: Vec<Arc<Account>>,
    /// Every form of an account's name, folded, to its place in `accounts`.
    forms: HashMap<String, usize>,
    service: ServiceAccount,
    tickets: HashMap<String, Ticket>,
    /// How often a door was asked something.
    asked: AtomicU64,
}

impl State {
    fn add(&mut self, account: Account) {
        let at = self.accounts.len();
        for form in account.forms() {
            self.forms.insert(folded(&form), at);
        }
        self.accounts.push(Arc::new(account));
    }
}

/// The account that a subject may speak for users with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceAccount {
    /// `CONTOSO\svc-proxy`
    pub user: String,
    /// Its password.
    pub password: String,
}

#[derive(Debug, Clone)]
struct Ticket {
    account: usize,
    /// The one server that takes it. A user's own names a namespace that many servers answer to, and each takes it, as
    /// with one alternate service account for all of them.
    service: Option<HostName>,
}

/// What a mailbox's facts are now: the account, and where its database's active copy is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Facts {
    /// Who it is.
    #[serde(flatten)]
    pub account: Account,
    /// The server that holds the active copy.
    pub server: ServerName,
    /// That server's version.
    pub version: model::Version,
    /// That server's site.
    pub site: model::SiteName,
}

/// Why a ticket is not issued or not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum TicketRefused {
    /// Issuing: the asker is neither the service account nor the user.
    #[error("only the service account may ask for a ticket, or a user for his own")]
    NotTheServiceAccount,
    /// Issuing: there is no such user.
    #[error("no account is called `{0}`")]
    NoSuchAccount(String),
    /// Issuing: the service is not named as one.
    #[error("`{0}` names no service; a right one looks like `HTTP/cas2010-s1.contoso.com`")]
    NoService(String),
    /// Taking: nobody issued it.
    #[error("the directory issued no such ticket")]
    Unknown,
    /// Taking: it is for another server, as when a target is built from a namespace.
    #[error("the ticket is for {0}, not for this server")]
    ForAnother(HostName),
}

impl Directory {
    /// A directory of a topology, with one account for each mailbox.
    pub fn new(topology: Topology) -> Directory {
        let service =
            ServiceAccount { user: "CONTOSO\\svc-proxy".to_owned(), password: "delegate-0f3b".to_owned() };
        let mailboxes: Vec<(MailboxName, model::DatabaseName)> = topology
            .mailboxes
            .iter()
            .map(|(name, mailbox)| (name.clone(), mailbox.database.clone()))
            .collect();
        let domain = topology.domain.clone();
        let directory = Directory(Arc::new(RwLock::new(State {
            far: None,
            topology: Arc::new(topology),
            changes: 0,
            accounts: vec![],
            forms: HashMap::new(),
            service,
            tickets: HashMap::new(),
            asked: AtomicU64::new(0),
        })));
        for (name, database) in mailboxes {
            let password = format!("pass-{name}");
            directory.add(Account::new(&name, &name, None, &domain, database, password));
        }
        directory
    }

    fn far(&self) -> Option<Line> {
        self.read(|state| state.far.clone())
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds an account; every form of its name leads to it.
    pub fn add(&self, account: Account) {
        self.write(|state| state.add(account));
    }

    /// Draws a mailbox of a case's own from a mailbox of the topology: same database, a password of its own.
    /// `spelling` is what the account is called where the text matters (rule X-OWA-4).
    ///
    /// # Errors
    /// The colour is no mailbox of this topology.
    pub fn lease(
        &self,
        case: &CaseId,
        colour: &MailboxName,
        typed: Option<&model::case::Typed>,
    ) -> Result<Account, String> {
        let topology = self.topology();
        let mailbox = topology
            .mailboxes
            .get(colour)
            .ok_or_else(|| format!("{case}: {} has no mailbox {colour}", topology.name))?;
        let mark = account::mark(case, colour);
        let name: MailboxName =
            format!("{colour}-{mark}").parse().map_err(|error| format!("{case}: {error}"))?;
        let password = typed.map_or_else(|| format!("Pw-{mark}"), |typed| typed.password.clone());
        let user = typed.map(|typed| format!("{}-{mark}", typed.user));
        let account = Account::new(&name, colour, user, &topology.domain, mailbox.database.clone(), password);
        match self.find(name.as_str()) {
            Some(taken) if *taken != account => {
                Err(format!("{case}: its lease {name} is another case's already; rename the case"))
            }
            Some(taken) => Ok(Account::clone(&taken)),
            None => {
                self.add(account.clone());
                Ok(account)
            }
        }
    }

    /// Every ticket that was issued.
    pub fn tickets(&self) -> Vec<String> {
        self.read(|state| state.tickets.keys().cloned().collect())
    }

    /// The topology as it is now.
    pub fn topology(&self) -> Arc<Topology> {
        self.read(|state| state.topology.clone())
    }

    /// How often a fact was changed since the lab began.
    pub fn changes(&self) -> u64 {
        self.read(|state| state.changes)
    }

    /// Changes a fact, as an administrator would: active copy, mailbox move, out of service. Accounts go where the
    /// mailbox goes that they are like.
    pub fn steer(&self, change: impl FnOnce(&mut Topology)) {
        self.write(|state| {
            change(Arc::make_mut(&mut state.topology));
            for account in &mut state.accounts {
                let mailbox = state.topology.mailboxes.get(&account.colour);
                if let Some(mailbox) = mailbox.filter(|mailbox| mailbox.database != account.database) {
                    Arc::make_mut(account).database.clone_from(&mailbox.database);
                }
            }
            state.changes += 1;
        });
    }

    /// A door was asked something.
    pub fn was_asked(&self) {
        self.read(|state| state.asked.fetch_add(1, Ordering::Relaxed));
    }

    /// How often the doors were asked something since the lab began.
    pub fn asked(&self) -> u64 {
        self.read(|state| state.asked.load(Ordering::Relaxed))
    }

    /// The service account.
    pub fn service(&self) -> ServiceAccount {
        self.read(|state| state.service.clone())
    }

    /// The account that any form of a name leads to.
    pub fn find(&self, form: &str) -> Option<Arc<Account>> {
        self.read(|state| state.forms.get(&folded(form)).map(|at| state.accounts[*at].clone()))
    }

    /// Every account.
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        self.read(|state| state.accounts.clone())
    }

    /// What is known of a mailbox now.
    pub fn facts(&self, form: &str) -> Option<Facts> {
        let account = self.find(form)?;
        let topology = self.topology();
        let database = topology.databases.get(&account.database)?;
        let server = topology.servers.get(&database.active)?;
        Some(Facts {
            account: Account::clone(&account),
            server: database.active.clone(),
            version: server.version,
            site: server.site.clone(),
        })
    }

    /// Whose name and password these are; `None` says no more than that they are not right.
    pub fn authenticate(&self, user: &str, password: &str) -> Option<Arc<Account>> {
        self.find(user).filter(|account| account.password == password)
    }

    /// Issues a ticket for a user to a service, on the service account's word; or to the user himself.
    ///
    /// # Errors
    /// Who may not ask, whom it cannot be for, and what is no service.
    pub fn issue(
        &self,
        asker: Option<(&str, &str)>,
        user: &str,
        service: &str,
    ) -> Result<String, TicketRefused> {
        if let Some(line) = self.far() {
            let asker = asker.map(|(name, password)| (name.to_owned(), password.to_owned()));
            let asked = Asked::Issue { asker, user: user.to_owned(), service: service.to_owned() };
            return line.ask(&Question::of(asked));
        }
        let delegates = self.is_service(asker);
        let signed_in = asker.and_then(|(name, password)| self.authenticate(name, password));
        if !delegates && (signed_in.is_none() || signed_in != self.find(user)) {
            return Err(TicketRefused::NotTheServiceAccount);
        }
        let host = service
            .strip_prefix("HTTP/")
            .and_then(|host| HostName::folded(host).ok())
            .ok_or_else(|| TicketRefused::NoService(service.to_owned()))?;
        self.write(|state| {
            let account = *state
                .forms
                .get(&folded(user))
                .ok_or_else(|| TicketRefused::NoSuchAccount(user.to_owned()))?;
            // Shaped like a token, opaque to whoever carries it; drawn from a counter since nothing is kept secret here.
            let ticket = STANDARD.encode(format!("COEXIST-TICKET:{}:{host}", state.tickets.len()));
            let service = delegates.then_some(host);
            state.tickets.insert(ticket.clone(), Ticket { account, service });
            Ok(ticket)
        })
    }

    /// Whether these are the service account's name and password.
    pub fn is_service(&self, given: Option<(&str, &str)>) -> bool {
        let own = self.service();
        given == Some((own.user.as_str(), own.password.as_str()))
    }

    /// Whom a ticket speaks for, at the server of this name.
    ///
    /// # Errors
    /// A ticket that nobody issued, or that is for another server.
    pub fn redeem(&self, ticket: &str, own: &HostName) -> Result<Arc<Account>, TicketRefused> {
        if let Some(line) = self.far() {
            let asked = Asked::Redeem { ticket: ticket.to_owned(), own: own.clone() };
            let whose: Result<MailboxName, TicketRefused> = line.ask(&Question::of(asked));
            return whose.and_then(|whose| self.find(whose.as_str()).ok_or(TicketRefused::Unknown));
        }
        self.read(|state| {
            let ticket = state.tickets.get(ticket).ok_or(TicketRefused::Unknown)?;
            match &ticket.service {
                Some(service) if service != own => Err(TicketRefused::ForAnother(service.clone())),
                _ => Ok(state.accounts[ticket.account].clone()),
            }
        })
    }

    /// Whom a ticket names, whether or not it may be used: for the ledger.
    pub fn named_by(&self, ticket: &str) -> Option<Arc<Account>> {
        if let Some(line) = self.far() {
            let whose: Option<MailboxName> =
                line.ask(&Question::of(Asked::NamedBy { ticket: ticket.to_owned() }));
            return self.find(whose?.as_str());
        }
        self.read(|state| state.tickets.get(ticket).map(|ticket| state.accounts[ticket.account].clone()))
    }
}

fn folded(form: &str) -> String {
    form.trim().to_lowercase()
}

#[cfg(test)]
mod tests;
