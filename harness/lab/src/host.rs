//! Servers that are processes of their own, in containers: what the runner and they say to one another.
//!
//! A *station* is such a process. It reports at the runner's *door*, a Unix socket, and takes up one server's place in one
//! lab after another. While a lab runs its servers ask there for what they would look up in memory; an arrival is
//! recorded when the answer has come back.

mod door;
mod images;
mod orders;
mod station;

pub use door::Door;
pub(crate) use door::{Books, Station};
pub(crate) use images::ENGINE;
pub use images::{Contained, End, Images, start_images};
pub(crate) use orders::{Dictation, Order, Post, Program};
pub use station::{StationError, take_places};

#[cfg(test)]
mod tests;
