//! A lab written down for an existing engine: every server a container of the released image, and a runner among them.
//!
//! Nothing is built or pulled but that image, nothing runs with rights, and what the lab makes, its keys among it, is in memory
//! that goes with the containers: on one machine they share it, and on several each has its own.

mod compose;
mod kubernetes;

use std::net::IpAddr;

pub use compose::compose;
pub use kubernetes::{Cluster, Pod, READ, RESOLVER, ROLL, TOPOLOGY, kubernetes};

/// Where containers have what the lab makes; where they share it, the runner's door is there, and what says where everybody is.
pub const SHARED: &str = "/coexist-run";
/// Whom the released image runs as.
const USER: u32 = 65532;

/// A lab whose containers are to share a machine.
#[derive(Debug, Clone)]
pub struct Lab {
    /// What it is called.
    pub name: String,
    /// The released image.
    pub image: String,
    /// The addresses of the inside, `198.18.8.0/22`.
    pub inside: String,
    /// And of the outside.
    pub outside: String,
    /// The runner: clients, directory, DNS, ledger and judge.
    pub runner: Container,
    /// Every server.
    pub servers: Vec<Container>,
    /// What the runner reads of where everybody is, as JSON.
    pub layout: String,
    /// The topology's file, where it is none of the image's own.
    pub topology: Option<String>,
}

/// A container of a lab.
#[derive(Debug, Clone)]
pub struct Container {
    /// Its name: the server's.
    pub name: String,
    /// What the image's program is told.
    pub command: Vec<String>,
    /// Its address inside.
    pub inside: IpAddr,
    /// And outside, where it has one.
    pub outside: Option<IpAddr>,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// All of it.
    pub text: String,
    /// Whether it is for its owner alone.
    pub private: bool,
}

/// A list of strings as YAML takes it in a line; so quoted, none is anything but a string (YAML 1.2, 7.3.1).
fn flow<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    let quoted = words.into_iter().map(|word| quoted(word));
    format!("[{}]", quoted.collect::<Vec<_>>().join(", "))
}

fn quoted(word: &str) -> String {
    let mut text = String::from('"');
    for letter in word.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            letter if letter.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => text.push(letter),
        }
    }
    text.push('"');
    text
}

/// A text as a block of YAML, so far in.
fn block(text: &str, spaces: usize) -> String {
    let line = |line: &str| match line.is_empty() {
        true => "\n".to_owned(),
        false => format!("{:spaces$}{line}\n", ""),
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, command: &[&str], inside: &str, outside: Option<&str>) -> Container {
        Container {
            name: name.to_owned(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            inside: inside.parse().unwrap(),
            outside: outside.map(|address| address.parse().unwrap()),
        }
    }

    /// Two servers, of which one is published.
    pub(super) fn lab() -> Lab {
        let door = ["--door", "/coexist-run/door.sock"];
        let server = |name| [&["server", name][..], &door].concat();
        Lab {
            name: "small".to_owned(),
            image: "coexist".to_owned(),
            inside: "198.18.8.0/22".to_owned(),
            outside: "198.18.12.0/24".to_owned(),
            runner: container("runner", &["e2e", "--topology", "small"], "198.18.8.2", Some("198.18.12.2")),
            servers: vec![
                container("cas2010-s1", &server("cas2010-s1"), "198.18.9.10", Some("198.18.12.10")),
                container("mbx2010-s1", &server("mbx2010-s1"), "198.18.9.11", None),
            ],
            layout: "{\"own\":{\"inside\":\"198.18.8.2\"}}".to_owned(),
            topology: Some("role = \"front-end-2010\"\n\n[sites]\n".to_owned()),
        }
    }

    #[test]
    fn whatever_a_word_holds_it_stays_one_string() {
        assert_eq!(quoted("a \"b\" \\ c: # - {\n"), r#""a \"b\" \\ c: # - {\u000a""#);
        assert_eq!(flow(&["yes".to_owned(), "1".to_owned()]), r#"["yes", "1"]"#);
    }
}
