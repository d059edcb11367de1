//! What nobody but its owner may read, left out of what is written: passwords and tickets where a program of others may have
//! said them, and what cookies hold. The judge sees all of it; files do not.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clients::percent;
use directory::Directory;
use ledger::Arrival;

/// What stands in the place of a secret.
const LEFT_OUT: &str = "(redacted)";
/// By how many bytes of their beginning secrets are looked up.
const KEY: usize = 3;

/// The passwords and tickets of a lab, in every form in which they travel.
#[derive(Default)]
pub(super) struct Secrets(HashMap<[u8; KEY], Vec<String>>);

impl Secrets {
    /// Those that there are by now.
    pub(super) fn of(directory: &Directory) -> Secrets {
        let mut secrets = Secrets::default();
        let service = directory.service();
        secrets.add_password(&service.password, &[service.user]);
        for account in directory.accounts() {
            secrets.add_password(&account.password, &account.forms());
        }
        directory.tickets().into_iter().for_each(|ticket| secrets.add(ticket));
        secrets
    }

    /// As it was typed, in a form, and in Basic with each name of its owner (RFC 7617).
    fn add_password(&mut self, password: &str, names: &[String]) {
        for name in names {
            self.add(STANDARD.encode(format!("{name}:{password}")));
        }
        self.add(percent(password));
        self.add(password.to_owned());
    }

    fn add(&mut self, word: String) {
        if let Some(key) = word.as_bytes().first_chunk::<KEY>() {
            self.0.entry(*key).or_default().push(word);
        }
    }

    /// A text without them.
    pub(super) fn left_out_of(&self, text: &str) -> String {
        let mut written = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let key = rest.as_bytes().first_chunk::<KEY>();
            let words = key.and_then(|key| self.0.get(key)).into_iter().flatten();
            // Of two that begin here the longer one: a name's mark may be the beginning of another's.
            let word = words.filter(|word| rest.starts_with(word.as_str())).max_by_key(|word| word.len());
            let read = word.map_or(first.len_utf8(), String::len);
            written.push_str(if word.is_some() { LEFT_OUT } else { &rest[..read] });
            rest = &rest[read..];
        }
        written
    }
}

/// An arrival as a line of `ledger.jsonl`: of cookies the names alone, since a session's value is as good as a password.
pub fn line(arrival: &Arrival) -> Option<String> {
    let head = without_cookies(&arrival.head);
    serde_json::to_string(&Arrival { head, ..arrival.clone() }).ok()
}

fn without_cookies(head: &str) -> String {
    let lines = head.split("\r\n").map(|line| match line.split_once(':') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("cookie") => {
            let name_alone =
                |pair: &str| format!("{}={LEFT_OUT}", pair.split('=').next().unwrap_or_default().trim());
            format!("{name}: {}", value.split(';').map(name_alone).collect::<Vec<_>>().join("; "))
        }
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\r\n")
}

#[cfg(test)]
mod tests {
    use model::journal::Order;
    use model::problem::Source;
    use model::topology::TopologyFiles;

    use super::super::{Desk, Mark, Span};
    use super::*;

    #[test]
    fn a_password_is_left_out_as_typed_in_a_form_and_in_basic() {
        let mut secrets = Secrets::default();
        secrets.add_password("Pa&ss-1", &["CONTOSO\\red".to_owned()]);
        secrets.add("Q09FWElTVA==".to_owned());
        let log = "typed Pa&ss-1, posted password=Pa%26ss-1&x, Basic Q09OVE9TT1xyZWQ6UGEmc3MtMQ==, Negotiate Q09FWElTVA==, Pa";
        assert_eq!(
            secrets.left_out_of(log),
            "typed (redacted), posted password=(redacted)&x, Basic (redacted), Negotiate (redacted), Pa"
        );
    }

    /// A program of others may say anything.
    #[test]
    fn a_log_is_copied_without_what_the_lab_gave_out() {
        let work = std::env::temp_dir().join(format!("coexist-secrets-{}", std::process::id()));
        std::fs::create_dir_all(work.join("logs")).unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../topologies/coexistence.toml");
        let file = Source::new(path, std::fs::read_to_string(path).unwrap());
        let directory = Directory::new(TopologyFiles::base(file).build(&Default::default()).unwrap());
        let service = directory.service();
        let ticket =
            directory.issue(Some((&service.user, &service.password)), "red", "HTTP/x.contoso.com").unwrap();
        let said = format!("I am {} with {}; Negotiate {ticket}\n", service.user, service.password);
        std::fs::write(work.join("logs/subject.log"), said).unwrap();
        let mut desk = Desk::new(&work, &work, &ledger::Ledger::default(), String::new());
        desk.directory = Some(directory);
        let span = Span { began: Mark { order: Order(0), log: 0 }, ended: None };
        let copied = desk.log(&"coexistence/owa/red".parse().unwrap(), span, desk.mark());
        std::fs::remove_dir_all(&work).unwrap();
        let wanted = format!("\nI am {} with (redacted); Negotiate (redacted)\n", service.user);
        assert!(copied.ends_with(&wanted), "{copied}");
    }

    #[test]
    fn of_cookies_the_names_are_left() {
        let head = "GET / HTTP/1.1\r\ncOOKIE: cadata=a=b; UserContext=c\r\nHost: x:443\r\n\r\n";
        assert_eq!(
            without_cookies(head),
            "GET / HTTP/1.1\r\ncOOKIE: cadata=(redacted); UserContext=(redacted)\r\nHost: x:443\r\n\r\n"
        );
    }
}
