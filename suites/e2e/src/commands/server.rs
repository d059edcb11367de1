//! `coexist server`: a server of a lab as a process of its own; and `coexist copy`, by which containers are made ready that hold
//! this program alone.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use lab::clock::within;
use lab::host::Doorway;
use ledger::way::Word;

use super::{Server, say};
use crate::exit::Exit;

pub(super) fn server(options: &Server) -> Exit {
    inner(options).map_or_else(|exit| exit, |()| Exit::AsExpected)
}

fn inner(options: &Server) -> Result<(), Exit> {
    let door = Doorway::read(&options.door, word()).map_err(|says| {
        say::error(says);
        Exit::BadInput
    })?;
    let runtime = say::runtime()?;
    let taking = async {
        let stop = say::interrupted();
        let taken =
            lab::host::take_places(&door, &options.name, options.resolver.clone(), stop.clone()).await;
        within(options.stays.unwrap_or_default(), stop.cancelled()).await;
        taken
    };
    runtime.block_on(taking).map_err(|error| {
        say::error(format!("{}: {error}", options.name));
        Exit::Broken
    })
}

/// What lets in at a door to a network, where this process was given it.
pub(super) fn word() -> Option<Word> {
    Word::new(std::env::var(Word::VARIABLE).ok()?)
}

pub(super) fn copy(to: &Path, from: &[PathBuf]) -> Exit {
    let failed = |path: &Path, error: io::Error| {
        say::error(format!("{}: {error}", path.display()));
        Exit::Broken
    };
    let copied = File::create(to).map_err(|error| failed(to, error)).and_then(|mut whole| {
        from.iter().try_for_each(|part| {
            let copied = File::open(part).and_then(|mut part| io::copy(&mut part, &mut whole));
            copied.map(drop).map_err(|error| failed(part, error))
        })
    });
    copied.map_or_else(|exit| exit, |()| Exit::AsExpected)
}
