//! Brings a topology up and takes it down: ground, DNS, certificates, servers, the seat.

pub mod clock;
pub mod dns;
pub mod ground;
pub mod pki;
mod running;
pub mod seat;

pub use running::{Doors, Lab, LabError, LeaseWanted, Plan};
