//! A request as bytes: placeholders filled, Host and framing added.

use model::HostName;
use model::case::{Framing, Send, spelled_out};

use super::host_line;
use crate::network::Person;
use crate::session::{basic, percent};

/// The bytes of a body, framed.
pub(super) struct Body {
    bytes: Vec<u8>,
    chunked: bool,
}

impl Body {
    /// The bytes between two places, on their way.
    pub(super) fn part(&self, from: u64, to: u64) -> Vec<u8> {
        let part = self.bytes.get(from as usize..to as usize).unwrap_or_default();
        match self.chunked && !part.is_empty() {
            true => [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat(),
            false => part.to_vec(),
        }
    }

    /// All from a place on, with the end.
    pub(super) fn rest(&self, from: u64) -> Vec<u8> {
        let mut rest = self.part(from, self.bytes.len() as u64);
        if self.chunked {
            rest.extend_from_slice(b"0\r\n\r\n");
        }
        rest
    }
}

/// Head and body.
pub(super) fn request(send: &Send, target: &str, host: &HostName, person: &Person) -> (Vec<u8>, Body) {
    let bytes = send.body.as_ref().map(model::case::Payload::bytes).unwrap_or_default();
    let names_host = |line: &String| {
        line.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("host"))
    };
    let mut lines = vec![];
    if !send.lines.iter().any(names_host) {
        lines.push(host_line(host));
    }
    lines.extend(send.lines.iter().map(|line| filled(line, person, false)));
    match send.framing {
        Some(Framing::Length) => lines.push(format!("Content-Length: {}", bytes.len())),
        Some(Framing::Chunked) => lines.push("Transfer-Encoding: chunked".to_owned()),
        Some(Framing::AsWritten) | None => {}
    }
    let head = format!("{} {target} HTTP/1.1\r\n{}\r\n\r\n", send.verb, lines.join("\r\n"));
    (head.into_bytes(), Body { bytes, chunked: send.framing == Some(Framing::Chunked) })
}

/// A text with its placeholders filled.
pub(super) fn filled(text: &str, person: &Person, in_a_url: bool) -> String {
    let text = &spelled_out(text);
    let put = |text: String, name: &str, value: &str| {
        let value = if in_a_url { percent(value) } else { value.to_owned() };
        text.replace(name, &value)
    };
    let text = put(text.to_owned(), "{basic}", &basic(&person.account, &person.password));
    let text = put(text, "{account}", &person.account);
    let text = put(text, "{address}", &person.address);
    let text = put(text, "{device}", &person.device_id);
    put(text, "{password}", &person.password)
}
