//! The runner: reads a suite, brings labs up, drives cases, judges, reports. `coexist` is its binary.

#[macro_use]
mod printing;

mod called;
mod clock;
pub mod commands;
pub mod declared;
pub mod evidence;
pub mod exit;
mod findings;
pub mod hint;
pub mod judge;
pub mod lab_fault;
pub mod lab_of;
pub mod play;
mod predicted;
pub mod publish;
pub mod run;
pub mod select;
mod shrink;
pub mod suite;
mod up;
