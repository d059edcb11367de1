//! Servers that are processes of their own, in containers: what the runner and they say to one another.
//!
//! A *station* is such a process. It reports at the runner's *door*, a Unix socket or a port for who knows a word, and takes up one
//! server's place in one lab after another. While a lab runs its servers ask there for what they would look up in memory; an
//! arrival is recorded when the answer has come back. A station that comes to a port sees no file of the runner's: a subject in it
//! is sent its files, and its log is sent back.

mod door;
mod doorway;
mod images;
mod lively;
mod orders;
mod roll;
mod station;
mod subject;

pub(crate) use door::{Books, Station};
pub use door::{Door, Tells};
pub use doorway::{Doorway, drawn_word};
pub(crate) use images::ENGINE;
pub use images::{Contained, End, Images, start_images};
pub(crate) use orders::{Bytes, Dictation, Facts, Order, Piece, Post, Program};
pub use roll::{NotGathered, Roll};
pub use station::{StationError, take_places};

#[cfg(test)]
mod tests;
