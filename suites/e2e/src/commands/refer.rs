//! `coexist reference`: our own front end as a process, living by the contract that every subject lives by.

use std::path::PathBuf;

use anyhow::{Context, bail};
use defects::Fired;

use super::{Reference, say};
use crate::exit::Exit;

pub(super) fn reference(options: Reference) -> Exit {
    let runtime = match say::runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let ended = runtime.block_on(async {
        let stop = say::interrupted();
        let spoil = spoil(options.defect, options.fired)?;
        reference::run(reference::Options {
            role: options.role,
            lab: options.lab,
            spoil,
            health_interval: options.health_interval.0,
            owa_timeout: options.owa_timeout,
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

/// The wrap of a defect, where one is asked for.
fn spoil(defect: Option<String>, fired: Option<PathBuf>) -> anyhow::Result<Option<reference::Spoil>> {
    let Some(id) = defect else { return Ok(None) };
    if id != "identity" && !defects::catalogue().iter().any(|known| known.id == id && known.built) {
        bail!("`{id}` is no defect that is built; `coexist list defects` prints them");
    }
    let path = fired.context("--defect says where it lied: --fired PATH")?;
    let fired = Fired::into_file(&path).with_context(|| path.display().to_string())?;
    Ok(Some(Box::new(move |ports| match defects::spoil(&id, ports.clone(), fired) {
        Some(spoiled) => spoiled,
        None => ports,
    })))
}
