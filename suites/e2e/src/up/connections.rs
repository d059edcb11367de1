//! A listener's connections: so many at once, each a task, all joined in the end.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// Serves what comes until told to stop; then the connections that are open end, and are joined. One above `most` is closed
/// at once.
pub(super) async fn served<S>(
    listener: TcpListener,
    most: usize,
    stop: &CancellationToken,
    mut serve: impl FnMut(TcpStream) -> S,
) where
    S: Future<Output = ()> + Send + 'static,
{
    let turns = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // Out of descriptors, mostly: others must close some first.
                    clock::relief().await;
                    continue;
                }
            },
        };
        let Ok(turn) = turns.clone().try_acquire_owned() else { continue };
        let serving = serve(stream);
        connections.spawn(async move {
            let _turn = turn;
            serving.await;
        });
    }
    connections.shutdown().await;
}
