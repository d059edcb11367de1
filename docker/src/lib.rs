//! The host that runs each server of a lab in a container of its own, from one image that is the static binary and nothing
//! else. Two networks of the engine are the lab's two planes; the runner's inner half is a container on both. What is here is
//! the outer half: it makes all that, relays what the inner half says, and takes it away again.
//!
//! `testcontainers` finds the engine. Its own way of starting containers knows neither an address of one's own on a network
//! nor two networks, and speaks to engines of the newest API alone; so what is made is made through the client that it gives.

mod layout;
mod owner;

#[cfg(feature = "engine")]
mod clock;
#[cfg(feature = "engine")]
mod engine;
#[cfg(any(feature = "engine", test))]
mod folders;
#[cfg(feature = "engine")]
mod image;
#[cfg(feature = "engine")]
mod reap;
#[cfg(feature = "engine")]
mod run;
#[cfg(feature = "engine")]
mod subject;

#[cfg(feature = "engine")]
pub use engine::{Engine, HostError};
pub use layout::{Addresses, Positions, TooMany, Unfit};
pub use owner::{Life, Owner};
#[cfg(feature = "engine")]
pub use run::{FOLDER, Here, LAYOUT, Mount, Wanted, run};
