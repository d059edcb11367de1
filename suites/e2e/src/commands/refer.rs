//! `coexist reference`: our own front end as a process, living by the contract that every subject lives by.

use super::{Reference, say};
use crate::exit::Exit;

pub(super) fn reference(options: Reference) -> Exit {
    let runtime = match say::runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let ended = runtime.block_on(async {
        let stop = say::interrupted();
        let spoil = defects::spoiler(options.defect.as_deref(), options.fired.as_deref())?;
        reference::run(reference::Options {
            role: options.role,
            lab: options.lab,
            spoil,
            stop: Box::pin(async move { stop.cancelled().await }),
        })
        .await
    });
    match ended {
        Ok(()) => Exit::AsExpected,
        Err(error) => {
            say::error(format!("reference: {error:#}"));
            Exit::Broken
        }
    }
}
