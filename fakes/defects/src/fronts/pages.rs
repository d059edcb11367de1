//! Answers that are rewritten: Autodiscover answers, pages that submit themselves, error pages, encodings.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode, response};
use hyper::ext::ReasonPhrase;
use model::Protocol;
use reference::ports::Asked;

use super::Lie;

pub(super) const LIES: &[(&str, Lie)] = &[
    ("hands-out-one-name", Lie::Page(is_autodiscover_answer, hands_out_one_name)),
    ("drops-second-exhttp", Lie::Page(is_autodiscover_answer, drops_second_exhttp)),
    ("exhttp-for-all", Lie::Page(is_autodiscover_answer, exhttp_for_all)),
    ("breaks-special-characters", Lie::Page(is_page, breaks_special_characters)),
    ("password-in-url", Lie::Page(is_page, password_in_url)),
    ("asks-private-or-public", Lie::Page(is_logon_page, other_question)),
    ("replaces-soap-fault", Lie::Page(is_soap_fault, own_page)),
    ("451-as-error-page", Lie::Page(is_451, error_page)),
    ("compresses-again", Lie::Page(is_document, compressed)),
];

fn media_type(head: &response::Parts) -> &str {
    head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn is_autodiscover_answer(asked: &Asked, head: &response::Parts) -> bool {
    asked.protocol == Some(Protocol::Autodiscover) && head.status == StatusCode::OK
}

/// Every host of the domain becomes `mail`.
fn hands_out_one_name(asked: &Asked, _: &mut response::Parts, body: &[u8]) -> Option<Vec<u8>> {
    let (_, domain) = asked.host.as_ref()?.as_str().split_once('.')?;
    let (end, mail) = (format!(".{domain}"), format!("mail.{domain}"));
    let text = std::str::from_utf8(body).ok()?;
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let mut one_name = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let name = rest.len() - rest.trim_start_matches(in_name).len();
        let (word, after) = rest.split_at(if name > 0 { name } else { rest.chars().next()?.len_utf8() });
        one_name.push_str(if word.ends_with(&end) { &mail } else { word });
        rest = after;
    }
    (one_name != text).then(|| one_name.into_bytes())
}

const EXHTTP: &str = "<Protocol><Type>EXHTTP</Type>";

/// The internal block alone stays.
fn drops_second_exhttp(_: &Asked, _: &mut response::Parts, body: &[u8]) -> Option<Vec<u8>> {
    const END: &str = "</Protocol>";
    let text = std::str::from_utf8(body).ok()?;
    let (first, last) = (text.find(EXHTTP)?, text.rfind(EXHTTP)?);
    let end = last + text[last..].find(END)? + END.len();
    (first < last).then(|| format!("{}{}", &text[..last], &text[end..]).into_bytes())
}

/// One for `mail` in an answer of an older server.
fn exhttp_for_all(asked: &Asked, _: &mut response::Parts, body: &[u8]) -> Option<Vec<u8>> {
    let (_, domain) = asked.host.as_ref()?.as_str().split_once('.')?;
    let text = std::str::from_utf8(body).ok().filter(|text| !text.contains(EXHTTP))?;
    let block = format!(
        "{EXHTTP}<Server>mail.{domain}</Server><SSL>On</SSL><AuthPackage>Ntlm</AuthPackage></Protocol></Account>"
    );
    text.contains("<Type>EXPR</Type>").then(|| text.replacen("</Account>", &block, 1).into_bytes())
}

fn is_page(_: &Asked, head: &response::Parts) -> bool {
    head.status == StatusCode::OK && media_type(head).starts_with("text/html")
}

fn is_logon_page(asked: &Asked, head: &response::Parts) -> bool {
    is_page(asked, head) && asked.target.to_ascii_lowercase().starts_with("/owa/auth/logon.aspx")
}

/// Asks where it does not, and does not where it asks.
fn other_question(_: &Asked, _: &mut response::Parts, body: &[u8]) -> Option<Vec<u8>> {
    const UNASKED: &str = "<input type=\"hidden\" name=\"trusted\" value=\"4\">";
    const ASKED: &str = "<input type=\"radio\" name=\"trusted\" value=\"0\" checked>\
                         <input type=\"radio\" name=\"trusted\" value=\"4\">";
    const RADIO: &str = "type=\"radio\"";
    let page = std::str::from_utf8(body).ok()?;
    match page.contains(RADIO) {
        // Of several fields of one name the browser sends each, and the first counts.
        true => Some(page.replace(RADIO, "type=\"hidden\"").into_bytes()),
        false => page.contains(UNASKED).then(|| page.replace(UNASKED, ASKED).into_bytes()),
    }
}

/// The form of a silent redirect: a page that submits itself, with the password in it.
fn is_silent_form(page: &str) -> bool {
    page.contains("document.forms[0].submit()") && page.contains("name=\"password\"")
}

fn unescaped(text: &str) -> String {
    let entities =
        [("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign))
}

fn breaks_special_characters(_: &Asked, _: &mut response::Parts, body: &[u8]) -> Option<Vec<u8>> {
    let page = std::str::from_utf8(body).ok().filter(|page| is_silent_form(page))?;
    let broken = unescaped(page);
    (broken != page).then(|| broken.into_bytes())
}

fn password_in_url(_: &Asked, head: &mut response::Parts, body: &[u8]) -> Option<Vec<u8>> {
    let page = std::str::from_utf8(body).ok().filter(|page| is_silent_form(page))?;
    let after = |text: &str, before: &str| {
        let (_, rest) = text.split_once(before)?;
        Some(unescaped(rest.split('"').next()?))
    };
    let action = after(page, "action=\"")?;
    let field = |name: &str| after(page, &format!("name=\"{name}\" value=\""));
    let encoded = |text: String| -> String {
        text.bytes()
            .map(|byte| match byte.is_ascii_alphanumeric() {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            })
            .collect()
    };
    let query = format!("username={}&password={}", encoded(field("username")?), encoded(field("password")?));
    head.status = StatusCode::FOUND;
    head.headers.insert(LOCATION, HeaderValue::from_str(&format!("{action}?{query}")).ok()?);
    Some(vec![])
}

fn is_soap_fault(asked: &Asked, head: &response::Parts) -> bool {
    asked.protocol == Some(Protocol::Ews) && head.status == StatusCode::INTERNAL_SERVER_ERROR
}

fn own_page(_: &Asked, head: &mut response::Parts, _: &[u8]) -> Option<Vec<u8>> {
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    Some(b"<html><body><h1>Something went wrong</h1></body></html>".to_vec())
}

fn is_451(_: &Asked, head: &response::Parts) -> bool {
    head.status.as_u16() == 451
}

/// A proxy that cannot make sense of a status line says so, and leaves out where to go.
fn error_page(asked: &Asked, head: &mut response::Parts, body: &[u8]) -> Option<Vec<u8>> {
    head.status = StatusCode::BAD_GATEWAY;
    head.extensions.remove::<ReasonPhrase>();
    head.headers.remove("x-ms-location");
    own_page(asked, head, body)
}

fn is_document(_: &Asked, head: &response::Parts) -> bool {
    let kind = media_type(head);
    head.status == StatusCode::OK
        && !head.headers.contains_key(CONTENT_ENCODING)
        && (kind.starts_with("text/xml") || kind.starts_with("application/vnd.ms-sync"))
}

fn compressed(_: &Asked, head: &mut response::Parts, body: &[u8]) -> Option<Vec<u8>> {
    if body.is_empty() {
        return None;
    }
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Some(gzip(body))
}

/// A gzip member of stored blocks (RFC 1952, RFC 1951 section 3.2.4): it need not be small to be unasked for.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
    let blocks = body.chunks(usize::from(u16::MAX));
    let last = blocks.len().saturating_sub(1);
    for (number, block) in blocks.enumerate() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(number == last));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out.extend(crc32(body).to_le_bytes());
    out.extend((body.len() as u32).to_le_bytes());
    out
}

/// RFC 1952, section 8.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg()))
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gzip_member_ends_with_the_check_value_of_its_standard() {
        // The check value of CRC-32/ISO-HDLC over the nine digits.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        let member = gzip(b"123456789");
        assert_eq!(member[10..15], [1, 9, 0, 0xF6, 0xFF]);
        assert_eq!(member[24..28], 0xCBF4_3926_u32.to_le_bytes());
    }
}
