//! Streaming notifications (wire facts 6; from 2010 SP1 on): Subscribe, GetStreamingEvents, Unsubscribe.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;
use model::version::Build;
use tokio::sync::mpsc;

use super::operations::{inbox_id, is_inbox, item_id};
use super::{Failure, Fault, enveloped, message};
use crate::answer::{Answer, Body};
use crate::iis::{clock, typed};
use crate::mailbox::{Mailbox, Message, Owner, Unreachable};
use crate::xml::{Element, Tag};

/// How many subscriptions a server keeps.
const MOST: usize = 10_000;
/// How many subscriptions one stream serves.
const MOST_STREAMED: usize = 200;
/// How many notifications one envelope carries for one subscription.
const MOST_TOLD: usize = 100;

/// The subscriptions of one server. A copy is the same ones.
#[derive(Debug, Clone, Default)]
pub struct Subscriptions(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    made: u64,
    by_id: HashMap<String, Subscription>,
}

#[derive(Debug)]
struct Subscription {
    /// The GUID of the mailbox.
    mailbox: String,
    /// How many messages of the inbox its subscriber knows of.
    seen: usize,
}

impl Subscriptions {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, owner: &Owner, seen: usize) -> Result<String, Failure> {
        let mut known = self.known();
        if known.by_id.len() >= MOST {
            let text = "You have exceeded the available subscriptions for your account.";
            return Err(Failure::new("ErrorExceededSubscriptionCount", text));
        }
        known.made += 1;
        let id = STANDARD.encode(format!("{}/{}", owner.guid, known.made));
        known.by_id.insert(id.clone(), Subscription { mailbox: owner.guid.clone(), seen });
        Ok(id)
    }

    fn check(&self, id: &str, owner: &Owner) -> Result<(), Failure> {
        match self.known().by_id.get(id) {
            None => Err(Failure::new(
                "ErrorSubscriptionNotFound",
                "The subscription could not be found in the store.",
            )),
            Some(subscription) if subscription.mailbox != owner.guid => Err(Failure::new(
                "ErrorSubscriptionAccessDenied",
                "The subscription belongs to another user.",
            )),
            Some(_) => Ok(()),
        }
    }

    /// What the least informed of these subscriptions knows of; `None` when none of them is left.
    fn seen(&self, ids: &[String]) -> Option<usize> {
        let known = self.known();
        ids.iter().filter_map(|id| known.by_id.get(id)).map(|subscription| subscription.seen).min()
    }

    /// Takes note that a subscriber is told of everything up to `count`, and gives what it knew of before.
    fn tell(&self, id: &str, count: usize) -> Option<usize> {
        let mut known = self.known();
        let subscription = known.by_id.get_mut(id)?;
        let before = subscription.seen;
        subscription.seen = before.max(count);
        Some(before)
    }
}

pub(super) async fn subscribe<M: Mailbox>(
    operation: &Element,
    mailbox: &mut M,
    subscriptions: &Subscriptions,
) -> Result<Tag, Fault> {
    let request = operation
        .child("StreamingSubscriptionRequest")
        .ok_or_else(|| Fault::schema("only a StreamingSubscriptionRequest is known here"))?;
    let events = request.child("EventTypes").map_or(0, |types| types.children.len());
    let folders = request.child("FolderIds").map(|ids| ids.children.as_slice()).unwrap_or_default();
    let all = request.attribute("SubscribeToAllFolders") == Some("true");
    if events == 0 || (folders.is_empty() && !all) || folders.len() > MOST_STREAMED {
        return Err(Fault::schema(
            "a subscription names event types, and folders unless it is to all of them",
        ));
    }
    let made = async {
        let owner = mailbox.owner().await?;
        folders.iter().try_for_each(|folder| is_inbox(folder, &owner))?;
        let seen = mailbox.messages().await?.len();
        subscriptions.make(&owner, seen)
    };
    let made = made.await.map(|id| vec![Tag::leaf("m:SubscriptionId", id)]);
    let messages = Tag::new("m:ResponseMessages").with(message("m:SubscribeResponseMessage", made));
    Ok(Tag::new("m:SubscribeResponse").with(messages))
}

pub(super) async fn unsubscribe<M: Mailbox>(
    operation: &Element,
    mailbox: &mut M,
    subscriptions: &Subscriptions,
) -> Result<Tag, Fault> {
    let id = operation
        .text_at(&["SubscriptionId"])
        .ok_or_else(|| Fault::schema("SubscriptionId is missing or empty"))?;
    let ended = async {
        subscriptions.check(id, &mailbox.owner().await?)?;
        subscriptions.known().by_id.remove(id);
        Ok(Vec::new())
    };
    let messages = Tag::new("m:ResponseMessages").with(message("m:UnsubscribeResponseMessage", ended.await));
    Ok(Tag::new("m:UnsubscribeResponse").with(messages))
}

/// GetStreamingEvents: whole envelopes one after the other, on a connection that stays open for the minutes asked for.
/// First the connection's status, then what happens, at last that it is closed.
pub(super) async fn events<M: Mailbox>(
    build: Build,
    operation: &Element,
    mut mailbox: M,
    subscriptions: &Subscriptions,
) -> Result<Answer, Fault> {
    let ids = operation.child("SubscriptionIds").map(|ids| ids.children.as_slice()).unwrap_or_default();
    let ids: Vec<String> = ids.iter().map(|id| id.text.trim().to_owned()).collect();
    if ids.is_empty() || ids.len() > MOST_STREAMED {
        return Err(Fault::schema(&format!("SubscriptionIds names 1 to {MOST_STREAMED} subscriptions")));
    }
    let minutes = operation.text_at(&["ConnectionTimeout"]).and_then(|text| text.parse::<u64>().ok());
    let minutes = minutes
        .filter(|minutes| (1..=30).contains(minutes))
        .ok_or_else(|| Fault::schema("ConnectionTimeout is 1 to 30 minutes"))?;
    let ready = async {
        let owner = mailbox.owner().await?;
        ids.iter().try_for_each(|id| subscriptions.check(id, &owner))?;
        Ok(owner)
    };
    let owner = match ready.await {
        Ok(owner) => owner,
        Err(failure) => {
            let answer = piece(build, refused(failure, &ids));
            return Ok(typed(StatusCode::OK, "text/xml; charset=utf-8", answer));
        }
    };
    let (send, pieces) = mpsc::channel(8);
    let stream = Stream { build, ids, owner, mailbox, subscriptions: subscriptions.clone(), send };
    let work = Box::pin(stream.run(Duration::from_secs(minutes * 60)));
    Ok(typed(StatusCode::OK, "text/xml; charset=utf-8", Body::Pieces { pieces, work }))
}

struct Stream<M> {
    build: Build,
    ids: Vec<String>,
    owner: Owner,
    mailbox: M,
    subscriptions: Subscriptions,
    send: mpsc::Sender<Bytes>,
}

impl<M: Mailbox> Stream<M> {
    /// Ends when the time is over, the mailbox is out of reach, or nobody listens any more.
    async fn run(mut self, life: Duration) {
        let ends = clock::after(life);
        if !self.say(Ok(vec![Tag::leaf("m:ConnectionStatus", "OK")])).await {
            return;
        }
        while let Some(seen) = self.subscriptions.seen(&self.ids) {
            match clock::until(ends, more(&mut self.mailbox, seen)).await {
                None => break,
                Some(Err(why)) => {
                    self.say(Err(why.into())).await;
                    return;
                }
                Some(Ok(messages)) if messages.len() <= seen => break,
                Some(Ok(messages)) => {
                    let news = self.news(messages.len());
                    if !self.say(Ok(vec![Tag::new("m:Notifications").with_all(news)])).await {
                        return;
                    }
                }
            }
        }
        self.say(Ok(vec![Tag::leaf("m:ConnectionStatus", "Closed")])).await;
    }

    fn news(&self, count: usize) -> Vec<Tag> {
        let told = self.ids.iter().filter_map(|id| {
            let seen = self.subscriptions.tell(id, count).filter(|seen| *seen < count)?;
            let events = (seen..count).rev().take(MOST_TOLD).rev().map(|number| {
                Tag::new("t:NewMailEvent")
                    .with(Tag::leaf("t:TimeStamp", clock::xml_date()))
                    .with(item_id(&self.owner, number))
                    .with(inbox_id("t:ParentFolderId", &self.owner))
            });
            Some(Tag::new("m:Notification").with(Tag::leaf("t:SubscriptionId", id)).with_all(events))
        });
        told.collect()
    }

    /// Whether somebody still listens. Exclusive, since a mailbox need not be shareable between threads.
    async fn say(&mut self, content: Result<Vec<Tag>, Failure>) -> bool {
        let said = piece(self.build, message("m:GetStreamingEventsResponseMessage", content));
        self.send.send(said).await.is_ok()
    }
}

async fn more<M: Mailbox>(mailbox: &mut M, seen: usize) -> Result<Vec<Message>, Unreachable> {
    mailbox.more_than(seen).await?;
    mailbox.messages().await
}

fn refused(failure: Failure, ids: &[String]) -> Tag {
    let ids = ids.iter().map(|id| Tag::leaf("m:SubscriptionId", id));
    message("m:GetStreamingEventsResponseMessage", Err(failure))
        .with(Tag::new("m:ErrorSubscriptionIds").with_all(ids))
}

/// One whole envelope, without a declaration: they stand one after the other.
fn piece(build: Build, message: Tag) -> Bytes {
    let messages = Tag::new("m:ResponseMessages").with(message);
    enveloped(build, Tag::new("m:GetStreamingEventsResponse").with(messages)).fragment()
}
