//! A lab left running for people: the doors by which they get in, what they are told, what comes live, and what they may change.
//!
//! Everything here talks to a running [`lab::Lab`]; the subject in the seat is told of none of it.

pub(crate) mod ask;
pub(crate) mod change;
mod connections;
pub(crate) mod doors;
pub(crate) mod listener;
pub(crate) mod live;
pub(crate) mod outside;
pub(crate) mod page;
pub(crate) mod printout;
pub(crate) mod register;
pub(crate) mod state;
