//! Where a station finds the runner's door, and how it gets there though the runner may start later.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ledger::way::{Carries, Way, Word, greet};
use tokio::net::{TcpSocket, TcpStream};

use super::lively::lively;
use super::station::StationError;
use crate::clock;

/// What stands before a port.
const PORT: &str = "tcp://";

/// Where the runner's door is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doorway {
    /// A socket in a folder that both see.
    Socket(PathBuf),
    /// A port of the runner's, whose name is looked up again at each attempt: until it is there it may lead nowhere.
    Port {
        /// Its name or address.
        host: String,
        /// The port.
        port: u16,
        /// What lets in there.
        word: Word,
    },
}

/// A door that was reached.
pub(super) struct Reached {
    pub(super) stream: Box<dyn Carries>,
    /// How to come again, whatever the name leads to by then.
    pub(super) way: Way,
}

impl Doorway {
    /// Reads a path or `tcp://HOST:PORT`, to which belongs a word.
    ///
    /// # Errors
    /// No port, or no word for one: what is wrong, and what is right.
    pub fn read(given: &str, word: Option<Word>) -> Result<Doorway, String> {
        let Some(rest) = given.strip_prefix(PORT) else { return Ok(Doorway::Socket(given.into())) };
        let wrong = || format!("`{given}` is no port of a runner; right is `{PORT}coexist-runner:8070`");
        let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = port.parse().ok().filter(|_| !host.is_empty()).ok_or_else(wrong)?;
        let word = word.ok_or_else(|| {
            format!("`{given}` lets in who knows a word: it is expected in {}", Word::VARIABLE)
        });
        Ok(Doorway::Port { host, port, word: word? })
    }

    /// A socket's.
    pub(super) fn socket(path: &Path) -> Doorway {
        Doorway::Socket(path.to_owned())
    }

    /// Goes there again and again, since the runner may start later than its servers do.
    ///
    /// # Errors
    /// It does not come within a limit, or does not know the word.
    pub(super) async fn reach(&self) -> Result<Reached, StationError> {
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        let (mut attempts, limit) = match self {
            Doorway::Socket(_) => (clock::attempts(), clock::STATION_REPORTS),
            Doorway::Port { .. } => (clock::distant_attempts(), clock::EVERYBODY_COMES),
        };
        let reached = clock::within(limit, async {
            loop {
                attempts.tick().await;
                match self.attempt().await {
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break Err(error),
                    Err(error) => last = error,
                    Ok(reached) => break Ok(reached),
                }
            }
        });
        let no_door = |error| StationError::NoDoor { door: self.to_string(), error };
        match reached.await {
            Some(reached) => reached.map_err(no_door),
            None => Err(no_door(last)),
        }
    }

    async fn attempt(&self) -> io::Result<Reached> {
        match self {
            Doorway::Socket(path) => {
                let way = Way::Socket(path.clone());
                Ok(Reached { stream: way.connect().await?, way })
            }
            Doorway::Port { host, port, word } => {
                let attempt = clock::within(clock::ONE_ATTEMPT, dial(host, *port, word));
                let (at, stream) = attempt.await.ok_or(io::ErrorKind::TimedOut)??;
                Ok(Reached { stream: Box::new(stream), way: Way::Port(at, word.clone()) })
            }
        }
    }
}

impl std::fmt::Display for Doorway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Doorway::Socket(path) => write!(f, "{}", path.display()),
            Doorway::Port { host, port, .. } => write!(f, "{PORT}{host}:{port}"),
        }
    }
}

/// A word that nobody guesses: 256 bits from the system, in hexadecimal.
///
/// # Errors
/// The system gives none.
pub fn drawn_word() -> io::Result<String> {
    let mut bytes = [0; 32];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The machine's own resolver is asked, for it alone knows the runner; what it finds is where every later connection goes.
async fn dial(host: &str, port: u16, word: &Word) -> io::Result<(SocketAddr, TcpStream)> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for at in tokio::net::lookup_host((host, port)).await? {
        let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        match socket.connect(at).await {
            Ok(mut stream) => {
                lively(&stream)?;
                greet(&mut stream, word).await?;
                return Ok((at, stream));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_a_path_or_a_port_with_a_word() {
        let word = || Word::new("w".to_owned());
        let port = |host: &str| Doorway::Port { host: host.to_owned(), port: 8070, word: word().unwrap() };
        assert_eq!(Doorway::read("/run/door.sock", None), Ok(Doorway::Socket("/run/door.sock".into())));
        assert_eq!(Doorway::read("tcp://coexist-small:8070", word()), Ok(port("coexist-small")));
        assert_eq!(Doorway::read("tcp://[::1]:8070", word()), Ok(port("::1")));
        for wrong in ["tcp://coexist-small", "tcp://:8070", "tcp://coexist-small:http"] {
            let says = Doorway::read(wrong, word()).unwrap_err();
            assert_eq!(
                says,
                format!("`{wrong}` is no port of a runner; right is `tcp://coexist-runner:8070`")
            );
        }
        let says = Doorway::read("tcp://coexist-small:8070", None).unwrap_err();
        assert!(says.ends_with("it is expected in COEXIST_DOOR_WORD"), "{says}");
    }
}
