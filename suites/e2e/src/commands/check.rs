//! x
use std::path::Path;
use crate::exit::Exit;
pub(super) fn check(_: &Path, _: &[String]) -> Exit { Exit::BadInput }
