//! What is done to a lab while it runs.

use model::case::{Awaited, Steering};

use super::{Lab, LabError};
use crate::clock;

impl Lab {
    /// Does one thing to the lab, and returns once it is done.
    ///
    /// # Errors
    /// A server for which no other address is held.
    pub async fn steer(&self, steering: &Steering) -> Result<(), LabError> {
        match steering {
            Steering::MovesAddress(server) => {
                let was = self.addresses.get(server).copied();
                let lead_there = |address| {
                    if let Some(was) = was {
                        self.names.lead_elsewhere(was, address);
                    }
                };
                let moved = self.machines.moves(server, lead_there).await;
                moved.then_some(()).ok_or_else(|| LabError::NotMoved(server.clone()))
            }
            Steering::MovesCopy(_) | Steering::MovesMailbox(_) => {
                self.directory.steer(|topology| steering.changes(topology));
                Ok(())
            }
            Steering::WaitsFor(Awaited::DnsExpiry) => {
                clock::answers_expire().await;
                Ok(())
            }
        }
    }
}
