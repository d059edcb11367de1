//! Exchange Web Services: the envelope, which operation is asked for, and faults. Operations are below.

use http::header::HeaderName;
use http::{Method, StatusCode};
use model::version::{Build, Version};

use crate::answer::{Answer, Request};
use crate::iis::{self, add, typed};
use crate::mailbox::{Mailbox, Unreachable};
use crate::xml::{Element, Tag, XmlError};

mod operations;
mod streaming;
pub use streaming::Subscriptions;

// Wire facts 6.
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
const ERRORS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";

/// What a client may ask to be spoken, oldest first (wire facts 6).
const SCHEMAS: [&str; 7] = [
    "Exchange2007",
    "Exchange2007_SP1",
    "Exchange2010",
    "Exchange2010_SP1",
    "Exchange2010_SP2",
    "Exchange2013",
    "Exchange2013_SP1",
];
/// Where streaming came in.
const STREAMING: usize = 3;

/// Serves a request below `/EWS/` for the user whose mailbox this is.
///
/// `subscriptions` are the server's own: a subscription is known where it was made and nowhere else (wire facts 6).
pub async fn serve<M: Mailbox>(
    version: Version,
    build: Build,
    request: &Request,
    mailbox: M,
    subscriptions: &Subscriptions,
) -> Answer {
    let mut answer = match (request.method(), request.uri().path().to_ascii_lowercase().as_str()) {
        // Wire facts 6: seen by a client.
        (&Method::GET | &Method::HEAD, "/ews/exchange.asmx") => iis::found("/EWS/Services.wsdl"),
        (&Method::GET | &Method::HEAD, "/ews/services.wsdl") => wsdl(),
        (&Method::POST, "/ews/exchange.asmx") => {
            match operate(version, build, request, mailbox, subscriptions).await {
                Ok(answer) => answer,
                Err(fault) => fault.answer(build),
            }
        }
        (_, "/ews/exchange.asmx") => iis::status(StatusCode::METHOD_NOT_ALLOWED),
        (_, "/ews/" | "/ews") => iis::forbidden(),
        _ => iis::not_found(),
    };
    correlate(request, &mut answer);
    answer
}

async fn operate<M: Mailbox>(
    version: Version,
    build: Build,
    request: &Request,
    mut mailbox: M,
    subscriptions: &Subscriptions,
) -> Result<Answer, Fault> {
    let speaks = schemas(build);
    let envelope = Element::read(request.body())?;
    if !envelope.is(SOAP, "Envelope") {
        return Err(Fault::schema("the root element is no SOAP 1.1 Envelope"));
    }
    if let Some(asked) = envelope.at(&["Header", "RequestServerVersion"]) {
        let asked = SCHEMAS.iter().position(|schema| Some(*schema) == asked.attribute("Version"));
        if asked.is_none_or(|asked| asked >= speaks) {
            let text = "The specified server version is invalid.";
            return Err(Fault { code: "ErrorInvalidServerVersion", text: text.to_owned() });
        }
    }
    let body = envelope.child("Body").ok_or_else(|| Fault::schema("the Envelope has no Body"))?;
    let operation = body.children.first().ok_or_else(|| Fault::schema("the Body is empty"))?;
    if operation.namespace != MESSAGES {
        return Err(Fault::schema("the operation is not in the namespace of messages"));
    }
    let streams = |name: &str| match version != Version::Exchange2007 && speaks > STREAMING {
        true => Ok(()),
        false => Err(Fault::schema(&format!("this server's schema has no element {name}"))),
    };
    let response = match operation.name.as_str() {
        "GetFolder" => operations::folder(operation, &mut mailbox).await?,
        "FindItem" => operations::find(operation, &mut mailbox).await?,
        "CreateItem" => operations::create(operation, &mut mailbox).await?,
        "GetUserAvailabilityRequest" => operations::availability(operation, &mut mailbox).await?,
        "Subscribe" => {
            streams("StreamingSubscriptionRequest")?;
            streaming::subscribe(operation, &mut mailbox, subscriptions).await?
        }
        "Unsubscribe" => streaming::unsubscribe(operation, &mut mailbox, subscriptions).await?,
        "GetStreamingEvents" => {
            streams("GetStreamingEvents")?;
            return streaming::events(build, operation, mailbox, subscriptions).await;
        }
        other => {
            let other: String = other.chars().take(80).collect();
            return Err(Fault::schema(&format!("{other} is no operation that is known here")));
        }
    };
    Ok(typed(StatusCode::OK, "text/xml; charset=utf-8", enveloped(build, response).document()))
}

/// How many of [`SCHEMAS`] a build speaks.
fn schemas(build: Build) -> usize {
    match (build.major, build.minor, build.build) {
        (..=8, 0, _) => 1,
        (..=13, ..) => 2,
        (14, 0, _) => 3,
        (14, 1, _) => 4,
        (14, ..) => 5,
        // Wire facts 11.1: 15.0.847 is SP1.
        (15, 0, ..847) => 6,
        _ => 7,
    }
}

/// Wire facts 6: the word for the schema that a build speaks; 2007 has none.
pub(crate) fn schema_version(build: Build) -> Option<&'static str> {
    match (build.major, build.minor, build.build) {
        (..14, ..) => None,
        (14, 0, _) => Some("Exchange2010"),
        (14, 1, _) => Some("Exchange2010_SP1"),
        (14, ..) => Some("Exchange2010_SP2"),
        (_, 0, ..775) => Some("Exchange2013"),
        // Where V2_4 ends and V2_17 begins no source says.
        (_, 0, ..995) => Some("V2_4"),
        _ => Some("V2_17"),
    }
}

/// A response in its envelope, with the build of whoever answers (wire facts 6).
fn enveloped(build: Build, response: Tag) -> Tag {
    let mut info = Tag::new("t:ServerVersionInfo")
        .attribute("MajorVersion", build.major.to_string())
        .attribute("MinorVersion", build.minor.to_string())
        .attribute("MajorBuildNumber", build.build.to_string())
        .attribute("MinorBuildNumber", build.revision.to_string());
    if let Some(version) = schema_version(build) {
        info = info.attribute("Version", version);
    }
    Tag::new("s:Envelope")
        .attribute("xmlns:s", SOAP)
        .attribute("xmlns:m", MESSAGES)
        .attribute("xmlns:t", TYPES)
        .with(Tag::new("s:Header").with(info))
        .with(Tag::new("s:Body").with(response))
}

/// A request that no operation can answer: HTTP 500.
#[derive(Debug)]
struct Fault {
    code: &'static str,
    text: String,
}

impl Fault {
    fn schema(why: &str) -> Fault {
        Fault { code: "ErrorSchemaValidation", text: format!("The request failed schema validation: {why}.") }
    }

    fn answer(self, build: Build) -> Answer {
        let detail = Tag::new("detail")
            .with(Tag::leaf("e:ResponseCode", self.code).attribute("xmlns:e", ERRORS))
            .with(Tag::leaf("e:Message", &self.text).attribute("xmlns:e", ERRORS));
        let fault = Tag::new("s:Fault")
            .with(Tag::leaf("faultcode", format!("t:{}", self.code)))
            .with(Tag::leaf("faultstring", self.text).attribute("xml:lang", "en-US"))
            .with(detail);
        let envelope = enveloped(build, fault).document();
        typed(StatusCode::INTERNAL_SERVER_ERROR, "text/xml; charset=utf-8", envelope)
    }
}

impl From<XmlError> for Fault {
    fn from(error: XmlError) -> Fault {
        Fault::schema(&error.to_string())
    }
}

/// Why one part of an operation failed: written into its response, HTTP 200.
#[derive(Debug)]
struct Failure {
    code: &'static str,
    text: String,
}

impl Failure {
    fn new(code: &'static str, text: &str) -> Failure {
        Failure { code, text: text.to_owned() }
    }
}

impl From<Unreachable> for Failure {
    fn from(why: Unreachable) -> Failure {
        let code = match why {
            Unreachable::Unknown => "ErrorNonExistentMailbox",
            Unreachable::Rpc(_) => "ErrorMailboxStoreUnavailable",
        };
        Failure { code, text: why.to_string() }
    }
}

/// A response message: what was asked for, or why not.
fn message(name: &'static str, result: Result<Vec<Tag>, Failure>) -> Tag {
    let success = |class, code: &str| (Tag::new(name).attribute("ResponseClass", class), code.to_owned());
    match result {
        Ok(content) => {
            let (tag, code) = success("Success", "NoError");
            tag.with(Tag::leaf("m:ResponseCode", code)).with_all(content)
        }
        Err(failure) => {
            let (tag, code) = success("Error", failure.code);
            tag.with(Tag::leaf("m:MessageText", failure.text))
                .with(Tag::leaf("m:ResponseCode", code))
                .with(Tag::leaf("m:DescriptiveLinkKey", "0"))
        }
    }
}

/// `request-id`, and the client's own where it wants it back (wire facts 6).
fn correlate(request: &Request, answer: &mut Answer) {
    let text = |name| request.headers().get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let wanted = text("return-client-request-id").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if let (true, Some(id)) = (wanted, text("client-request-id")) {
        add(answer, HeaderName::from_static("client-request-id"), id);
    }
    add(answer, http::header::CACHE_CONTROL, "private");
}

/// The service's description, as far as anybody asked for it so far: its name and nothing else.
fn wsdl() -> Answer {
    let root = Tag::new("wsdl:definitions")
        .attribute("xmlns:wsdl", "http://schemas.xmlsoap.org/wsdl/")
        .attribute("targetNamespace", MESSAGES);
    typed(StatusCode::OK, "text/xml", root.document())
}

#[cfg(test)]
mod tests;
