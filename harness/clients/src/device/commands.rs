//! A device's commands: the query in both forms, the status of each answer, and what the content says.

use std::pin::Pin;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use ledger::News;
use model::case::{Action, Device as Shape, QueryForm, Told, When};
use model::{CaseId, WebUrl};
use tokio::sync::broadcast::Receiver;

use crate::clock::within;
use crate::ews::address_in;
use crate::legs::{Ending, Leg, mailbox_read};
use crate::network::Person;
use crate::session::{Stored, percent};
use crate::wbxml::{self, Name, Node};
use crate::wire::{Reply, Request, Wire};

mod tokens;
use tokens as t;

const SUBJECT: &str = "Sent by the device";
/// How many messages a Ping is woken with, and how long each is waited for.
const MOST_MESSAGES: usize = 5;
const A_MOMENT: std::time::Duration = std::time::Duration::from_secs(1);

/// Why a device stops what it does at an address.
pub(super) enum Halt {
    /// It was told something.
    End(Ending),
    /// 451 with an address.
    Moved(WebUrl),
    /// 451 without one.
    MovedNowhere,
    /// It must accept a policy first.
    Unprovisioned,
}

impl From<Ending> for Halt {
    fn from(ending: Ending) -> Halt {
        Halt::End(ending)
    }
}

/// A device and what it remembers from address to address.
pub(super) struct Device<'a> {
    when: &'a When,
    shape: &'a Shape,
    person: &'a Person,
    user_agent: &'a str,
    policy_key: u32,
    /// What the server answered to OPTIONS, once it did: a device that is sent elsewhere goes on with its command.
    versions: Option<String>,
}

/// One conversation: the network, the credentials, the leg and the address.
struct Line<'l, 'n> {
    wire: &'l mut Wire<'n>,
    stored: &'l mut Stored,
    leg: &'l mut Leg,
    url: &'l WebUrl,
}

impl<'a> Device<'a> {
    pub(super) fn new(
        when: &'a When,
        shape: &'a Shape,
        person: &'a Person,
        user_agent: &'a str,
    ) -> Device<'a> {
        Device { when, shape, person, user_agent, policy_key: 0, versions: None }
    }

    /// Does it at this address, as often as the case says.
    pub(super) async fn act(
        &mut self,
        wire: &mut Wire<'_>,
        stored: &mut Stored,
        leg: &mut Leg,
        url: &WebUrl,
    ) -> Result<Ending, Halt> {
        let mut line = Line { wire, stored, leg, url };
        let mut ending = Ending::useless(0, "nothing was done");
        for _ in 0..self.when.times.max(1) {
            ending = self.once(&mut line).await?;
        }
        Ok(ending)
    }

    async fn once(&mut self, line: &mut Line<'_, '_>) -> Result<Ending, Halt> {
        let versions = match (&self.versions, self.when.does) {
            (Some(versions), does) if does != Action::Options => versions.clone(),
            _ => self.options(line).await?,
        };
        match self.when.does {
            Action::Options => Ok(Ending::told(Told::Versions(versions))),
            Action::FolderSync => {
                let folders = self.folder_sync(line).await?;
                Ok(self.whose(&folders))
            }
            Action::Provision => {
                self.provision(line).await?;
                let folders = self.folder_sync(line).await?;
                Ok(self.whose(&folders))
            }
            Action::Sync => {
                let folders = self.folder_sync(line).await?;
                self.sync(line, &folders).await?;
                Ok(self.whose(&folders))
            }
            Action::SendMail => {
                let folders = self.folder_sync(line).await?;
                self.send_mail(line).await?;
                let items = self.sync(line, &folders).await?;
                let came =
                    items.all().iter().any(|node| node.name == t::SUBJECT && node.data == SUBJECT.as_bytes());
                match came {
                    true => Ok(self.whose(&folders)),
                    false => Err(Ending::useless(200, "Sync does not show the message that was sent").into()),
                }
            }
            Action::Ping => {
                let folders = self.folder_sync(line).await?;
                self.sync(line, &folders).await?;
                Box::pin(self.ping(line, &folders)).await?;
                Ok(self.whose(&folders))
            }
            other => Err(Ending::useless(0, format!("a device does not {other}")).into()),
        }
    }

    /// Its own version where the server offers it, else the highest that both know.
    fn speaks(&self) -> String {
        let number = |version: &str| version.trim().parse::<f32>().ok();
        let own = &self.shape.protocol;
        let offered = self.versions.as_deref().unwrap_or(own).split(',').map(str::trim);
        let fits = offered.filter(|version| number(version) <= number(own));
        let best = fits.max_by(|a, b| number(a).partial_cmp(&number(b)).unwrap_or(std::cmp::Ordering::Equal));
        best.unwrap_or(own).to_owned()
    }

    async fn options(&mut self, line: &mut Line<'_, '_>) -> Result<String, Halt> {
        let request = Request::new(Method::OPTIONS, line.url.clone())
            .header("user-agent", self.user_agent)
            .header("accept", "*/*")
            // Not asked for by MS-ASHTTP; sent by devices that know what they speak, and what a 451 goes by (X-EAS-1, 2).
            .header("ms-asprotocolversion", &self.shape.protocol);
        let reply = line.stored.ask(line.wire, line.leg, request).await?;
        let reply = accepted(line.url, reply)?;
        match reply.header("ms-asprotocolversions") {
            Some(versions) => {
                self.versions = Some(versions.to_owned());
                Ok(versions.to_owned())
            }
            None => Err(Ending::useless(200, "OPTIONS was answered without MS-ASProtocolVersions").into()),
        }
    }

    async fn folder_sync(&mut self, line: &mut Line<'_, '_>) -> Result<Node, Halt> {
        let ask = Node::of(t::FOLDER_SYNC, vec![Node::text(t::FOLDER_SYNC_KEY, "0")]);
        self.command(line, Command::FolderSync, &ask, t::FOLDER_STATUS).await
    }

    /// First the key, then the items.
    async fn sync(&mut self, line: &mut Line<'_, '_>, folders: &Node) -> Result<Node, Halt> {
        let inbox = inbox(folders).ok_or_else(|| Ending::useless(200, "the folder list has no inbox"))?;
        let names_class = self.protocol() < 121;
        let collection = |key: &str, more: Vec<Node>| {
            let mut children = vec![];
            if names_class {
                children.push(Node::text(t::CLASS, "Email"));
            }
            children.extend([Node::text(t::SYNC_KEY, key), Node::text(t::COLLECTION_ID, &inbox)]);
            children.extend(more);
            Node::of(t::SYNC, vec![Node::of(t::COLLECTIONS, vec![Node::of(t::COLLECTION, children)])])
        };
        let first = collection("0", vec![]);
        let items =
            |key: &str| collection(key, vec![Node::empty(t::GET_CHANGES), Node::text(t::WINDOW_SIZE, "100")]);
        let answer = self.command(line, Command::Sync, &first, t::STATUS).await?;
        let key = answer.find(t::COLLECTION).and_then(|collection| collection.text_of(t::SYNC_KEY));
        let key = key.ok_or_else(|| Ending::useless(200, "Sync gave no SyncKey"))?;
        let ask = items(&key);
        self.command(line, Command::Sync, &ask, t::STATUS).await
    }

    async fn send_mail(&mut self, line: &mut Line<'_, '_>) -> Result<(), Halt> {
        let to = &self.person.address;
        let mime = format!(
            "From: {to}\r\nTo: {to}\r\nSubject: {SUBJECT}\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\nA note.\r\n"
        );
        // Up to 12.1 the message is the body; from 14.0 on it is in WBXML (MS-ASCMD, SendMail).
        let request = match self.protocol() < 140 {
            true => self.request(line.url, Command::SendMail, mime.into(), "message/rfc822"),
            false => {
                let body = Node::of(
                    t::SEND_MAIL,
                    vec![
                        Node::text(t::CLIENT_ID, &format!("{}-1", self.person.device_id)),
                        Node::empty(t::SAVE_IN_SENT_ITEMS),
                        Node { data: mime.into_bytes(), ..Node::empty(t::MIME) },
                    ],
                );
                let body = wbxml::write(&body, Some(t::MIME));
                self.request(line.url, Command::SendMail, body.into(), WBXML)
            }
        };
        let reply = line.stored.ask(line.wire, line.leg, request).await?;
        let reply = accepted(line.url, reply)?;
        match reply.body.is_empty() {
            true => Ok(()),
            false => {
                let answer = understood(&reply)?;
                let status = answer.text_of(t::SEND_STATUS).unwrap_or_default();
                Err(Ending::useless(200, format!("SendMail was answered with status {status}")).into())
            }
        }
    }

    /// A Ping stays open until a message comes; the messages are sent on a second connection meanwhile.
    async fn ping(&mut self, line: &mut Line<'_, '_>, folders: &Node) -> Result<(), Halt> {
        let inbox = inbox(folders).ok_or_else(|| Ending::useless(200, "the folder list has no inbox"))?;
        let folder = Node::of(
            t::PING_FOLDER,
            vec![Node::text(t::PING_ID, &inbox), Node::text(t::PING_CLASS, "Email")],
        );
        let ask =
            Node::of(t::PING, vec![Node::text(t::HEARTBEAT, "60"), Node::of(t::PING_FOLDERS, vec![folder])]);
        let request = self.request(line.url, Command::Ping, wbxml::write(&ask, None).into(), WBXML);
        let mut wire = Wire::new(line.wire.network, line.wire.case, self.person);
        let mut stored = Stored::new(self.when, self.person);
        let mut side = Leg::new(&line.url.host, model::case::Reached::Told);
        let mut news = line.wire.network.ledger.subscribe();
        let reply = {
            let waiting = stored.ask(&mut wire, &mut side, request);
            tokio::pin!(waiting);
            // The Ping is on its way once a server has it.
            let arrived = tokio::select! {
                reply = &mut waiting => Some(reply),
                _ = within(A_MOMENT, arrival(&mut news, line.wire.case)) => None,
            };
            match arrived {
                Some(reply) => reply,
                None => self.woken(line, waiting).await?,
            }
        };
        wire.stay().close().await;
        line.leg.absorb(side);
        let answer = understood(&accepted(line.url, reply?)?)?;
        // Status 2: there are changes (MS-ASCMD, Ping).
        match answer.text_of(t::PING_STATUS).as_deref() {
            Some("2") => Ok(()),
            status => {
                let note = format!("Ping was answered with status {}", status.unwrap_or("none"));
                Err(Ending::useless(200, note).into())
            }
        }
    }

    /// Sends messages until the Ping is answered: one that came before it did would leave it waiting.
    async fn woken<T>(
        &mut self,
        line: &mut Line<'_, '_>,
        mut waiting: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Halt> {
        for _ in 0..MOST_MESSAGES {
            self.send_mail(line).await?;
            if let Some(answered) = within(A_MOMENT, &mut waiting).await {
                return Ok(answered);
            }
        }
        // Its own limit ends it.
        Ok(waiting.await)
    }

    /// Asks for the policy, then accepts it (MS-ASPROV).
    async fn provision(&mut self, line: &mut Line<'_, '_>) -> Result<(), Halt> {
        let kind = match self.protocol() < 120 {
            true => "MS-WAP-Provisioning-XML",
            false => "MS-EAS-Provisioning-WBXML",
        };
        let round = |more: Vec<Node>| {
            let mut policy = vec![Node::text(t::POLICY_TYPE, kind)];
            policy.extend(more);
            Node::of(t::PROVISION, vec![Node::of(t::POLICIES, vec![Node::of(t::POLICY, policy)])])
        };
        self.policy_key = 0;
        let answer = self.command_once(line, Command::Provision, &round(vec![])).await?;
        let temporary = policy_key(&answer)?;
        self.policy_key = temporary;
        let accept =
            vec![Node::text(t::POLICY_KEY, &temporary.to_string()), Node::text(t::PROVISION_STATUS, "1")];
        let answer = self.command_once(line, Command::Provision, &round(accept)).await?;
        self.policy_key = policy_key(&answer)?;
        Ok(())
    }

    /// Asks, and where the server wants a policy accepted does that and asks once more.
    async fn command(
        &mut self,
        line: &mut Line<'_, '_>,
        command: Command,
        ask: &Node,
        status: Name,
    ) -> Result<Node, Halt> {
        let mut answer = self.command_once(line, command, ask).await;
        if matches!(answer, Err(Halt::Unprovisioned)) {
            self.provision(line).await?;
            answer = self.command_once(line, command, ask).await;
        }
        let answer = answer?;
        match answer.find(status).map(|node| String::from_utf8_lossy(&node.data).into_owned()).as_deref() {
            None | Some("1") => Ok(answer),
            Some(other) => {
                Err(Ending::useless(200, format!("{command:?} was answered with status {other}")).into())
            }
        }
    }

    async fn command_once(
        &self,
        line: &mut Line<'_, '_>,
        command: Command,
        ask: &Node,
    ) -> Result<Node, Halt> {
        let request = self.request(line.url, command, wbxml::write(ask, None).into(), WBXML);
        let reply = line.stored.ask(line.wire, line.leg, request).await?;
        let answer = understood(&accepted(line.url, reply)?)?;
        // Wire facts 2.1: from 14.0 on a missing or old policy is a status of the answer. Provision's own statuses are small.
        let unprovisioned = |node: &Node| matches!(&*node.data, b"140" | b"141" | b"142" | b"143" | b"144");
        let status = answer.children.iter().find(|node| is_status(node.name));
        match status.is_some_and(unprovisioned) && command != Command::Provision {
            true => Err(Halt::Unprovisioned),
            false => Ok(answer),
        }
    }

    fn request(&self, url: &WebUrl, command: Command, body: Bytes, content: &str) -> Request {
        let path = url.path.split(['?', '#']).next().unwrap_or("/");
        let query = match self.shape.query {
            QueryForm::Plain => format!(
                "Cmd={command:?}&User={}&DeviceId={}&DeviceType={}",
                percent(&self.person.account),
                percent(&self.person.device_id),
                percent(&self.shape.kind)
            ),
            QueryForm::Base64 => self.base64_query(command),
        };
        let request = Request::new(Method::POST, url.at(&format!("{path}?{query}")))
            .header("content-type", content)
            .header("user-agent", self.user_agent)
            .header("accept", "*/*");
        let request = match self.shape.query {
            QueryForm::Plain => request
                .header("ms-asprotocolversion", &self.speaks())
                .header("x-ms-policykey", &self.policy_key.to_string()),
            // The query holds both.
            QueryForm::Base64 => request,
        };
        request.with(body)
    }

    /// Wire facts 2.1: version, command, locale, device id, policy key, device type.
    fn base64_query(&self, command: Command) -> String {
        let version = self.protocol();
        let mut bytes = vec![version, command as u8, 0x09, 0x04];
        put_short(&mut bytes, self.person.device_id.as_bytes());
        match self.policy_key {
            0 => bytes.push(0),
            key => put_short(&mut bytes, &key.to_le_bytes()),
        }
        put_short(&mut bytes, self.shape.kind.as_bytes());
        STANDARD.encode(bytes)
    }

    /// The protocol in tenths, as the base64 query has it: 25, 121, 141.
    fn protocol(&self) -> u8 {
        self.speaks().replace('.', "").parse().unwrap_or(0)
    }

    fn whose(&self, folders: &Node) -> Ending {
        let names = folders.all();
        let mut names = names.iter().filter(|node| node.name == t::DISPLAY_NAME);
        let owner = names.find_map(|node| {
            let name = String::from_utf8_lossy(&node.data).into_owned();
            address_in(name.strip_prefix("Mail of ")?, self.person.domain.as_str())
        });
        match owner {
            Some(owner) => mailbox_read(&owner, self.person),
            None => Ending::useless(200, "the folder list names no owner"),
        }
    }
}

/// Waits until a server has a request of this case.
async fn arrival(news: &mut Receiver<News>, case: &CaseId) {
    while let Ok(news) = news.recv().await {
        if matches!(news, News::Arrived(arrival) if arrival.case.as_ref() == Some(case)) {
            return;
        }
    }
}

const WBXML: &str = "application/vnd.ms-sync.wbxml";

/// Command codes (wire facts 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Sync = 0,
    SendMail = 1,
    FolderSync = 9,
    Ping = 18,
    Provision = 20,
}

fn put_short(bytes: &mut Vec<u8>, data: &[u8]) {
    let data = &data[..data.len().min(usize::from(u8::MAX))];
    bytes.push(data.len() as u8);
    bytes.extend(data);
}

/// The 200 of an exchange, or what any other status means to a device.
fn accepted(url: &WebUrl, reply: Reply) -> Result<Reply, Halt> {
    match reply.status {
        200 => Ok(reply),
        // Up to 12.1, "provision first" is a status of HTTP (wire facts 2.1).
        449 => Err(Halt::Unprovisioned),
        451 => match reply.header("x-ms-location") {
            Some(location) => match WebUrl::folded(location.trim()) {
                Ok(target) => Err(Halt::Moved(target)),
                Err(bad) => Err(Ending::useless(451, bad.to_string()).into()),
            },
            None => Err(Halt::MovedNowhere),
        },
        403 => Err(Ending::told(Told::Refused(403)).into()),
        301 | 302 | 303 | 307 | 308 => {
            let target = reply.location().and_then(|location| crate::browser::resolve(url, location));
            Err(match target {
                Some(target) => Ending::told(Told::Found(target)).into(),
                None => Ending::told(Told::Failed(reply.status)).into(),
            })
        }
        status => Err(Ending::told(Told::Failed(status)).into()),
    }
}

fn understood(reply: &Reply) -> Result<Node, Halt> {
    wbxml::read(&reply.body).map_err(|error| {
        Ending::useless(reply.status, format!("the command was answered with {error}")).into()
    })
}

fn is_status(name: Name) -> bool {
    [t::STATUS, t::FOLDER_STATUS, t::PING_STATUS, t::PROVISION_STATUS, t::SEND_STATUS].contains(&name)
}

fn policy_key(answer: &Node) -> Result<u32, Halt> {
    let policy = answer.find(t::POLICY).and_then(|policy| policy.text_of(t::POLICY_KEY));
    let key = policy.and_then(|key| key.trim().parse().ok());
    key.ok_or_else(|| Ending::useless(200, "Provision gave no PolicyKey of 32 bits").into())
}

/// The ServerId of the folder of type 2, the inbox (MS-ASCMD, Type).
fn inbox(folders: &Node) -> Option<String> {
    let all = folders.all();
    let folder =
        all.iter().find(|node| node.name == t::ADD && node.text_of(t::TYPE).as_deref() == Some("2"))?;
    folder.text_of(t::SERVER_ID)
}
