//! Where a defect lied: one line a lie, so that a run in which it stayed silent can be told from one in which it was
//! not caught.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The list of lies. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Fired(Option<Arc<Mutex<File>>>);

impl Fired {
    /// A list that is appended to this file, one flushed line a lie: `ID CLIENT_SOCKET`, or `ID everybody`.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn into_file(path: &Path) -> io::Result<Fired> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Fired(Some(Arc::new(Mutex::new(file)))))
    }

    /// Lies that nobody counts.
    pub fn uncounted() -> Fired {
        Fired(None)
    }

    /// A lie that concerns whoever is there: `ID everybody`.
    pub(crate) fn lied_to_everybody(&self, id: &str) {
        self.note(id, "everybody");
    }

    pub(crate) fn lied(&self, id: &str, client: SocketAddr) {
        self.note(id, &client.to_string());
    }

    fn note(&self, id: &str, client: &str) {
        let Some(file) = &self.0 else { return };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // One write, so that a line is whole whoever else appends. A full disk is no reason to tell the truth.
        let written = file.write_all(format!("{id} {client}\n").as_bytes());
        if let Err(error) = written.and_then(|()| file.flush()) {
            eprintln!("{id}: a lie could not be noted: {error}");
        }
    }
}
