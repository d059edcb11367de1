//! Who asks: the logon page and its sessions for browsers; Basic and what is bound to a connection (`bound`) for all others.
//! Nothing of a mailbox is looked at here (GEN-1).

mod bound;

use http::{HeaderMap, header};
use model::topology::{Authentication, Server};
use model::{HostName, Protocol};
use protocols::answer::Answer;
use protocols::fba::{LogonForm, Sessions};
use protocols::iis;
use protocols::iis::ntlm::Token;

use crate::decide::SignIn;
use crate::discover::Directory;
use crate::ports::{Bound, Client, DirectoryDown};
use bound::Connections;

/// Who asks, and what was given to prove it.
pub(crate) enum Identity {
    /// Someone whose credentials are right.
    Known {
        /// A form of the name that leads to the mailbox.
        user: String,
        /// How they were given.
        how: SignIn,
        /// What was typed, or is kept of it: for a silent redirect.
        form: LogonForm,
    },
    /// Someone whose credentials are wrong.
    Wrong {
        /// The name that was given.
        claimed: String,
    },
    /// No credentials, or none of a kind that is taken.
    None,
}

/// What came of meeting a client.
pub(crate) enum Met {
    /// It is asked to go on: the second leg of a sign-in.
    Challenged(Answer),
    /// It is this one.
    Is(Identity),
}

/// The sessions of this front end, and who signed in on which connection.
pub(crate) struct Porter {
    pub(crate) sessions: Sessions,
    connections: Connections,
}

impl Porter {
    pub(crate) fn new(sessions: Sessions) -> Porter {
        Porter { sessions, connections: Connections::default() }
    }

    /// What was typed into the logon page.
    pub(crate) async fn typed(
        &self,
        directory: &Directory,
        form: LogonForm,
    ) -> Result<Identity, DirectoryDown> {
        check(directory, form, SignIn::Typed).await
    }

    /// The session that a browser's cookies name: its credentials were checked when it began.
    pub(crate) fn session(&self, headers: &HeaderMap) -> Identity {
        match self.sessions.find(cookies(headers).as_deref()) {
            Some((user, password)) => {
                let form = form(&user, &password);
                Identity::Known { user, how: SignIn::Session, form }
            }
            None => Identity::None,
        }
    }

    /// Why a browser that is not signed in comes to the logon page (wire facts 1.2): its session is over, or nothing.
    pub(crate) fn reason(&self, headers: &HeaderMap) -> u8 {
        if self.sessions.is_over(cookies(headers).as_deref()) { 3 } else { 0 }
    }

    /// Credentials that came with the request, or the connection's own, where the virtual directory takes them.
    pub(crate) async fn meet(
        &self,
        directory: &Directory,
        own: &HostName,
        client: Client,
        headers: &HeaderMap,
        offers: &[Authentication],
    ) -> Result<Met, DirectoryDown> {
        let Some(given) = headers.get(header::AUTHORIZATION) else {
            return Ok(Met::Is(self.connections.who(client)));
        };
        match given.to_str().ok().and_then(Token::read) {
            Some(token) => self.connections.goes_on(directory, own, client, token, offers).await,
            None => {
                // Whoever brings other credentials does not ask as the one whom the connection knows.
                self.connections.forget(client);
                match offers.contains(&Authentication::Basic) {
                    true => self.basic(directory, headers).await.map(Met::Is),
                    false => Ok(Met::Is(Identity::None)),
                }
            }
        }
    }

    /// How this client's connection was signed in.
    pub(crate) fn bound(&self, client: Client) -> Option<Bound> {
        self.connections.how(client)
    }

    /// A client's connection has ended.
    pub(crate) fn forget(&self, client: Client) {
        self.connections.forget(client);
    }

    async fn basic(&self, directory: &Directory, headers: &HeaderMap) -> Result<Identity, DirectoryDown> {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match given.and_then(iis::basic) {
            Some((user, password)) => check(directory, form(&user, &password), SignIn::Basic).await,
            None => Ok(Identity::None),
        }
    }
}

async fn check(directory: &Directory, form: LogonForm, how: SignIn) -> Result<Identity, DirectoryDown> {
    Ok(match directory.signs_in(&form.username, &form.password).await? {
        Some(user) => Identity::Known { user, how, form },
        None => Identity::Wrong { claimed: form.username },
    })
}

pub(crate) fn form(user: &str, password: &str) -> LogonForm {
    LogonForm {
        destination: String::new(),
        username: user.to_owned(),
        password: password.to_owned(),
        flags: 4,
        trusted: 4, // counts as private (CX-OWA-8)
        force_down_level: false,
    }
}

/// All `Cookie` lines as one.
pub(crate) fn cookies(headers: &HeaderMap) -> Option<String> {
    let lines: Vec<&str> =
        headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// How a virtual directory is entered.
pub(crate) enum Methods {
    /// By the logon page.
    Forms,
    /// By one of these, in the order in which a 401 offers them.
    Offered(Vec<Authentication>),
}

/// How this server's virtual directory for a protocol is entered, where it has one. Outlook Anywhere has its own settings.
pub(crate) fn methods(server: &Server, protocol: Protocol) -> Option<Methods> {
    if protocol == Protocol::OutlookAnywhere {
        return Some(Methods::Offered(server.outlook_anywhere.as_ref()?.iis_authentication.clone()));
    }
    let directory = server.directory(protocol)?;
    if matches!(protocol, Protocol::Owa | Protocol::Ecp) && directory.forms {
        return Some(Methods::Forms);
    }
    let offered = directory.authentication.iter().filter(|method| **method != Authentication::Fba);
    Some(Methods::Offered(offered.copied().collect()))
}
