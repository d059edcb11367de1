//! Who starts subjects that are images: the outer half of a run, which alone may speak to the engine. It reports at the door as
//! the servers do, and is given the same orders.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use ledger::line;
use model::ServerName;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::doorway::Doorway;
use super::orders::{Opening, Order, Program, Said};
use super::station::StationError;

/// What it reports as.
pub(crate) const ENGINE: &str = "engine";

/// A subject's container that is to be.
#[derive(Debug)]
pub struct Contained {
    /// The image.
    pub image: String,
    /// The server in whose place it sits: it shares that one's network.
    pub seat: ServerName,
    /// What is run in place of what the image would run; nothing where that is right.
    pub command: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// The folder that it works in, as containers see it.
    pub work: PathBuf,
    /// The file that its output goes to, likewise.
    pub log: PathBuf,
}

/// A container's end, as an exit code.
pub type End = Pin<Box<dyn Future<Output = u8> + Send>>;

/// An engine that starts one subject at a time.
pub trait Images: Send {
    /// Starts a container; the one before it has ended.
    fn start(&mut self, wanted: Contained) -> impl Future<Output = Result<End, String>> + Send;

    /// Sends the container's first process a signal, by its number.
    fn signal(&mut self, number: i32) -> impl Future<Output = ()> + Send;
}

/// Reports at a door, and has images started until the runner or `stop` ends it.
///
/// # Errors
/// No door, or a line that breaks.
pub async fn start_images(
    door: &Path,
    mut images: impl Images,
    stop: CancellationToken,
) -> Result<(), StationError> {
    let door = Doorway::socket(door);
    let mut stream = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        reached = door.reach() => reached?.stream,
    };
    line::write(&mut stream, &Opening::Station(ENGINE.to_owned())).await?;
    let (mut read, write) = tokio::io::split(stream);
    let says = Arc::new(Mutex::new(write));
    let mut ends = JoinSet::new();
    loop {
        let order = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            order = line::read(&mut read) => order?,
        };
        let said = match order {
            None => return Ok(()),
            Some(Order::Run(program)) => match contained(*program) {
                Some(wanted) => match images.start(wanted).await {
                    Ok(ended) => {
                        let says = says.clone();
                        ends.spawn(async move {
                            // wait(2) has an exit code in the second byte.
                            let status = i32::from(ended.await) << 8;
                            // A runner that is gone need not be told.
                            drop(line::write(&mut *says.lock().await, &Said::Ended(status)).await);
                        });
                        Said::Done(None)
                    }
                    Err(why) => Said::Refused(why),
                },
                None => Said::Refused("it is no image".to_owned()),
            },
            Some(Order::Signal(number)) => {
                images.signal(number).await;
                Said::Done(None)
            }
            Some(_) => Said::Refused("the engine starts subjects alone".to_owned()),
        };
        line::write(&mut *says.lock().await, &said).await?;
    }
}

fn contained(program: Program) -> Option<Contained> {
    let (image, seat) = program.image?;
    let first = Some(program.program.display().to_string()).filter(|first| !first.is_empty());
    let command = first.into_iter().chain(program.arguments).collect();
    Some(Contained { image, seat, command, env: program.env, work: program.work, log: program.log })
}
