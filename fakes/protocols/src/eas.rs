//! Exchange ActiveSync as a server of each version speaks it: [MS-ASHTTP], [MS-ASCMD], [MS-ASPROV].
//!
//! Served: OPTIONS, Provision, FolderSync, Sync of the inbox, SendMail, Ping. Sync keys and policy keys say by themselves
//! what they stand for, so that any server of a site can go on where another stopped, as where the mailbox keeps them.
//! Absent: every other command (501), folders' contents but the inbox's, dates, changes made by the device, quoted or
//! encoded text in what it sends, WAP policies (devices below 12.0).

mod clock;
mod commands;
mod device;
mod mail;
mod provision;
mod request;
#[cfg(test)]
mod tests;

pub use device::DeviceState;
pub use request::{Command, EasError, EasRequest, Protocol};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use model::version::{Build, Version};

use crate::answer::{Answer, Body, Request};
use crate::iis::Reason;
use crate::mailbox::Mailbox;
use crate::wbxml::{Element, MAX_BYTES};

/// The media type of every WBXML body, [MS-ASHTTP] 2.2.1.1.2.2.
pub const WBXML: &str = "application/vnd.ms-sync.wbxml";

/// Wire facts 2.1, MS-ASProtocolCommands; one list for all versions.
const COMMANDS: &str = "Sync,SendMail,SmartForward,SmartReply,GetAttachment,GetHierarchy,CreateCollection,\
    DeleteCollection,MoveCollection,FolderSync,FolderCreate,FolderDelete,FolderUpdate,MoveItems,GetItemEstimate,\
    MeetingResponse,Search,Settings,Ping,ItemOperations,Provision,ResolveRecipients,ValidateCert";

/// Serves a request whose mailbox is known and open. Ping is answered when there is something to say, or after its
/// heartbeat.
pub async fn serve<M: Mailbox>(
    version: Version,
    build: Build,
    request: &Request,
    mailbox: M,
    state: &DeviceState,
) -> Answer {
    if request.method() == Method::OPTIONS {
        return options(version, build);
    }
    let mut answer = match read(version, build, request) {
        Ok(read) => commands::answer(version, build, &read, request, mailbox, state).await,
        Err(answer) => answer,
    };
    let (product, cache) = (product(build), HeaderValue::from_static("private"));
    answer.headers_mut().insert("ms-server-activesync", product);
    answer.headers_mut().insert(CACHE_CONTROL, cache);
    answer
}

/// The answer to OPTIONS: what the server speaks (wire facts 2.1).
pub fn options(version: Version, build: Build) -> Answer {
    let mut answer = bare(StatusCode::OK);
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    headers.insert(ALLOW, HeaderValue::from_static("OPTIONS,POST"));
    headers.insert("ms-server-activesync", product(build));
    headers.insert("ms-asprotocolversions", HeaderValue::from_static(versions(version, build)));
    headers.insert("ms-asprotocolcommands", HeaderValue::from_static(COMMANDS));
    headers.insert("public", HeaderValue::from_static("OPTIONS,POST"));
    answer
}

/// The answer that sends a device to another namespace, or without a location to Autodiscover (wire facts 2.2). Its
/// reason phrase is empty.
pub fn http451(location: Option<&str>) -> Answer {
    let code = StatusCode::from_u16(451).expect("451 is a status code");
    let mut answer = bare(code);
    answer.extensions_mut().insert(Reason(String::new()));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    if let Some(location) = location.and_then(|location| HeaderValue::from_str(location).ok()) {
        answer.headers_mut().insert("x-ms-location", location);
    }
    answer
}

/// The answer to a device that may not synchronise here and cannot be sent elsewhere (rule X-EAS-2).
pub fn forbidden() -> Answer {
    let mut answer = bare(StatusCode::FORBIDDEN);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    answer
}

fn read(version: Version, build: Build, request: &Request) -> Result<EasRequest, Answer> {
    // A browser's GET finds nothing that the server implements.
    if request.method() != Method::POST {
        return Err(bare(StatusCode::NOT_IMPLEMENTED));
    }
    let read = EasRequest::read(request).map_err(|error| match error {
        EasError::UnknownCommand(_) => bare(StatusCode::NOT_IMPLEMENTED),
        _ => bare(StatusCode::BAD_REQUEST),
    })?;
    let spoken = read.protocol.to_string();
    if request.body().len() > MAX_BYTES || !versions(version, build).split(',').any(|known| known == spoken) {
        return Err(bare(StatusCode::BAD_REQUEST));
    }
    Ok(read)
}

/// MS-ASProtocolVersions: 12.1 came with 2007 SP1, 14.1 with 2010 SP1 (wire facts 2.1).
fn versions(version: Version, build: Build) -> &'static str {
    match (version, build.minor) {
        (Version::Exchange2007, 0) => "1.0,2.0,2.1,2.5,12.0",
        (Version::Exchange2007, _) => "1.0,2.0,2.1,2.5,12.0,12.1",
        (Version::Exchange2010, 0) => "2.0,2.1,2.5,12.0,12.1,14.0",
        (Version::Exchange2010 | Version::Exchange2013, _) => "2.0,2.1,2.5,12.0,12.1,14.0,14.1",
    }
}

/// MS-Server-ActiveSync in its short form, `14.3` (wire facts 2.1).
fn product(build: Build) -> HeaderValue {
    HeaderValue::from_str(&format!("{}.{}", build.major, build.minor)).expect("digits and a dot")
}

fn bare(status: StatusCode) -> Answer {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

fn document(root: &Element) -> Answer {
    let mut answer = Response::new(Body::Whole(Bytes::from(root.encode())));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(WBXML));
    answer
}
