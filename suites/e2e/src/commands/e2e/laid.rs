//! The inner half of a run in containers: where everybody is, and the door at which the servers report.

use std::path::Path;
use std::sync::Arc;

use lab::ground::{Ground, Layout, Planes};
use lab::host::Door;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::say;
use crate::exit::Exit;

/// The ground that a layout describes, with a door beside its file.
pub(super) fn ground(layout: &Path) -> Result<Ground, Exit> {
    let broken = |says: String| {
        say::error(format!("{}: {says}", layout.display()));
        Exit::Broken
    };
    let text = std::fs::read_to_string(layout).map_err(|error| broken(error.to_string()))?;
    let laid: Layout = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    let door = Door::open(&layout.with_file_name(Door::SOCKET)).map_err(|error| broken(error.to_string()))?;
    Ok(Ground::of(Arc::new(Planes::new(laid, door))))
}

/// A door that is served, where servers are processes of their own.
pub(super) struct Open(Option<(CancellationToken, JoinHandle<()>)>);

/// Lets servers in. Call it within a runtime. When the outer half is gone, which holds our input open, `interrupted` is
/// cancelled: nobody is left to be told how a run ends.
pub(super) fn open(ground: &Ground, interrupted: &CancellationToken) -> Result<Open, Exit> {
    let Some(planes) = ground.planes() else { return Ok(Open(None)) };
    let stop = CancellationToken::new();
    let serving = planes.door().serve(stop.clone()).map_err(|error| {
        say::error(format!("no server can report: {error}"));
        Exit::Broken
    })?;
    let orphaned = interrupted.clone();
    // A thread that ends with the process: a blocked read of standard input can be ended by nothing else.
    std::thread::spawn(move || {
        drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
        orphaned.cancel();
    });
    Ok(Open(Some((stop, tokio::spawn(serving)))))
}

impl Open {
    /// Lets no more in: whoever is there is told by the end of its line.
    pub(super) async fn close(self) {
        let Some((stop, serving)) = self.0 else { return };
        stop.cancel();
        if let Err(error) = serving.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
