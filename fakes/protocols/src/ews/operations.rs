//! Operations that are answered at once: GetFolder, FindItem, CreateItem, GetUserAvailability.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Failure, Fault, message};
use crate::mailbox::{Mailbox, Message, Owner};
use crate::xml::{Element, Tag};

/// How many folders, items or mailboxes one request may name.
const MOST_ASKED: usize = 100;
/// How many items one answer lists.
const MOST_LISTED: usize = 1000;

/// GetFolder: the inbox (wire facts 6, the smoke test).
pub(super) async fn folder<M: Mailbox>(operation: &Element, mailbox: &mut M) -> Result<Tag, Fault> {
    let asked = some(operation, "FolderIds")?;
    let found = inbox(mailbox).await;
    let messages = asked.iter().map(|id| {
        let folder = found.as_ref().map_err(copy).and_then(|(owner, messages)| {
            is_inbox(id, owner)?;
            Ok(Tag::new("t:Folder")
                .with(inbox_id("t:FolderId", owner))
                .with(Tag::leaf("t:DisplayName", "Inbox"))
                .with(Tag::leaf("t:TotalCount", messages.len().to_string()))
                .with(Tag::leaf("t:ChildFolderCount", "0"))
                .with(Tag::leaf("t:UnreadCount", messages.len().to_string())))
        });
        message("m:GetFolderResponseMessage", folder.map(|folder| vec![Tag::new("m:Folders").with(folder)]))
    });
    Ok(responses("m:GetFolderResponse", messages))
}

/// FindItem: the inbox, newest first. `DisplayTo` is the owner as the store names it: the proof of whose inbox it is.
pub(super) async fn find<M: Mailbox>(operation: &Element, mailbox: &mut M) -> Result<Tag, Fault> {
    let asked = some(operation, "ParentFolderIds")?;
    let view = operation.child("IndexedPageItemView");
    let number = |name, otherwise| match view.and_then(|view| view.attribute(name)) {
        None => Ok(otherwise),
        Some(text) => text.parse::<usize>().map_err(|_| Fault::schema(&format!("{name} is no number"))),
    };
    let most = number("MaxEntriesReturned", MOST_LISTED)?.min(MOST_LISTED);
    let offset = number("Offset", 0)?;
    let found = inbox(mailbox).await;
    let answers = asked.iter().map(|id| {
        let listed = found.as_ref().map_err(copy).and_then(|(owner, messages)| {
            is_inbox(id, owner)?;
            Ok(list(owner, messages, offset, most))
        });
        message("m:FindItemResponseMessage", listed.map(|root| vec![root]))
    });
    Ok(responses("m:FindItemResponse", answers))
}

fn list(owner: &Owner, messages: &[Message], offset: usize, most: usize) -> Tag {
    let items = messages.iter().enumerate().rev().skip(offset).take(most).map(|(number, item)| {
        Tag::new("t:Message")
            .with(item_id(owner, number))
            .with(inbox_id("t:ParentFolderId", owner))
            .with(Tag::leaf("t:Subject", &item.subject))
            .with(Tag::leaf("t:DisplayTo", &owner.address))
            .with(
                Tag::new("t:From").with(
                    Tag::new("t:Mailbox")
                        .with(Tag::leaf("t:Name", &item.from))
                        .with(Tag::leaf("t:EmailAddress", &item.from)),
                ),
            )
    });
    let next = messages.len().min(offset.saturating_add(most));
    Tag::new("m:RootFolder")
        .attribute("IndexedPagingOffset", next.to_string())
        .attribute("TotalItemsInView", messages.len().to_string())
        .attribute("IncludesLastItemInRange", (next == messages.len()).to_string())
        .with(Tag::new("t:Items").with_all(items))
}

/// CreateItem: a message, which is put into the inbox of the mailbox itself. A lab has no transport.
pub(super) async fn create<M: Mailbox>(operation: &Element, mailbox: &mut M) -> Result<Tag, Fault> {
    let kept = match operation.attribute("MessageDisposition") {
        Some("SaveOnly") => true,
        Some("SendOnly" | "SendAndSaveCopy") => false,
        _ => return Err(Fault::schema("MessageDisposition is SaveOnly, SendOnly or SendAndSaveCopy")),
    };
    let items = some(operation, "Items")?;
    if items.iter().any(|item| item.name != "Message") {
        return Err(Fault::schema("only a Message can be created here"));
    }
    let mut answers = Vec::new();
    for item in items {
        let created = deliver(item, mailbox).await;
        let content = created.map(|id| {
            let made = kept.then(|| Tag::new("t:Message").with(id));
            vec![Tag::new("m:Items").with_all(made)]
        });
        answers.push(message("m:CreateItemResponseMessage", content));
    }
    Ok(responses("m:CreateItemResponse", answers))
}

async fn deliver<M: Mailbox>(item: &Element, mailbox: &mut M) -> Result<Tag, Failure> {
    let owner = mailbox.owner().await?;
    let number = mailbox.messages().await?.len();
    let text = |name| item.text_at(&[name]).unwrap_or_default().to_owned();
    let from = owner.address.clone();
    mailbox.deliver(Message { subject: text("Subject"), from, text: text("Body") }).await?;
    Ok(item_id(&owner, number))
}

/// GetUserAvailability: free all the time. Only its shape is meant; another mailbox than the owner's is not found.
pub(super) async fn availability<M: Mailbox>(operation: &Element, mailbox: &mut M) -> Result<Tag, Fault> {
    let asked = some(operation, "MailboxDataArray")?;
    let owner = mailbox.owner().await.map_err(Failure::from);
    let answers = asked.iter().map(|data| {
        let free = owner.as_ref().map_err(copy).and_then(|owner| {
            let address = data.text_at(&["Email", "Address"]).unwrap_or_default();
            match address.eq_ignore_ascii_case(&owner.address) {
                true => Ok(Vec::new()),
                false => Err(Failure::new("ErrorMailRecipientNotFound", "Unable to resolve e-mail address.")),
            }
        });
        let view = free.is_ok().then(|| {
            Tag::new("m:FreeBusyView")
                .with(Tag::leaf("t:FreeBusyViewType", "MergedOnly"))
                .with(Tag::leaf("t:MergedFreeBusy", "0".repeat(48)))
        });
        Tag::new("m:FreeBusyResponse").with(message("m:ResponseMessage", free)).with_all(view)
    });
    let array = Tag::new("m:FreeBusyResponseArray").with_all(answers);
    Ok(Tag::new("m:GetUserAvailabilityResponse").with(array))
}

async fn inbox<M: Mailbox>(mailbox: &mut M) -> Result<(Owner, Vec<Message>), Failure> {
    Ok((mailbox.owner().await?, mailbox.messages().await?))
}

/// The elements of a list that must name something.
fn some<'a>(operation: &'a Element, name: &str) -> Result<&'a [Element], Fault> {
    let list = operation.child(name).map(|list| list.children.as_slice()).unwrap_or_default();
    match list.len() {
        0 => Err(Fault::schema(&format!("{name} is missing or empty"))),
        1..=MOST_ASKED => Ok(list),
        _ => Err(Fault::schema(&format!("{name} has more than {MOST_ASKED} entries"))),
    }
}

/// Whether an id means the owner's inbox, by name or as it was handed out.
pub(super) fn is_inbox(id: &Element, owner: &Owner) -> Result<(), Failure> {
    let named = id.attribute("Id").unwrap_or_default();
    if let Some(address) = id.text_at(&["Mailbox", "EmailAddress"])
        && !address.eq_ignore_ascii_case(&owner.address)
    {
        let text = "The SMTP address has no mailbox associated with it that this user may open.";
        return Err(Failure::new("ErrorNonExistentMailbox", text));
    }
    let found = match id.name.as_str() {
        "DistinguishedFolderId" => named == "inbox",
        "FolderId" => named == folder_key(owner),
        _ => false,
    };
    match found {
        true => Ok(()),
        false => {
            Err(Failure::new("ErrorFolderNotFound", "The specified folder could not be found in the store."))
        }
    }
}

/// The inbox's id, in the element that is to carry it.
pub(super) fn inbox_id(name: &'static str, owner: &Owner) -> Tag {
    Tag::new(name).attribute("Id", folder_key(owner)).attribute("ChangeKey", "AQAAAA==")
}

/// The id of the message with this number in the inbox.
pub(super) fn item_id(owner: &Owner, number: usize) -> Tag {
    let key = STANDARD.encode(format!("{}/{number}", owner.guid));
    Tag::new("t:ItemId").attribute("Id", key).attribute("ChangeKey", "CQAAAA==")
}

fn folder_key(owner: &Owner) -> String {
    STANDARD.encode(format!("{}/inbox", owner.guid))
}

fn responses(name: &'static str, messages: impl IntoIterator<Item = Tag>) -> Tag {
    Tag::new(name).with(Tag::new("m:ResponseMessages").with_all(messages))
}

fn copy(failure: &Failure) -> Failure {
    Failure { code: failure.code, text: failure.text.clone() }
}
