//! The way to the one who keeps the books: a Unix socket, which the rights of its file guard, or a port of another machine, where
//! a word that both sides know lets in. Behind that word the two are the same.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;

use crate::clock::ANSWER;
use crate::line;

/// The most that a greeting holds: a stranger's frame is read no further.
const MOST_GREETING_BYTES: usize = 1024;

/// Where questions are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// On this machine.
    Socket(PathBuf),
    /// On another one, for who knows the word.
    Port(SocketAddr, Word),
}

/// What lets in at a port that anybody on its network can reach.
#[derive(Clone, PartialEq, Eq)]
pub struct Word(String);

impl Word {
    /// The environment variable that holds it.
    pub const VARIABLE: &str = "COEXIST_DOOR_WORD";

    /// A word; none where it is empty, since that would let everybody in.
    pub fn new(word: String) -> Option<Word> {
        (!word.is_empty()).then_some(Word(word))
    }

    /// Whether somebody has said it. How long that takes tells nothing of where another word begins to differ.
    fn is(&self, said: &str) -> bool {
        let (own, said) = (self.0.as_bytes(), said.as_bytes());
        let differs = own.iter().zip(said).fold(0, |differs, (a, b)| std::hint::black_box(differs | (a ^ b)));
        own.len() == said.len() && differs == 0
    }
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Word")
    }
}

/// The first frame at a port.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Greeting {
    word: String,
}

/// What it is answered.
#[derive(Serialize, Deserialize)]
enum Greeted {
    Welcome,
    WrongWord,
}

impl Greeted {
    fn lets_in(self) -> io::Result<()> {
        let says = || format!("the runner does not know the word in {}", Word::VARIABLE);
        match self {
            Greeted::Welcome => Ok(()),
            Greeted::WrongWord => Err(io::Error::new(io::ErrorKind::PermissionDenied, says())),
        }
    }
}

/// What a task reads and writes, whichever way it came.
pub trait Carries: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Carries for T {}

/// What a thread reads and writes.
pub(crate) trait Blocks: Read + Write + Send + std::fmt::Debug {}
impl<T: Read + Write + Send + std::fmt::Debug> Blocks for T {}

impl Way {
    /// Connects, and is let in.
    ///
    /// # Errors
    /// Nobody is there, or the word is a wrong one: then permission is denied.
    pub async fn connect(&self) -> io::Result<Box<dyn Carries>> {
        match self {
            Way::Socket(path) => Ok(Box::new(tokio::net::UnixStream::connect(path).await?)),
            Way::Port(at, word) => {
                let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
                let mut stream = socket.connect(*at).await?;
                stream.set_nodelay(true)?;
                greet(&mut stream, word).await?;
                Ok(Box::new(stream))
            }
        }
    }

    /// The same for a thread. Whoever does not answer in time has not answered.
    pub(crate) fn connect_blocking(&self) -> io::Result<Box<dyn Blocks>> {
        match self {
            Way::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(ANSWER))?;
                Ok(Box::new(stream))
            }
            Way::Port(at, word) => {
                let mut stream = std::net::TcpStream::connect_timeout(at, ANSWER)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(ANSWER))?;
                stream.write_all(&line::frame(&Greeting { word: word.0.clone() })?)?;
                line::read_blocking::<Greeted>(&mut stream)?.lets_in()?;
                Ok(Box::new(stream))
            }
        }
    }
}

/// Says the word, and waits to be let in.
///
/// # Errors
/// The other side is gone, or does not know the word: then permission is denied.
pub async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), word: &Word) -> io::Result<()> {
    line::write(stream, &Greeting { word: word.0.clone() }).await?;
    let greeted: Option<Greeted> = line::read_at_most(stream, MOST_GREETING_BYTES).await?;
    greeted.ok_or(io::ErrorKind::UnexpectedEof)?.lets_in()
}

/// Hears who comes, and lets in who knows the word. Whoever calls sets the limit of time.
///
/// # Errors
/// What came is no greeting; or a wrong word, which the other side is told: then permission is denied.
pub async fn admit(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), word: &Word) -> io::Result<()> {
    let greeting: Option<Greeting> = line::read_at_most(stream, MOST_GREETING_BYTES).await?;
    let knows = word.is(&greeting.ok_or(io::ErrorKind::UnexpectedEof)?.word);
    let greeted = if knows { Greeted::Welcome } else { Greeted::WrongWord };
    line::write(stream, &greeted).await?;
    greeted.lets_in()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_itself_and_no_part_of_it_and_none_is_empty() {
        let word = Word::new("open sesame".to_owned()).unwrap();
        assert!(word.is("open sesame"));
        for other in ["", "open", "open sesamE", "open sesame!", "Open sesame"] {
            assert!(!word.is(other), "{other}");
        }
        assert_eq!(Word::new(String::new()), None);
        assert_eq!(format!("{word:?}"), "Word");
    }
}
