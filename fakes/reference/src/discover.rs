//! The directory's HTTP/JSON door: who signs in, whose mailbox is where, the topology as it is now, tickets.
//!
//! Nothing of a mailbox is kept between two requests, so a failover shows in the next one (CX-AD-4).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{HostName, Topology};
use reqwest::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::clock;
use crate::decide::Account;
use crate::lab::{Lab, ServiceAccount};
use crate::ports::{DirectoryDown, Discover, Facts, Sought, Waiting};

/// How many tickets, and how many credentials, are kept.
const MOST_KEPT: usize = 10_000;
/// The longest answer that is read, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;

/// The directory, as a client of it.
pub struct Directory {
    client: reqwest::Client,
    door: Url,
    service: ServiceAccount,
    tickets: Kept<(String, HostName)>,
    /// Credentials that were right a moment ago, and the address they belong to.
    signed_in: Kept<(String, String)>,
    /// The topology last read and its entity tag: asked with it, the directory says 304 as long as no fact has changed.
    topology: Mutex<Option<(HeaderValue, Arc<Topology>)>>,
}

#[derive(Deserialize)]
struct TicketIssued {
    ticket: String,
}

impl Directory {
    /// The directory of a lab, asked from the lab's source address.
    ///
    /// # Errors
    /// A door that is no web address.
    pub fn new(lab: &Lab) -> anyhow::Result<Directory> {
        let builder = reqwest::Client::builder().no_proxy().timeout(clock::DIRECTORY);
        Ok(Directory {
            client: builder.local_address(lab.source).build()?,
            door: Url::parse(&lab.directory)?,
            service: lab.service_account.clone(),
            tickets: Mutex::default(),
            signed_in: Mutex::default(),
            topology: Mutex::default(),
        })
    }

    /// Whose user name, in any form, and password these are.
    ///
    /// # Errors
    /// The directory did not answer.
    pub async fn authenticate(&self, user: &str, password: &str) -> Result<Option<Account>, DirectoryDown> {
        let given = serde_json::json!({ "user": user, "password": password });
        let request = self.client.post(self.at(&["v1", "authenticate"])).json(&given);
        self.ask("who signs in", request, StatusCode::UNAUTHORIZED).await
    }

    /// The address that these credentials sign in. Right ones are kept for a short while, as IIS keeps its tokens; wrong
    /// ones are asked about each time, and where the mailbox is always is.
    ///
    /// # Errors
    /// The directory did not answer.
    pub async fn signs_in(&self, user: &str, password: &str) -> Result<Option<String>, DirectoryDown> {
        let key = (user.to_owned(), password.to_owned());
        if let Some(address) = kept(&self.signed_in, &key) {
            return Ok(Some(address));
        }
        let address = self.authenticate(user, password).await?.map(|account| account.address);
        if let Some(address) = &address {
            keep(&self.signed_in, key, address.clone());
        }
        Ok(address)
    }

    /// The address that an NTLM response signs in, given the challenge that it answers; both as they are on the wire.
    ///
    /// # Errors
    /// The directory did not answer.
    pub async fn ntlm(&self, challenge: [u8; 8], response: &[u8]) -> Result<Option<String>, DirectoryDown> {
        let (challenge, response) = (STANDARD.encode(challenge), STANDARD.encode(response));
        let given = serde_json::json!({ "challenge": challenge, "authenticate": response });
        let request = self.client.post(self.at(&["v1", "ntlm"])).json(&given);
        let answer = request.send().await.map_err(|error| self.down("who signs in by NTLM", error))?;
        // What is no NTLM message proves nobody either.
        let none = answer.status();
        let none = if none == StatusCode::BAD_REQUEST { none } else { StatusCode::UNAUTHORIZED };
        let account: Option<Account> = self.read("who signs in by NTLM", answer, none).await?;
        Ok(account.map(|account| account.address))
    }

    /// The address that a client's ticket speaks for, at this server.
    ///
    /// # Errors
    /// The directory did not answer.
    pub async fn redeem(&self, ticket: &str, own: &HostName) -> Result<Option<String>, DirectoryDown> {
        let given = serde_json::json!({ "ticket": ticket, "to": format!("HTTP/{own}") });
        let request = self.client.post(self.at(&["v1", "tickets", "redeem"])).json(&given);
        let request = request.basic_auth(&self.service.user, Some(&self.service.password));
        let account: Option<Account> =
            self.ask("whose a ticket is", request, StatusCode::UNAUTHORIZED).await?;
        Ok(account.map(|account| account.address))
    }

    /// The topology as it is now.
    ///
    /// # Errors
    /// The directory did not answer.
    pub async fn topology(&self) -> Result<Arc<Topology>, DirectoryDown> {
        const QUESTION: &str = "for the topology";
        let known = self.topology.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut request = self.client.get(self.at(&["v1", "topology"]));
        if let Some((tag, _)) = &known {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let answer = request.send().await.map_err(|error| self.down(QUESTION, error))?;
        if let (StatusCode::NOT_MODIFIED, Some((_, topology))) = (answer.status(), known) {
            return Ok(topology);
        }
        let tag = answer.headers().get(ETAG).cloned();
        let topology: Option<Topology> = self.read(QUESTION, answer, StatusCode::NOT_FOUND).await?;
        let topology = topology.map(Arc::new).ok_or_else(|| self.down(QUESTION, "it has none"))?;
        *self.topology.lock().unwrap_or_else(PoisonError::into_inner) =
            tag.map(|tag| (tag, topology.clone()));
        Ok(topology)
    }

    /// A ticket that speaks for a user to the server of this name.
    ///
    /// # Errors
    /// The directory did not answer, or gave none.
    pub async fn ticket(&self, user: &str, host: &HostName) -> Result<String, DirectoryDown> {
        const QUESTION: &str = "for a ticket";
        let key = (user.to_owned(), host.clone());
        if let Some(ticket) = kept(&self.tickets, &key) {
            return Ok(ticket);
        }
        let wanted = serde_json::json!({ "for": user, "to": format!("HTTP/{host}") });
        let request = self.client.post(self.at(&["v1", "tickets"])).json(&wanted);
        let request = request.basic_auth(&self.service.user, Some(&self.service.password));
        let issued: Option<TicketIssued> = self.ask(QUESTION, request, StatusCode::NOT_FOUND).await?;
        let ticket = issued.ok_or_else(|| self.down(QUESTION, "it knows no such user"))?.ticket;
        keep(&self.tickets, key, ticket.clone());
        Ok(ticket)
    }

    /// A mailbox's facts, and the entity tag of the topology at that moment.
    async fn mailbox(&self, form: &str) -> Result<(Option<Account>, Option<HeaderValue>), DirectoryDown> {
        const QUESTION: &str = "for a mailbox";
        let request = self.client.get(self.at(&["v1", "mailboxes", form]));
        let answer = request.send().await.map_err(|error| self.down(QUESTION, error))?;
        let tag = answer.headers().get("topology-tag").cloned();
        Ok((self.read(QUESTION, answer, StatusCode::NOT_FOUND).await?, tag))
    }

    /// An answer's JSON; `None` for the one status that says there is none.
    async fn ask<T: DeserializeOwned>(
        &self,
        question: &'static str,
        request: RequestBuilder,
        none: StatusCode,
    ) -> Result<Option<T>, DirectoryDown> {
        let answer = request.send().await.map_err(|error| self.down(question, error))?;
        self.read(question, answer, none).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        question: &'static str,
        mut answer: Response,
        none: StatusCode,
    ) -> Result<Option<T>, DirectoryDown> {
        let down = |why: &dyn std::fmt::Display| self.down(question, why);
        if answer.status() == none {
            return Ok(None);
        }
        if answer.status() != StatusCode::OK {
            return Err(down(&answer.status()));
        }
        let mut json = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| down(&error))? {
            if json.len() + piece.len() > LONGEST {
                return Err(down(&format!("more than {LONGEST} bytes")));
            }
            json.extend_from_slice(&piece);
        }
        serde_json::from_slice(&json).map(Some).map_err(|error| down(&error))
    }

    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.door.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        url
    }

    fn down(&self, question: &'static str, why: impl ToString) -> DirectoryDown {
        DirectoryDown { door: self.door.to_string(), question, why: why.to_string() }
    }
}

/// What is kept for a short while, by what it was asked with.
type Kept<K> = Mutex<HashMap<K, (Instant, String)>>;

fn kept<K: Eq + Hash>(from: &Kept<K>, key: &K) -> Option<String> {
    let kept = from.lock().unwrap_or_else(PoisonError::into_inner);
    let (since, value) = kept.get(key)?;
    (clock::now().duration_since(*since) < clock::TICKET).then(|| value.clone())
}

fn keep<K: Eq + Hash>(into: &Kept<K>, key: K, value: String) {
    let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= MOST_KEPT {
        kept.clear();
    }
    kept.insert(key, (clock::now(), value));
}

impl Discover for Directory {
    fn find<'a>(&'a self, sought: &'a Sought) -> Waiting<'a, Result<Facts, DirectoryDown>> {
        Box::pin(async {
            let (account, tag) = self.mailbox(&sought.user).await?;
            let kept = self.topology.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let topology = match kept {
                // The mailbox came with the tag of the topology that is known: no fact has changed.
                Some((known, topology)) if tag.as_ref() == Some(&known) => topology,
                _ => self.topology().await?,
            };
            Ok(Facts { topology, account })
        })
    }
}

#[cfg(test)]
mod tests;
