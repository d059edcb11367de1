//! The commands: [MS-ASCMD] 2.2.1.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use model::version::{Build, Version};

use super::mail::Mail;
use super::request::{Command, EasRequest, Protocol};
use super::{COMMANDS, DeviceState, bare, clock, document, provision, versions};
use crate::answer::{Answer, Request};
use crate::mailbox::{Mailbox, Message, Owner, Unreachable};
use crate::wbxml::{
    Content, Element, air_sync as sync, air_sync_base as base, compose_mail, email,
    folder_hierarchy as folders, ping,
};

/// The inbox's ServerId, first of [`FOLDERS`].
const INBOX: &str = "1";
/// ServerId, DisplayName, Type ([MS-ASCMD] 2.2.3.186.3).
const FOLDERS: [(&str, &str, &str); 4] =
    [(INBOX, "Inbox", "2"), ("2", "Drafts", "3"), ("3", "Deleted Items", "4"), ("4", "Sent Items", "5")];
/// A folder of the user's own, whose name says whose mailbox was read.
const PROOF: &str = "5";
/// The bounds of Ping's heartbeat, in seconds (wire facts 2.1).
const HEARTBEAT: std::ops::RangeInclusive<u64> = 60..=3540;
/// WindowSize where a device names none, and the most that it may name ([MS-ASCMD] 2.2.3.199).
const WINDOW: usize = 100;
const MAX_WINDOW: usize = 512;

/// An answer before its end: what becomes an HTTP status and what becomes a document.
enum Failure {
    Malformed,
    Unreachable,
}

impl From<Unreachable> for Failure {
    fn from(_: Unreachable) -> Failure {
        Failure::Unreachable
    }
}

pub(super) async fn answer<M: Mailbox>(
    version: Version,
    build: Build,
    read: &EasRequest,
    request: &Request,
    mailbox: M,
    state: &DeviceState,
) -> Answer {
    if state.requires_policies()
        && read.command != Command::Provision
        && let Some(refusal) = provision::refusal(read, |code| status(read.command, code))
    {
        return refusal;
    }
    let answered = match read.command {
        Command::Provision => body(request).map(|root| document(&provision::answer(read, &root))),
        Command::FolderSync => folder_sync(read, request, mailbox, state).await.map(|(root, first)| {
            let mut answer = document(&root);
            if first {
                announce(&mut answer, versions(version, build));
            }
            answer
        }),
        Command::Sync => synchronise(read, request, mailbox, state).await.map(|root| document(&root)),
        Command::SendMail => send_mail(read, request, mailbox).await,
        Command::Ping => pinged(read, request, mailbox, state).await.map(|root| document(&root)),
        _ => Ok(bare(StatusCode::NOT_IMPLEMENTED)),
    };
    answered.unwrap_or_else(|failure| match failure {
        Failure::Malformed => bare(StatusCode::BAD_REQUEST),
        Failure::Unreachable => bare(StatusCode::SERVICE_UNAVAILABLE),
    })
}

/// The document that says nothing but a status.
fn status(command: Command, code: &str) -> Option<Element> {
    let (root, status) = match command {
        Command::FolderSync => (folders::FOLDER_SYNC, folders::STATUS),
        Command::Sync => (sync::SYNC, sync::STATUS),
        Command::SendMail => (compose_mail::SEND_MAIL, compose_mail::STATUS),
        Command::Ping => (ping::PING, ping::STATUS),
        _ => return None,
    };
    Some(Element::with(root, [Element::text(status, code)]))
}

/// X-MS-RP and what goes with it: a device that starts is told once what it can ask for (wire facts 2.1).
fn announce(answer: &mut Answer, versions: &'static str) {
    let headers = answer.headers_mut();
    headers.insert("x-ms-rp", HeaderValue::from_static(versions));
    headers.insert("ms-asprotocolversions", HeaderValue::from_static(versions));
    headers.insert("ms-asprotocolcommands", HeaderValue::from_static(COMMANDS));
}

fn body(request: &Request) -> Result<Element, Failure> {
    Element::decode(request.body()).map_err(|_| Failure::Malformed)
}

/// The hierarchy never changes: key 1 stands for all of it. The second value: whether the device starts here.
async fn folder_sync<M: Mailbox>(
    read: &EasRequest,
    request: &Request,
    mut mailbox: M,
    state: &DeviceState,
) -> Result<(Element, bool), Failure> {
    let root = body(request)?;
    if root.tag != folders::FOLDER_SYNC {
        return Err(Failure::Malformed);
    }
    let Owner { address, .. } = mailbox.owner().await?;
    let failed =
        |code| Ok((Element::with(folders::FOLDER_SYNC, [Element::text(folders::STATUS, code)]), false));
    let added = match root.text_of(folders::SYNC_KEY) {
        Some("0") => {
            let proof = format!("Mail of {address}");
            FOLDERS.into_iter().chain([(PROOF, proof.as_str(), "12")]).map(added_folder).collect()
        }
        Some("1") => Vec::new(),
        // 2.2.3.177.4: 9 is a key that the server does not know, 10 a request that lacks something.
        Some(_) => return failed("9"),
        None => return failed("10"),
    };
    let first = !added.is_empty() && !state.of(&read.device_id).told;
    state.remember(&read.device_id, |device| device.told = true);
    let mut changes = vec![Element::text(folders::COUNT, added.len().to_string())];
    changes.extend(added);
    let children = [
        Element::text(folders::STATUS, "1"),
        Element::text(folders::SYNC_KEY, "1"),
        Element::with(folders::CHANGES, changes),
    ];
    Ok((Element::with(folders::FOLDER_SYNC, children), first))
}

fn added_folder((id, name, kind): (&str, &str, &str)) -> Element {
    let children = [
        Element::text(folders::SERVER_ID, id),
        Element::text(folders::PARENT_ID, "0"),
        Element::text(folders::DISPLAY_NAME, name),
        Element::text(folders::TYPE, kind),
    ];
    Element::with(folders::ADD, children)
}

async fn synchronise<M: Mailbox>(
    read: &EasRequest,
    request: &Request,
    mut mailbox: M,
    state: &DeviceState,
) -> Result<Element, Failure> {
    let failed = |code| Ok(Element::with(sync::SYNC, [Element::text(sync::STATUS, code)]));
    if request.body().is_empty() {
        // 2.2.3.177.17: 13, send the whole request: none is kept.
        return failed("13");
    }
    let root = body(request)?;
    if root.tag != sync::SYNC {
        return Err(Failure::Malformed);
    }
    let asked = root.child(sync::COLLECTIONS).map(Element::children).unwrap_or_default();
    if asked.is_empty() || asked.iter().any(|collection| collection.tag != sync::COLLECTION) {
        // 4: the request is not one of Sync's.
        return failed("4");
    }
    let (owner, messages) = (mailbox.owner().await?, mailbox.messages().await?);
    let mut collections = Vec::new();
    for collection in asked {
        let synced = Collection { read, owner: &owner, asked: collection, messages: &messages };
        let (answer, given) = synced.answer();
        collections.push(answer);
        if let Some(given) = given {
            state.remember(&read.device_id, |device| device.synced = Some(given));
        }
    }
    Ok(Element::with(sync::SYNC, [Element::with(sync::COLLECTIONS, collections)]))
}

struct Collection<'a> {
    read: &'a EasRequest,
    owner: &'a Owner,
    asked: &'a Element,
    messages: &'a [Message],
}

impl Collection<'_> {
    /// A key is one more than the number of messages that the device has. The second value: that number, afterwards.
    fn answer(&self) -> (Element, Option<usize>) {
        let id = self.asked.text_of(sync::COLLECTION_ID).unwrap_or_default();
        let known = FOLDERS.iter().map(|(id, ..)| *id).chain([PROOF]).any(|known| known == id);
        if !known {
            // 8: no such folder.
            return (self.head("0", id, "8"), None);
        }
        let messages = if id == INBOX { self.messages } else { &[] };
        let key = self.asked.text_of(sync::SYNC_KEY).and_then(|key| key.parse::<usize>().ok());
        let has = match key {
            Some(0) => return (self.head("1", id, "1"), None),
            Some(key) if key - 1 <= messages.len() => key - 1,
            // 3: a key that the server does not know; the device starts again with 0.
            _ => return (self.head("0", id, "3"), None),
        };
        let window = self.asked.text_of(sync::WINDOW_SIZE).and_then(|size| size.parse().ok());
        let window = window.filter(|size| (1..=MAX_WINDOW).contains(size)).unwrap_or(WINDOW);
        let given = messages.len().min(has + window);
        let mut answer = self.head(&(given + 1).to_string(), id, "1");
        let Content::Children(children) = &mut answer.content else { return (answer, None) };
        if given < messages.len() {
            children.push(Element::empty(sync::MORE_AVAILABLE));
        }
        let added: Vec<_> = (has..given).map(|place| self.added(place, &messages[place])).collect();
        if !added.is_empty() {
            children.push(Element::with(sync::COMMANDS, added));
        }
        (answer, (id == INBOX).then_some(given))
    }

    fn head(&self, key: &str, id: &str, status: &str) -> Element {
        let mut children = Vec::new();
        // Up to 12.0 a collection says its class.
        if self.read.protocol < Protocol::V12_1 {
            children.push(Element::text(sync::CLASS, "Email"));
        }
        children.push(Element::text(sync::SYNC_KEY, key));
        children.push(Element::text(sync::COLLECTION_ID, id));
        children.push(Element::text(sync::STATUS, status));
        Element::with(sync::COLLECTION, children)
    }

    fn added(&self, place: usize, message: &Message) -> Element {
        // Before 12.0 the body was Email's own.
        let body = match self.read.protocol.major {
            0..12 => Element::text(email::BODY, &message.text),
            _ => Element::with(
                base::BODY,
                [
                    Element::text(base::TYPE, "1"),
                    Element::text(base::ESTIMATED_DATA_SIZE, message.text.len().to_string()),
                    Element::text(base::DATA, &message.text),
                ],
            ),
        };
        let data = [
            Element::text(email::TO, &self.owner.address),
            Element::text(email::FROM, &message.from),
            Element::text(email::SUBJECT, &message.subject),
            Element::text(email::READ, "0"),
            Element::text(email::MESSAGE_CLASS, "IPM.Note"),
            body,
        ];
        let id = format!("{INBOX}:{}", place + 1);
        Element::with(
            sync::ADD,
            [Element::text(sync::SERVER_ID, id), Element::with(sync::APPLICATION_DATA, data)],
        )
    }
}

/// Up to 12.1 the body is the message; later it is a document that holds it. There is no transport behind: what is
/// addressed to others than the owner goes nowhere.
async fn send_mail<M: Mailbox>(
    read: &EasRequest,
    request: &Request,
    mut mailbox: M,
) -> Result<Answer, Failure> {
    let later = read.protocol > Protocol::V12_1;
    let mail = match later {
        false => Mail::read(request.body()),
        true => {
            let root = body(request)?;
            if root.tag != compose_mail::SEND_MAIL {
                return Err(Failure::Malformed);
            }
            match root.child(compose_mail::MIME).map(|mime| &mime.content) {
                Some(Content::Opaque(mime)) => Mail::read(mime),
                Some(Content::Text(mime)) => Mail::read(mime.as_bytes()),
                _ => None,
            }
        }
    };
    // [MS-ASCMD] 2.2.2: 107 is MIME that cannot be read, 119 a message to nobody.
    let refused = match &mail {
        None => Some("107"),
        Some(mail) if mail.recipients.is_empty() => Some("119"),
        Some(_) => None,
    };
    let mail = match (mail, refused.and_then(|code| status(Command::SendMail, code))) {
        (Some(mail), None) => mail,
        (_, Some(refused)) if later => return Ok(document(&refused)),
        _ => return Err(Failure::Malformed),
    };
    let owner = mailbox.owner().await?;
    if mail.recipients.iter().any(|address| address.eq_ignore_ascii_case(&owner.address)) {
        let message = Message { subject: mail.subject, from: owner.address, text: mail.text };
        mailbox.deliver(message).await?;
    }
    Ok(bare(StatusCode::OK))
}

async fn pinged<M: Mailbox>(
    read: &EasRequest,
    request: &Request,
    mut mailbox: M,
    state: &DeviceState,
) -> Result<Element, Failure> {
    let device = state.of(&read.device_id);
    let answer = |code: &str, more: Vec<Element>| {
        Element::with(ping::PING, [vec![Element::text(ping::STATUS, code)], more].concat())
    };
    let heartbeat = match request.body().is_empty() {
        true => device.heartbeat,
        false => {
            let root = body(request)?;
            if root.tag != ping::PING {
                return Err(Failure::Malformed);
            }
            match root.text_of(ping::HEARTBEAT_INTERVAL) {
                Some(seconds) => Some(seconds.parse().map_err(|_| Failure::Malformed)?),
                None => device.heartbeat,
            }
        }
    };
    // [MS-ASCMD] 2.2.3.177.11: 3 lacks parameters, 5 is a heartbeat out of bounds, and the nearest one that is not.
    let Some(heartbeat) = heartbeat else { return Ok(answer("3", Vec::new())) };
    if !HEARTBEAT.contains(&heartbeat) {
        let nearest = heartbeat.clamp(*HEARTBEAT.start(), *HEARTBEAT.end()).to_string();
        return Ok(answer("5", vec![Element::text(ping::HEARTBEAT_INTERVAL, nearest)]));
    }
    state.remember(&read.device_id, |device| device.heartbeat = Some(heartbeat));
    let seen = match device.synced {
        Some(synced) => synced,
        None => mailbox.messages().await?.len(),
    };
    match clock::within(Duration::from_secs(heartbeat), mailbox.more_than(seen)).await {
        Some(more) => {
            more?;
            let changed = Element::with(ping::FOLDERS, [Element::text(ping::FOLDER, INBOX)]);
            Ok(answer("2", vec![changed]))
        }
        None => Ok(answer("1", Vec::new())),
    }
}
