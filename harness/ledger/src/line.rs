//! A line to the one who keeps the books, from a server that is a process of its own: questions and answers as framed JSON
//! over a socket. A question is asked where it stands and waits for its answer, so what is recorded is in the book before
//! the server goes on.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::way::{Blocks, Way};

/// The most that one frame holds: a lab's whole topology with every lease fits in often.
pub const MOST_FRAME_BYTES: usize = 16 * 1024 * 1024;

/// Where questions of one lab are answered. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Line(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    way: Way,
    /// What a connection begins with.
    opening: Vec<u8>,
    idle: Mutex<Vec<Box<dyn Blocks>>>,
}

impl Line {
    /// A line by this way. Each connection says first what it is for.
    ///
    /// # Errors
    /// An opening that has no JSON form.
    pub fn to(way: &Way, opening: &impl Serialize) -> io::Result<Line> {
        let opening = frame(opening)?;
        Ok(Line(Arc::new(Inner { way: way.clone(), opening, idle: Mutex::default() })))
    }

    /// Asks, and waits for the answer where it stands.
    ///
    /// # Panics
    /// Nobody answers: who cannot record must not go on, and its process ends with its lab.
    pub fn ask<A: DeserializeOwned>(&self, question: &impl Serialize) -> A {
        self.asked(question).unwrap_or_else(|error| panic!("the ledger is out of reach: {error}"))
    }

    /// Asks something whose answer may be long in coming. Dropped, it asks no more.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn wait<A: DeserializeOwned>(&self, question: &impl Serialize) -> io::Result<A> {
        let mut stream = self.0.way.connect().await?;
        stream.write_all(&self.0.opening).await?;
        write(&mut stream, question).await?;
        read(&mut stream).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn asked<A: DeserializeOwned>(&self, question: &impl Serialize) -> io::Result<A> {
        let question = frame(question)?;
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut stream = match idle {
            Some(stream) => stream,
            None => self.connect()?,
        };
        stream.write_all(&question)?;
        let answer = read_blocking(&mut stream)?;
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        Ok(answer)
    }

    fn connect(&self) -> io::Result<Box<dyn Blocks>> {
        let mut stream = self.0.way.connect_blocking()?;
        stream.write_all(&self.0.opening)?;
        Ok(stream)
    }
}

/// Reads one frame; none where the other side has ended.
///
/// # Errors
/// A frame that is too long, or is not what is meant.
pub async fn read<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<T>> {
    read_at_most(from, MOST_FRAME_BYTES).await
}

/// Reads one frame of so many bytes at most.
///
/// # Errors
/// As for [`read`].
pub async fn read_at_most<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
    most: usize,
) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut text = vec![];
    let size = size(length, most)?;
    // Room is made as bytes come, not as they are announced.
    if from.take(size as u64).read_to_end(&mut text).await? < size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(serde_json::from_slice(&text)?))
}

/// Reads one frame where it stands.
pub(crate) fn read_blocking<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut text = vec![0; size(length, MOST_FRAME_BYTES)?];
    from.read_exact(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Writes one frame.
///
/// # Errors
/// What the operating system says, or a frame that is too long.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), what: &impl Serialize) -> io::Result<()> {
    to.write_all(&frame(what)?).await
}

/// Four bytes of length, most significant first, and so much JSON.
pub(crate) fn frame(what: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, what)?;
    let size = frame.len() - 4;
    if size > MOST_FRAME_BYTES {
        return Err(too_long(size, MOST_FRAME_BYTES));
    }
    let length = u32::try_from(size).map_err(|_| too_long(size, MOST_FRAME_BYTES))?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

fn size(length: [u8; 4], most: usize) -> io::Result<usize> {
    let size = u32::from_be_bytes(length) as usize;
    if size > most { Err(too_long(size, most)) } else { Ok(size) }
}

fn too_long(size: usize, most: usize) -> io::Error {
    io::Error::other(format!("a frame of {size} bytes; the most is {most}"))
}
