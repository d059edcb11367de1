//! Brings a topology up and takes it down: ground, DNS, certificates, servers, the seat.

pub mod clock;
pub mod dns;
mod doors;
pub mod ground;
pub mod host;
pub mod pki;
mod request_log;
mod running;
pub mod seat;

pub use doors::Doors;
pub use running::{AnswersWanted, Lab, LabError, LeaseWanted, Plan, Since};
