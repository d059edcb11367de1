//! What is done to a lab while it runs.

use std::time::Instant;

use exchange::Script;
use model::case::{Awaited, FaultAt, Steering};
use model::journal::Order;

use super::{Lab, LabError};
use crate::clock;
use crate::ground::Place;

/// From when on what a case waits for counts.
#[derive(Debug, Clone, Copy)]
pub struct Since {
    /// What comes by itself, a health round, has come where it came after this.
    pub order: Order,
    /// When the first of the sessions was open whose half is waited for; now where it is not given.
    pub signed_in: Option<Instant>,
}

impl Lab {
    /// Does one thing to the lab, and returns once it is done. A subject that follows files reads them again where a fact in
    /// them has changed: one that is started again has done so, one that is told by a signal has its discovery-ttl for it.
    ///
    /// # Errors
    /// A server for which no other address is held; a health round that does not come; a subject that does not start again.
    pub async fn steer(&self, steering: &Steering, since: Since) -> Result<(), LabError> {
        match steering {
            Steering::MovesAddress(server) => {
                let was = self.addresses.get(server);
                let lead_there = |place: &Place| {
                    for (was, is) in was.iter().flat_map(|was| was.all().zip(place.all())) {
                        self.names.lead_elsewhere(was, is);
                    }
                };
                let moved = self.machines.moves(server, lead_there).await?;
                moved.then_some(()).ok_or_else(|| LabError::NotMoved(server.clone()))
            }
            Steering::MovesCopy(_)
            | Steering::MovesMailbox(_)
            | Steering::OutOfService(_)
            | Steering::InService(_) => {
                self.directory.steer(|topology| steering.changes(topology));
                self.machines.learn(&self.directory).await?;
                self.reload_subject().await.map(drop)
            }
            Steering::Fails(scripts) => {
                for (at, script) in scripts {
                    let at: FaultAt = at.parse().map_err(LabError::NoFault)?;
                    let script = Script::read(at.of, script).map_err(|(_, says)| LabError::NoFault(says))?;
                    self.machines.fail(at, script).await?;
                }
                Ok(())
            }
            Steering::Mends(at) => self.machines.mend(at.parse().map_err(LabError::NoFault)?).await,
            Steering::WaitsFor(Awaited::DnsExpiry) => {
                clock::answers_expire().await;
                Ok(())
            }
            Steering::WaitsFor(Awaited::DiscoveryTtl) => {
                self.discovery_ttl().await;
                Ok(())
            }
            Steering::WaitsFor(Awaited::HealthRound) => self.health_round(since.order).await,
            Steering::WaitsFor(Awaited::HalfOfOwaTimeout) => {
                let timeout = self.owa_timeout.ok_or(LabError::NoOwaTimeout)?;
                clock::half_a_session(timeout, since.signed_in).await;
                Ok(())
            }
            Steering::WaitsFor(Awaited::OwaTimeout) => {
                clock::sessions_end(self.owa_timeout.ok_or(LabError::NoOwaTimeout)?).await;
                Ok(())
            }
        }
    }
}
