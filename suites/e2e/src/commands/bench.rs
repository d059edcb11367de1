//! x
use std::path::Path;
use crate::exit::Exit;
pub(super) fn bench(_: &Path, _: &[String], _: usize) -> Exit { Exit::BadInput }
