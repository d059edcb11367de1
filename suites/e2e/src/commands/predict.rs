//! x
use std::path::Path;
use crate::exit::Exit;
pub(super) fn predict(_: &Path, _: &str) -> Exit { Exit::BadInput }
