//! An Offline Address Book as it is downloaded: the manifest and the files that it names, in ranges.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use crate::answer::{Answer, Body, Request};
use crate::iis::{self, typed};
use crate::xml::Tag;

/// How long the address list's file is, in bytes.
const LIST: usize = 64 * 1024;
/// How long the template's file is, in bytes.
const TEMPLATE: usize = 4 * 1024;
/// Deterministic content has a deterministic age.
const MODIFIED: &str = "Sun, 22 Nov 2026 00:00:00 GMT";

/// Serves `/OAB/<guid>/oab.xml` and the files beside it, for the one address book that is meant.
///
/// The content follows from its name and GUID alone, so every distribution point serves the same bytes.
pub fn serve(request: &Request, oab_name: &str, oab_guid: &str) -> Answer {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut answer = iis::status(StatusCode::METHOD_NOT_ALLOWED);
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    let path = request.uri().path().to_ascii_lowercase();
    let Some(file) = path
        .strip_prefix("/oab/")
        .and_then(|rest| rest.strip_prefix(&oab_guid.to_ascii_lowercase()))
        .and_then(|rest| rest.strip_prefix('/'))
    else {
        return iis::not_found();
    };
    let (content_type, content) = match file {
        // A directory's listing is denied.
        "" => return iis::forbidden(),
        "oab.xml" => ("text/xml", manifest(oab_name, oab_guid)),
        file if file == list_file(oab_guid) => ("application/octet-stream", content(oab_name, file, LIST)),
        file if file == template_file(oab_guid) => {
            ("application/octet-stream", content(oab_name, file, TEMPLATE))
        }
        _ => return iis::not_found(),
    };
    // Content that follows from its name needs no digest of its own.
    let tag = format!("\"{:016x}:0\"", digest(format!("{oab_name}/{file}").as_bytes()));
    let mut answer = ranged(request, content_type, content, &tag);
    let headers = answer.headers_mut();
    headers
        .insert(header::ETAG, HeaderValue::from_str(&tag).expect("hexadecimal digits are a header's value"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::LAST_MODIFIED, HeaderValue::from_static(MODIFIED));
    answer
}

/// Wire facts 7. Without `SHA`, which would need a SHA-1.
fn manifest(name: &str, guid: &str) -> Bytes {
    let guid = guid.to_ascii_lowercase();
    let file = |tag, name: String, size: usize| {
        Tag::leaf(tag, name)
            .attribute("seq", "1")
            .attribute("ver", "32")
            .attribute("size", size.to_string())
            .attribute("uncompressedsize", (size * 2).to_string())
    };
    Tag::new("OAB")
        .with(
            Tag::new("OAL")
                .attribute("id", guid.clone())
                .attribute("dn", "/")
                .attribute("name", format!("\\{name}"))
                .with(file("Full", list_file(&guid), LIST))
                .with(
                    file("Template", template_file(&guid), TEMPLATE)
                        .attribute("langid", "0409")
                        .attribute("type", "windows"),
                ),
        )
        .document()
}

fn list_file(guid: &str) -> String {
    format!("{}-data-1.lzx", guid.to_ascii_lowercase())
}

fn template_file(guid: &str) -> String {
    format!("{}-lng0409-1.lzx", guid.to_ascii_lowercase())
}

/// Bytes that follow from the names: xorshift64*, seeded with their FNV-1a.
fn content(name: &str, file: &str, length: usize) -> Bytes {
    let mut state = digest(format!("{name}/{file}").as_bytes()) | 1;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

/// FNV-1a, 64 bits.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The whole of it or the part that was asked for (RFC 9110, sections 13 and 14).
fn ranged(request: &Request, content_type: &'static str, content: Bytes, tag: &str) -> Answer {
    let headers = request.headers();
    let all = content.len();
    if text(headers, header::IF_NONE_MATCH).is_some_and(|tags| names(tags, tag)) {
        let mut answer = Answer::new(Body::empty());
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        return answer;
    }
    if text(headers, header::IF_MATCH).is_some_and(|tags| !names(tags, tag)) {
        return iis::status(StatusCode::PRECONDITION_FAILED);
    }
    let same = text(headers, header::IF_RANGE).is_none_or(|held| held == tag || held == MODIFIED);
    let range = match text(headers, header::RANGE).filter(|_| same) {
        Some(asked) => read_range(asked, all),
        None => Range::Whole,
    };
    let (status, part, says) = match range {
        Range::Whole => (StatusCode::OK, content, None),
        Range::Part(from, to) => {
            (StatusCode::PARTIAL_CONTENT, content.slice(from..=to), Some(format!("bytes {from}-{to}/{all}")))
        }
        Range::Beyond => (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new(), Some(format!("bytes */{all}"))),
    };
    let length = part.len();
    let body = if request.method() == Method::HEAD { Bytes::new() } else { part };
    let mut answer = typed(status, content_type, body);
    answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(says) = says {
        let says = HeaderValue::from_str(&says).expect("a range is a header's value");
        answer.headers_mut().insert(header::CONTENT_RANGE, says);
    }
    answer
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn names(tags: &str, tag: &str) -> bool {
    tags.split(',').any(|one| one.trim() == "*" || one.trim().trim_start_matches("W/") == tag)
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// None asked for, several, or one that is not understood: all of it.
    Whole,
    /// From and to, both included.
    Part(usize, usize),
    /// Nothing of it exists.
    Beyond,
}

fn read_range(asked: &str, all: usize) -> Range {
    let Some((first, last)) = asked.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Range::Whole;
    };
    let number = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        // What is too large for a number is too large for a file.
        true => Some(text.parse::<usize>().unwrap_or(usize::MAX)),
        false => None,
    };
    match (number(first.trim()), number(last.trim()), last.trim().is_empty()) {
        (Some(from), Some(to), _) if from > to => Range::Whole,
        (Some(from), _, _) if from >= all && (last.trim().is_empty() || number(last.trim()).is_some()) => {
            Range::Beyond
        }
        (Some(from), Some(to), _) => Range::Part(from, to.min(all - 1)),
        (Some(from), None, true) => Range::Part(from, all - 1),
        (None, Some(0), _) if first.trim().is_empty() => Range::Beyond,
        (None, Some(count), _) if first.trim().is_empty() => Range::Part(all - count.min(all), all - 1),
        _ => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "5E3F1D2A-0000-4000-8000-0000000000AB";

    fn ask(method: Method, path: &str, range: Option<&str>) -> (u16, HeaderMap, Bytes) {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        if let Some(range) = range {
            request.headers_mut().insert("range", range.parse().unwrap());
        }
        let (parts, body) = serve(&request, "oab-s1", GUID).into_parts();
        let Body::Whole(body) = body else { panic!("a file is whole") };
        (parts.status.as_u16(), parts.headers, body)
    }

    /// Wire facts 7.
    #[test]
    fn the_manifest_names_the_address_book_and_files_that_exist() {
        let (status, _, body) = ask(Method::GET, &format!("/oab/{GUID}/OAB.xml"), None);
        let root = crate::xml::Element::read(&body).unwrap();
        let list = root.child("OAL").unwrap();
        assert_eq!((status, list.attribute("name")), (200, Some("\\oab-s1")));
        for file in &list.children {
            let (status, headers, body) = ask(Method::GET, &format!("/OAB/{GUID}/{}", file.text), None);
            assert_eq!(status, 200);
            assert_eq!(file.attribute("size"), Some(body.len().to_string().as_str()));
            assert_eq!(headers["content-length"], body.len().to_string().as_str());
        }
        assert_eq!(list.children.len(), 2);
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let path = format!("/OAB/{GUID}/{}", list_file(GUID));
        let (_, whole_headers, whole) = ask(Method::GET, &path, None);
        let (status, headers, first) = ask(Method::GET, &path, Some("bytes=0-9999"));
        assert_eq!((status, &headers["content-range"]), (206, &"bytes 0-9999/65536".parse().unwrap()));
        let (_, _, rest) = ask(Method::GET, &path, Some("bytes=10000-"));
        assert_eq!([first, rest].concat(), whole);
        let (_, _, tail) = ask(Method::GET, &path, Some("bytes=-5"));
        assert_eq!(tail, whole.slice(65531..));
        let (status, headers, body) = ask(Method::HEAD, &path, None);
        assert_eq!((status, body.len(), &headers["content-length"]), (200, 0, &"65536".parse().unwrap()));
        assert_eq!(headers["etag"], whole_headers["etag"]);
        assert_eq!(headers["accept-ranges"], "bytes");
    }

    /// RFC 9110, section 14.
    #[test]
    fn a_range_is_read_as_the_standard_says() {
        assert_eq!(read_range("bytes=9-", 10), Range::Part(9, 9));
        assert_eq!(read_range("bytes=0-99999999999999999999999", 10), Range::Part(0, 9));
        assert_eq!(read_range("bytes=10-", 10), Range::Beyond);
        assert_eq!(read_range("bytes=-0", 10), Range::Beyond);
        assert_eq!(read_range("bytes=-99", 10), Range::Part(0, 9));
        for ignored in ["bytes=5-4", "bytes=0-1,3-4", "bytes=-", "bytes=x-4", "lines=0-1", "bytes=+1-2"] {
            assert_eq!(read_range(ignored, 10), Range::Whole, "{ignored}");
        }
        let (status, headers, _) = ask(Method::GET, &format!("/OAB/{GUID}/oab.xml"), Some("bytes=99999-"));
        assert_eq!(status, 416);
        assert!(headers["content-range"].to_str().unwrap().starts_with("bytes */"));
    }

    #[test]
    fn another_address_book_is_not_found() {
        assert_eq!(ask(Method::GET, "/OAB/00000000-0000-4000-8000-000000000000/oab.xml", None).0, 404);
        assert_eq!(ask(Method::GET, &format!("/OAB/{GUID}/other.lzx"), None).0, 404);
        assert_eq!(ask(Method::GET, &format!("/OAB/{GUID}x/oab.xml"), None).0, 404);
        assert_eq!(ask(Method::GET, &format!("/OAB/{GUID}/"), None).0, 403);
        assert_eq!(ask(Method::POST, &format!("/OAB/{GUID}/oab.xml"), None).0, 405);
    }
}
