//! Exchange Web Services as Outlook uses them: folders, items, availability, streaming events.

use bytes::BytesMut;
use http::Method;
use http_body_util::BodyExt;
use model::WebUrl;
use model::case::{Action, Told};

use crate::browser::resolve;
use crate::clock::within;
use crate::cookies::Jar;
use crate::legs::{Ending, Leg, mailbox_read};
use crate::network::Person;
use crate::outlook::USER_AGENT;
use crate::session::Stored;
use crate::wire::{Opened, Reply, Request, Wire};
use crate::xml::{Element, escaped, read};

/// Wire facts 6.
const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
/// The most of a stream of events that is read while waiting for one.
const MOST_STREAM_BYTES: usize = 1024 * 1024;
const INBOX: &str = "<t:DistinguishedFolderId Id=\"inbox\"/>";
const SUBJECT: &str = "Created by Outlook";

/// One client at one EWS address.
pub(crate) struct Ews<'e, 'n> {
    pub(crate) wire: &'e mut Wire<'n>,
    pub(crate) stored: &'e mut Stored,
    pub(crate) leg: &'e mut Leg,
    pub(crate) url: &'e WebUrl,
    pub(crate) person: &'e Person,
    /// Affinity cookies (wire facts 6).
    pub(crate) jar: Jar,
}

impl Ews<'_, '_> {
    /// Does it, and says whose mailbox was read.
    pub(crate) async fn act(&mut self, action: Action) -> Result<Ending, Ending> {
        match action {
            Action::GetFolder => self.get_folder().await,
            Action::CreateItem => self.create_and_find().await,
            Action::Availability => self.availability().await,
            Action::StreamingEvents => self.streaming_events().await,
            other => Err(Ending::useless(0, format!("Outlook does not {other} over EWS"))),
        }
    }

    async fn get_folder(&mut self) -> Result<Ending, Ending> {
        let body = format!(
            "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>\
             <m:FolderIds>{INBOX}</m:FolderIds></m:GetFolder>"
        );
        self.call("GetFolder", &body).await?;
        let items = self.find_item().await?;
        Ok(self.whose(&items))
    }

    async fn create_and_find(&mut self) -> Result<Ending, Ending> {
        self.create_item().await?;
        let items = self.find_item().await?;
        let shown = items.all().iter().any(|e| e.name == "Subject" && e.text.trim() == SUBJECT);
        match shown {
            true => Ok(self.whose(&items)),
            false => Err(Ending::useless(200, "FindItem does not show the item that CreateItem made")),
        }
    }

    async fn availability(&mut self) -> Result<Ending, Ending> {
        let body = format!(
            "<m:GetUserAvailabilityRequest><t:TimeZone><t:Bias>0</t:Bias><t:StandardTime><t:Bias>0</t:Bias>\
             <t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>10</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek>\
             </t:StandardTime><t:DaylightTime><t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>1</t:DayOrder>\
             <t:Month>4</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>\
             <m:MailboxDataArray><t:MailboxData><t:Email><t:Address>{}</t:Address></t:Email>\
             <t:AttendeeType>Required</t:AttendeeType></t:MailboxData></m:MailboxDataArray><t:FreeBusyViewOptions>\
             <t:TimeWindow><t:StartTime>2013-01-21T00:00:00</t:StartTime><t:EndTime>2013-01-22T00:00:00</t:EndTime>\
             </t:TimeWindow><t:MergedFreeBusyIntervalInMinutes>30</t:MergedFreeBusyIntervalInMinutes>\
             <t:RequestedView>MergedOnly</t:RequestedView></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>",
            escaped(&self.person.address)
        );
        let answer = self.call("GetUserAvailability", &body).await?;
        if answer.find("FreeBusyView").is_none() {
            return Err(Ending::useless(200, "GetUserAvailability answered without a FreeBusyView"));
        }
        // Free and busy times name nobody; where the answer does, it must be the one asked for.
        match self.owner(&answer) {
            Some(owner) => Ok(mailbox_read(&owner, self.person)),
            None => Ok(Ending::told(Told::Mailbox(self.person.mailbox.clone()))),
        }
    }

    /// The event must come while the answer is open: a proxy that holds it back until the end is noticed here.
    async fn streaming_events(&mut self) -> Result<Ending, Ending> {
        let subscribe = format!(
            "<m:Subscribe><m:StreamingSubscriptionRequest><t:FolderIds>{INBOX}</t:FolderIds><t:EventTypes>\
             <t:EventType>NewMailEvent</t:EventType><t:EventType>CreatedEvent</t:EventType></t:EventTypes>\
             </m:StreamingSubscriptionRequest></m:Subscribe>"
        );
        let answer = self.call("Subscribe", &subscribe).await?;
        let id =
            answer.find("SubscriptionId").map(|id| id.text.trim().to_owned()).filter(|id| !id.is_empty());
        let Some(id) = id else { return Err(Ending::useless(200, "Subscribe gave no SubscriptionId")) };
        let listen = format!(
            "<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>{}</t:SubscriptionId></m:SubscriptionIds>\
             <m:ConnectionTimeout>1</m:ConnectionTimeout></m:GetStreamingEvents>",
            escaped(&id)
        );
        let request = self.signed(self.request("GetStreamingEvents", &listen));
        let mut stream = self.wire.open(self.leg, request).await?;
        if stream.status != 200 {
            let status = stream.status;
            self.wire.finish(self.leg, stream);
            return Err(Ending::told(Told::Failed(status)));
        }
        let created = self.create_item().await;
        let limit = self.wire.network.limits.exchange;
        let heard = within(limit, event(&mut stream)).await;
        self.wire.finish(self.leg, stream);
        created?;
        match heard {
            Some(true) => {}
            Some(false) => return Err(Ending::useless(200, "the stream ended before the event came")),
            None => {
                return Err(Ending::useless(
                    0,
                    format!("no event came within {limit:?} while the stream was open"),
                ));
            }
        }
        let items = self.find_item().await?;
        Ok(self.whose(&items))
    }

    async fn create_item(&mut self) -> Result<Element, Ending> {
        let body = format!(
            "<m:CreateItem MessageDisposition=\"SaveOnly\"><m:SavedItemFolderId>{INBOX}</m:SavedItemFolderId><m:Items>\
             <t:Message><t:Subject>{SUBJECT}</t:Subject><t:Body BodyType=\"Text\">A note.</t:Body></t:Message></m:Items>\
             </m:CreateItem>"
        );
        self.call("CreateItem", &body).await
    }

    async fn find_item(&mut self) -> Result<Element, Ending> {
        let body = format!(
            "<m:FindItem Traversal=\"Shallow\"><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>\
             <m:ParentFolderIds>{INBOX}</m:ParentFolderIds></m:FindItem>"
        );
        self.call("FindItem", &body).await
    }

    async fn call(&mut self, operation: &str, body: &str) -> Result<Element, Ending> {
        let request = self.request(operation, body);
        let reply = self.stored.ask(self.wire, self.leg, request).await?;
        self.jar.take(self.url, &reply.headers, false);
        let answer = self.answer(operation, &reply)?;
        let refused = answer
            .all()
            .into_iter()
            .find(|e| e.attribute("ResponseClass") == Some("Error"))
            .map(|e| e.text_of("ResponseCode").unwrap_or("an error without a code").to_owned());
        match refused {
            Some(code) => Err(Ending::useless(200, format!("{operation} answered {code}"))),
            None => Ok(answer),
        }
    }

    fn answer(&self, operation: &str, reply: &Reply) -> Result<Element, Ending> {
        match reply.status {
            200 => {}
            301 | 302 | 303 | 307 | 308 => {
                return Err(match reply.location().and_then(|location| resolve(self.url, location)) {
                    Some(target) => Ending::told(Told::Found(target)),
                    None => Ending::told(Told::Failed(reply.status)),
                });
            }
            status => {
                let fault = read(&reply.text())
                    .ok()
                    .and_then(|e| Some(e.find("faultstring")?.text.trim().to_owned()));
                let told = Told::Failed(status);
                return Err(fault.map_or(Ending::told(told.clone()), |fault| Ending::because(told, fault)));
            }
        }
        let envelope = read(&reply.text()).map_err(|error| {
            Ending::useless(200, format!("{operation} was answered with no SOAP: {error}"))
        })?;
        let body = envelope.find("Body").is_some();
        let own = envelope.all().iter().any(|e| e.namespace == MESSAGES);
        match body && own {
            true => Ok(envelope),
            false => {
                Err(Ending::useless(200, format!("{operation} was answered with nothing in {MESSAGES}")))
            }
        }
    }

    fn request(&self, operation: &str, body: &str) -> Request {
        let version = if operation.contains("Stream") || body.contains("Streaming") {
            "Exchange2010_SP1"
        } else {
            "Exchange2007_SP1"
        };
        let envelope = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:t=\"{TYPES}\" xmlns:m=\"{MESSAGES}\"><s:Header><t:RequestServerVersion Version=\"{version}\"/>\
             </s:Header><s:Body>{body}</s:Body></s:Envelope>"
        );
        let mut request = Request::new(Method::POST, self.url.clone())
            .header("content-type", "text/xml; charset=utf-8")
            .header("accept", "text/xml")
            .header("user-agent", USER_AGENT)
            .header("soapaction", &format!("\"{MESSAGES}/{operation}\""))
            .header("x-anchormailbox", &self.person.address)
            .header("x-preferserveraffinity", "true");
        if let Some(cookies) = self.jar.header_for(self.url) {
            request = request.header("cookie", &cookies);
        }
        request.with(envelope)
    }

    fn signed(&self, request: Request) -> Request {
        let request = self.stored.numbered(request);
        match self.stored.header_for(&self.url.host, self.url.tls) {
            Some(value) => request.header("authorization", &value),
            None => request,
        }
    }

    fn whose(&self, items: &Element) -> Ending {
        match self.owner(items) {
            Some(owner) => mailbox_read(&owner, self.person),
            None => Ending::useless(200, "the inbox names no owner"),
        }
    }

    /// The address that the content names: in a subject, else anywhere.
    fn owner(&self, answer: &Element) -> Option<String> {
        let all = answer.all();
        let subjects = all.iter().filter(|e| e.name == "Subject");
        subjects.chain(all.iter()).find_map(|e| address_in(&e.text, self.person.domain.as_str()))
    }
}

/// The first word of a text that is an address of this domain.
pub(crate) fn address_in(text: &str, domain: &str) -> Option<String> {
    text.split(|c: char| c.is_whitespace() || "<>\"(),;:[]".contains(c))
        .find(|word| {
            word.rsplit_once('@')
                .is_some_and(|(local, at)| !local.is_empty() && at.eq_ignore_ascii_case(domain))
        })
        .map(str::to_owned)
}

/// Reads concatenated envelopes (wire facts 6) until one holds an event; false where the stream ends first.
async fn event(stream: &mut Opened) -> bool {
    let mut read = BytesMut::new();
    while let Some(Ok(frame)) = stream.body.frame().await {
        let Some(data) = frame.data_ref() else { continue };
        read.extend_from_slice(data);
        if holds_event(&String::from_utf8_lossy(&read)) {
            return true;
        }
        if read.len() > MOST_STREAM_BYTES {
            return false;
        }
    }
    false
}

fn holds_event(stream: &str) -> bool {
    let mut rest = stream;
    while let Some(at) = rest.find("Envelope>").filter(|_| rest.contains("</")) {
        // The first `Envelope>` may be an opening tag without attributes: go on to the closing one.
        let closing =
            rest[..at].rfind("</").is_some_and(|slash| !rest[slash + 2..at].contains(['<', '>', ' ']));
        let end = match closing {
            true => at,
            false => match rest[at + 1..].find("Envelope>") {
                Some(further) => at + 1 + further,
                None => return false,
            },
        } + "Envelope>".len();
        if read(&rest[..end]).is_ok_and(|e| e.find("NewMailEvent").or(e.find("CreatedEvent")).is_some()) {
            return true;
        }
        rest = &rest[end..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_seen_in_the_second_of_concatenated_envelopes_once_it_is_whole() {
        let first = "<s:Envelope xmlns:s='urn:s'><m:R xmlns:m='urn:m'><m:ConnectionStatus>OK</m:ConnectionStatus></m:R></s:Envelope>";
        let second = "<Envelope><Notification><NewMailEvent/></Notification></Envelope>";
        assert!(!holds_event(first));
        assert!(!holds_event(&format!("{first}{}", &second[..40])));
        assert!(holds_event(&format!("{first}{second}")));
    }

    #[test]
    fn an_address_is_found_among_words() {
        let found = address_in("Mail of <purple-1a2b3c@Contoso.com>, today", "contoso.com");
        assert_eq!(found.as_deref(), Some("purple-1a2b3c@Contoso.com"));
        assert_eq!(address_in("someone@fabrikam.com", "contoso.com"), None);
    }
}
