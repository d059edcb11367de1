//! `coexist server`: a server of a lab as a process of its own.

use super::{Server, say};
use crate::exit::Exit;

pub(super) fn server(options: &Server) -> Exit {
    let runtime = match say::runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let ended = runtime
        .block_on(async { lab::host::take_places(&options.door, &options.name, say::interrupted()).await });
    match ended {
        Ok(()) => Exit::AsExpected,
        Err(error) => {
            say::error(format!("{}: {error}", options.name));
            Exit::Broken
        }
    }
}
