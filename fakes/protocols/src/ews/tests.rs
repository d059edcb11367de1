//! One mailbox, asked over EWS without a socket in between.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::*;
use crate::answer::Body;
use crate::mailbox::{Message, Owner};

/// A mailbox in memory; clones are the same one.
#[derive(Clone)]
struct Inbox {
    name: &'static str,
    messages: Arc<watch::Sender<Vec<Message>>>,
}

impl Inbox {
    fn of(name: &'static str) -> Inbox {
        let first = Message { subject: "A & B".into(), from: "red@contoso.com".into(), text: String::new() };
        Inbox { name, messages: Arc::new(watch::Sender::new(vec![first])) }
    }
}

impl Mailbox for Inbox {
    async fn owner(&mut self) -> Result<Owner, Unreachable> {
        Ok(Owner { address: format!("{}@contoso.com", self.name), guid: format!("guid-{}", self.name) })
    }
    async fn messages(&mut self) -> Result<Vec<Message>, Unreachable> {
        Ok(self.messages.borrow().clone())
    }
    async fn deliver(&mut self, message: Message) -> Result<(), Unreachable> {
        self.messages.send_modify(|messages| messages.push(message));
        Ok(())
    }
    async fn more_than(&mut self, seen: usize) -> Result<(), Unreachable> {
        let mut changes = self.messages.subscribe();
        changes.wait_for(|messages| messages.len() > seen).await.map_err(|_| Unreachable::Unknown)?;
        Ok(())
    }
}

const INBOX: &str = r#"<t:DistinguishedFolderId Id="inbox"/>"#;

struct Lab {
    build: &'static str,
    inbox: Inbox,
    subscriptions: Subscriptions,
}

impl Lab {
    fn new(build: &'static str) -> Lab {
        Lab { build, inbox: Inbox::of("purple"), subscriptions: Subscriptions::default() }
    }

    async fn post(&self, body: &str) -> Answer {
        let mut request = Request::new(Bytes::copy_from_slice(body.as_bytes()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = "/ews/Exchange.asmx".parse().unwrap();
        let build: Build = self.build.parse().unwrap();
        let version = match build.major {
            8 => Version::Exchange2007,
            14 => Version::Exchange2010,
            _ => Version::Exchange2013,
        };
        sendable(serve(version, build, &request, self.inbox.clone(), &self.subscriptions)).await
    }

    async fn ask(&self, schema: &str, operation: &str) -> (u16, Element) {
        whole(self.post(&request(schema, operation)).await)
    }
}

/// Servers run on many threads.
fn sendable<T: Send>(future: T) -> T {
    future
}

fn request(schema: &str, operation: &str) -> String {
    format!(
        r#"<s:Envelope xmlns:s="{SOAP}" xmlns:m="{MESSAGES}" xmlns:t="{TYPES}"><s:Header><t:RequestServerVersion Version="{schema}"/></s:Header><s:Body>{operation}</s:Body></s:Envelope>"#
    )
}

fn whole(answer: Answer) -> (u16, Element) {
    let status = answer.status().as_u16();
    let Body::Whole(body) = answer.into_body() else { panic!("not a whole body") };
    (status, Element::read(&body).unwrap())
}

fn response(envelope: &Element) -> &Element {
    let operation = envelope.child("Body").unwrap().children.first().unwrap();
    operation.child("ResponseMessages").unwrap().children.first().unwrap()
}

fn code(envelope: &Element) -> &str {
    match envelope.at(&["Body", "Fault", "detail", "ResponseCode"]) {
        Some(code) => &code.text,
        None => response(envelope).text_at(&["ResponseCode"]).unwrap(),
    }
}

/// Wire facts 6.
#[tokio::test]
async fn the_envelope_says_the_build_in_the_way_of_its_version() {
    let operation = format!("<m:GetFolder><m:FolderIds>{INBOX}</m:FolderIds></m:GetFolder>");
    for (build, minor, word) in [
        ("8.3.83.6", "3", None),
        ("14.1.164.0", "1", Some("Exchange2010_SP1")),
        ("15.0.526.0", "0", Some("Exchange2013")),
        ("15.0.775.7", "0", Some("V2_4")),
    ] {
        let (status, envelope) = Lab::new(build).ask("Exchange2007_SP1", &operation).await;
        assert_eq!((status, code(&envelope)), (200, "NoError"));
        let info = envelope.at(&["Header", "ServerVersionInfo"]).unwrap();
        assert_eq!((info.attribute("MinorVersion"), info.attribute("Version")), (Some(minor), word));
        let total = response(&envelope).text_at(&["Folders", "Folder", "TotalCount"]);
        assert_eq!(total, Some("1"));
    }
}

#[tokio::test]
async fn what_is_created_is_found_in_the_mailbox_of_its_owner() {
    let lab = Lab::new("8.3.83.6");
    let create = "<m:CreateItem MessageDisposition='SaveOnly'><m:Items><t:Message><t:Subject>x &lt; y</t:Subject></t:Message></m:Items></m:CreateItem>";
    let (_, envelope) = lab.ask("Exchange2007_SP1", create).await;
    assert_eq!(code(&envelope), "NoError");
    let created = response(&envelope).at(&["Items", "Message", "ItemId"]).unwrap().attribute("Id");
    let find = format!(
        "<m:FindItem Traversal='Shallow'><m:IndexedPageItemView MaxEntriesReturned='1' Offset='0' BasePoint='Beginning'/><m:ParentFolderIds>{INBOX}</m:ParentFolderIds></m:FindItem>"
    );
    let (_, envelope) = lab.ask("Exchange2007_SP1", &find).await;
    let root = response(&envelope).child("RootFolder").unwrap();
    assert_eq!(root.attribute("IncludesLastItemInRange"), Some("false"));
    let item = root.at(&["Items", "Message"]).unwrap();
    assert_eq!(item.text_at(&["Subject"]), Some("x < y"));
    assert_eq!(item.text_at(&["DisplayTo"]), Some("purple@contoso.com"));
    assert_eq!(item.child("ItemId").unwrap().attribute("Id"), created);
}

#[tokio::test]
async fn another_folder_and_another_mailbox_are_refused() {
    let lab = Lab::new("14.3.123.4");
    let folder = |id: &str| format!("<m:GetFolder><m:FolderIds>{id}</m:FolderIds></m:GetFolder>");
    let (status, envelope) =
        lab.ask("Exchange2010", &folder("<t:DistinguishedFolderId Id='calendar'/>")).await;
    assert_eq!((status, code(&envelope)), (200, "ErrorFolderNotFound"));
    let red = "<t:DistinguishedFolderId Id='inbox'><t:Mailbox><t:EmailAddress>red@contoso.com</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>";
    assert_eq!(code(&lab.ask("Exchange2010", &folder(red)).await.1), "ErrorNonExistentMailbox");
}

#[tokio::test]
async fn availability_has_the_shape_of_one_answer_a_mailbox() {
    let data = |who: &str| {
        format!("<t:MailboxData><t:Email><t:Address>{who}@contoso.com</t:Address></t:Email></t:MailboxData>")
    };
    let operation = format!(
        "<m:GetUserAvailabilityRequest><m:MailboxDataArray>{}{}</m:MailboxDataArray></m:GetUserAvailabilityRequest>",
        data("purple"),
        data("nobody")
    );
    let (_, envelope) = Lab::new("14.3.123.4").ask("Exchange2010", &operation).await;
    let array = envelope.at(&["Body", "GetUserAvailabilityResponse", "FreeBusyResponseArray"]).unwrap();
    let codes: Vec<_> =
        array.children.iter().map(|one| one.text_at(&["ResponseMessage", "ResponseCode"]).unwrap()).collect();
    assert_eq!(codes, ["NoError", "ErrorMailRecipientNotFound"]);
}

#[tokio::test]
async fn garbage_is_a_fault() {
    let lab = Lab::new("15.0.847.32");
    let fault = async |body: String| whole(lab.post(&body).await);
    let bomb =
        request("Exchange2010", "<m:GetFolder/>").replacen("<s:", "<!DOCTYPE a [<!ENTITY b 'c'>]><s:", 1);
    for body in
        ["".to_owned(), "<a>".to_owned(), "<a/>".to_owned(), bomb, request("Exchange2010", "<m:Nonsense/>")]
    {
        let (status, envelope) = fault(body).await;
        assert_eq!((status, code(&envelope)), (500, "ErrorSchemaValidation"));
    }
    let (status, envelope) = fault(request("Exchange2099", "<m:GetFolder/>")).await;
    assert_eq!((status, code(&envelope)), (500, "ErrorInvalidServerVersion"));
}

fn subscribe() -> String {
    format!(
        "<m:Subscribe><m:StreamingSubscriptionRequest><t:FolderIds>{INBOX}</t:FolderIds><t:EventTypes><t:EventType>NewMailEvent</t:EventType></t:EventTypes></m:StreamingSubscriptionRequest></m:Subscribe>"
    )
}

fn events(id: &str, minutes: &str) -> String {
    format!(
        "<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>{id}</t:SubscriptionId></m:SubscriptionIds><m:ConnectionTimeout>{minutes}</m:ConnectionTimeout></m:GetStreamingEvents>"
    )
}

#[tokio::test]
async fn streaming_came_with_2010_sp1() {
    let (status, envelope) = Lab::new("8.3.83.6").ask("Exchange2010_SP1", &subscribe()).await;
    assert_eq!((status, code(&envelope)), (500, "ErrorInvalidServerVersion"));
    let (status, envelope) = Lab::new("8.3.83.6").ask("Exchange2007_SP1", &subscribe()).await;
    assert_eq!((status, code(&envelope)), (500, "ErrorSchemaValidation"));
    assert_eq!(Lab::new("14.0.639.21").ask("Exchange2010", &subscribe()).await.0, 500);
    assert_eq!(Lab::new("14.1.218.15").ask("Exchange2010_SP1", &subscribe()).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_stream_says_ok_then_what_happens_then_closed() {
    let lab = Lab::new("15.0.847.32");
    let (_, envelope) = lab.ask("Exchange2013", &subscribe()).await;
    let id = response(&envelope).text_at(&["SubscriptionId"]).unwrap().to_owned();
    let answer = lab.post(&request("Exchange2013", &events(&id, "1"))).await;
    let Body::Pieces { mut pieces, work } = answer.into_body() else { panic!("a stream comes in pieces") };
    let began = tokio::time::Instant::now();
    let read = async {
        let mut next = async || pieces.recv().await.map(|piece| Element::read(&piece).unwrap());
        let first = next().await.unwrap();
        assert_eq!(response(&first).text_at(&["ConnectionStatus"]), Some("OK"));
        let news = Message { subject: "news".into(), from: String::new(), text: String::new() };
        lab.inbox.clone().deliver(news).await.unwrap();
        let second = next().await.unwrap();
        let notification = response(&second).at(&["Notifications", "Notification"]).unwrap();
        assert_eq!(notification.text_at(&["SubscriptionId"]), Some(id.as_str()));
        assert_eq!(notification.children("NewMailEvent").count(), 1);
        assert_eq!(began.elapsed().as_secs(), 0);
        let last = next().await.unwrap();
        assert_eq!(response(&last).text_at(&["ConnectionStatus"]), Some("Closed"));
        assert!(next().await.is_none());
    };
    tokio::join!(work, read);
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn a_subscription_is_known_where_it_was_made_and_to_its_owner() {
    let lab = Lab::new("15.0.847.32");
    let (_, envelope) = lab.ask("Exchange2013", &subscribe()).await;
    let id = response(&envelope).text_at(&["SubscriptionId"]).unwrap().to_owned();
    let elsewhere = Lab::new("15.0.847.32");
    let (_, envelope) = elsewhere.ask("Exchange2013", &events(&id, "30")).await;
    assert_eq!(code(&envelope), "ErrorSubscriptionNotFound");
    let red = Lab { inbox: Inbox::of("red"), subscriptions: lab.subscriptions.clone(), ..elsewhere };
    let (_, envelope) = red.ask("Exchange2013", &events(&id, "30")).await;
    assert_eq!(code(&envelope), "ErrorSubscriptionAccessDenied");
    assert_eq!(lab.ask("Exchange2013", &events(&id, "31")).await.0, 500);
    let end = format!("<m:Unsubscribe><m:SubscriptionId>{id}</m:SubscriptionId></m:Unsubscribe>");
    assert_eq!(code(&lab.ask("Exchange2013", &end).await.1), "NoError");
    assert_eq!(code(&lab.ask("Exchange2013", &events(&id, "1")).await.1), "ErrorSubscriptionNotFound");
}

#[tokio::test]
async fn a_browser_is_led_to_the_description() {
    let lab = Lab::new("14.3.123.4");
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = "/EWS/Exchange.asmx".parse().unwrap();
    let build = lab.build.parse().unwrap();
    let answer = serve(Version::Exchange2010, build, &request, lab.inbox, &lab.subscriptions).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["location"]),
        (302, &"/EWS/Services.wsdl".parse().unwrap())
    );
}
