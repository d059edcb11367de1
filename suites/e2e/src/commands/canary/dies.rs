//! The canary that dies: a sound front end for two connections, and gone at the third.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use model::Role;
use serde_json::Value;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::either;
use crate::clock::{relief, within};

/// How long the front end behind may take until it listens.
const START: Duration = Duration::from_secs(20);

/// A sound front end behind the canary, at addresses of the canary's own choice.
pub(super) struct Sound {
    https: SocketAddr,
    http: SocketAddr,
    running: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Sound {
    /// Starts it, with the lab's facts but for where it listens.
    pub(super) async fn start(lab: &Path) -> anyhow::Result<Sound> {
        let text = std::fs::read_to_string(lab).with_context(|| lab.display().to_string())?;
        let mut facts: Value = serde_json::from_str(&text)?;
        let role: Role = facts["seat"]["role"].as_str().context("seat.role is missing")?.parse()?;
        let mut at = [SocketAddr::from(([127, 0, 0, 1], 0)); 2];
        let mut held = vec![];
        for (place, listener) in at.iter_mut().zip(["https", "http"]) {
            let seat = &mut facts["seat"]["listen"][listener];
            let own: SocketAddr = seat.as_str().context("seat.listen is missing")?.parse()?;
            let socket = free(own)?;
            *place = socket.local_addr()?;
            *seat = place.to_string().into();
            held.push(socket);
        }
        let beside = lab.with_file_name("behind.json");
        std::fs::write(&beside, facts.to_string()).with_context(|| beside.display().to_string())?;
        let stop = Box::pin(std::future::pending());
        let running = tokio::spawn(reference::run(reference::Options {
            role,
            lab: beside,
            spoil: None,
            health_interval: None,
            owa_timeout: None,
            stop,
        }));
        let sound = Sound { https: at[0], http: at[1], running };
        let up = async {
            while dial(sound.https).await.is_err() || dial(sound.http).await.is_err() {
                relief().await;
            }
        };
        within(START, up).await.context("the front end behind does not listen")?;
        drop(held);
        Ok(sound)
    }

    /// Leads connections to it, and ends at number `last`.
    pub(super) async fn until(
        self,
        https: TcpListener,
        http: TcpListener,
        last: usize,
    ) -> anyhow::Result<()> {
        let mut wires = JoinSet::new();
        for _ in 1..last {
            let (mut near, tls) = either(&https, &http).await?;
            let to = if tls { self.https } else { self.http };
            wires.spawn(async move {
                // Whichever side ends it, the wire has nothing to say.
                if let Ok(mut far) = dial(to).await {
                    drop(copy_bidirectional(&mut near, &mut far).await);
                }
            });
        }
        either(&https, &http).await?;
        self.running.abort();
        anyhow::bail!("this was connection {last}")
    }
}

/// Holds a free port of the seat's own address: nobody is given it meanwhile, and who says SO_REUSEADDR may listen on it.
fn free(seat: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if seat.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(seat.ip(), 0))?;
    Ok(socket)
}

async fn dial(to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.connect(to).await
}
