//! The inner half of a run in containers: where everybody is, or who is expected, and the door at which the servers report.

use std::path::Path;
use std::sync::Arc;

use lab::ground::{Ground, Layout, Planes};
use lab::host::{Door, Roll};
use ledger::way::Word;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::say;
use crate::commands::server;
use crate::exit::Exit;

/// Where labs will stand.
pub(super) enum Standing {
    /// Here.
    On(Ground),
    /// Wherever these servers report from.
    Expecting(Roll, Door),
}

/// The ground that a layout describes, with a door beside its file.
pub(super) fn ground(layout: &Path) -> Result<Standing, Exit> {
    let laid: Layout = read(layout)?;
    let door = layout.with_file_name(Door::SOCKET);
    let door = Door::open(&door).map_err(|error| broken(format!("{}: {error}", door.display())))?;
    Ok(Standing::On(Ground::of(Arc::new(Planes::new(laid, door)))))
}

/// A door to the network for those whom a roll names.
pub(super) fn expecting(roll: &Path) -> Result<Standing, Exit> {
    let roll: Roll = read(roll)?;
    let Some(word) = server::word() else {
        say::error(format!(
            "servers come over a network, and nothing says which word lets them in: it is expected in {}",
            Word::VARIABLE
        ));
        return Err(Exit::BadInput);
    };
    let door = Door::open_to_network(Door::PORT, word, Box::new(|says| say::error(says)));
    let door = door.map_err(|error| broken(format!("no door at port {}: {error}", Door::PORT)))?;
    Ok(Standing::Expecting(roll, door))
}

/// A ground, and its door while it is served, where servers are processes of their own.
pub(super) struct Open {
    pub(super) ground: Arc<Ground>,
    serving: Option<(CancellationToken, JoinHandle<()>)>,
}

/// Lets servers in, and waits for those whose addresses nobody knows. Call it within a runtime.
pub(super) async fn open(standing: Standing, interrupted: &CancellationToken) -> Result<Open, Exit> {
    let stop = CancellationToken::new();
    match standing {
        Standing::On(ground) => {
            let serving = ground.planes().map(|planes| served(planes.door(), &stop)).transpose()?;
            if serving.is_some() {
                ends_with_the_outer_half(interrupted.clone());
            }
            Ok(Open { ground: Arc::new(ground), serving: serving.map(|serving| (stop, serving)) })
        }
        Standing::Expecting(roll, door) => {
            let serving = served(&door, &stop)?;
            let count = roll.names().count();
            eprintln!("coexist: {count} servers are expected at port {}", Door::PORT);
            let came = tokio::select! {
                came = door.gathers(&roll) => came.map_err(broken),
                () = interrupted.cancelled() => Err(Exit::Interrupted),
            };
            let laid = match came {
                Ok(laid) => laid,
                Err(exit) => {
                    closed(stop, serving).await;
                    return Err(exit);
                }
            };
            eprintln!("coexist: all {count} servers have reported");
            let ground = Ground::of(Arc::new(Planes::new(laid, door)));
            Ok(Open { ground: Arc::new(ground), serving: Some((stop, serving)) })
        }
    }
}

fn served(door: &Door, stop: &CancellationToken) -> Result<JoinHandle<()>, Exit> {
    let serving =
        door.serve(stop.clone()).map_err(|error| broken(format!("no server can report: {error}")))?;
    Ok(tokio::spawn(serving))
}

/// When the outer half is gone, which holds our input open, `interrupted` is cancelled: nobody is left to be told how a run ends.
fn ends_with_the_outer_half(interrupted: CancellationToken) {
    // A thread that ends with the process: a blocked read of standard input can be ended by nothing else.
    std::thread::spawn(move || {
        drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
        interrupted.cancel();
    });
}

impl Open {
    /// Lets no more in: whoever is there is told by the end of its line.
    pub(super) async fn close(self) {
        if let Some((stop, serving)) = self.serving {
            closed(stop, serving).await;
        }
    }
}

async fn closed(stop: CancellationToken, serving: JoinHandle<()>) {
    stop.cancel();
    if let Err(error) = serving.await
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Exit> {
    let says = |error: &dyn std::fmt::Display| broken(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| says(&error))?;
    serde_json::from_str(&text).map_err(|error| says(&error))
}

fn broken(says: impl std::fmt::Display) -> Exit {
    say::error(says);
    Exit::Broken
}
