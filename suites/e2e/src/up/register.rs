//! How other commands find a lab that `up` left running: a file in the lab's folder, locked while the lab lives.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use lab::ground::GroundKind;
use serde::{Deserialize, Serialize};

/// What begins the folder of every run, in the system's folder for temporary files.
pub(crate) const FOLDER: &str = "coexist-";
const FILE: &str = "up.json";
/// The most bytes that are read of such a file.
const MOST_BYTES: u64 = 64 * 1024;

/// What is to be known of a running lab from outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Entry {
    /// What it is called: `coexistence-4711`.
    pub(crate) lab: String,
    pub(crate) process: u32,
    pub(crate) topology: String,
    pub(crate) ground: String,
    /// Where it is steered.
    pub(crate) steering: SocketAddr,
    /// Who holds this may steer it.
    pub(crate) token: String,
    pub(crate) ca: PathBuf,
    pub(crate) dns_internal: SocketAddr,
    pub(crate) dns_external: SocketAddr,
}

impl Entry {
    /// What it stands on.
    pub(crate) fn stands_on(&self) -> Option<GroundKind> {
        let all = [GroundKind::Own, GroundKind::Machine, GroundKind::Mapped, GroundKind::Planes];
        all.into_iter().find(|kind| kind.as_str() == self.ground)
    }
}

/// An entry that stands as long as this is held.
#[derive(Debug)]
pub(crate) struct Registered {
    path: PathBuf,
    /// Held for its lock.
    _locked: File,
}

impl Drop for Registered {
    fn drop(&mut self) {
        // While it is locked: what is found unlocked is what a lab has left that was killed.
        drop(fs::remove_file(&self.path));
    }
}

/// Enters a lab, for its owner's eyes only. Whoever looks sees it whole or not at all.
///
/// # Errors
/// What the operating system says of the file.
pub(crate) fn enter(folder: &Path, entry: &Entry) -> io::Result<Registered> {
    let beside = folder.join("up.json.part");
    let mut options = File::options();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.write(true).create_new(true).open(&beside)?;
    file.lock()?;
    file.write_all(&serde_json::to_vec(entry)?)?;
    let path = folder.join(FILE);
    fs::rename(&beside, &path)?;
    Ok(Registered { path, _locked: file })
}

/// The labs of this user that run. What a lab has left that was killed with its guard is removed on the way.
pub(crate) fn running() -> Vec<Entry> {
    let own = rustix::process::geteuid().as_raw();
    let folders = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    let mut labs: Vec<Entry> = folders
        .filter(|folder| folder.file_name().to_str().is_some_and(|name| name.starts_with(FOLDER)))
        .filter_map(|folder| {
            let path = folder.path();
            let file = File::open(path.join(FILE)).ok()?;
            let is_own = file.metadata().ok().filter(|facts| facts.len() <= MOST_BYTES)?.uid() == own;
            // In a lab's own network whoever was an ordinary user outside is root.
            if !is_own {
                return None;
            }
            match file.try_lock() {
                Err(fs::TryLockError::WouldBlock) => serde_json::from_reader(&file).ok(),
                Ok(()) => {
                    // One that has just been taken away is of a lab that takes the rest away itself.
                    if path.join(FILE).exists() {
                        drop(fs::remove_dir_all(&path));
                    }
                    None
                }
                Err(fs::TryLockError::Error(_)) => None,
            }
        })
        .collect();
    labs.sort_by(|a, b| a.lab.cmp(&b.lab));
    labs
}

/// The lab that is meant: by its name, its topology's or its process, or the only one; `None` where none runs and none is named.
///
/// # Errors
/// A sentence that names the labs that run.
pub(crate) fn chosen(asked: Option<&str>) -> Result<Option<Entry>, String> {
    choose(running(), asked)
}

fn choose(running: Vec<Entry>, asked: Option<&str>) -> Result<Option<Entry>, String> {
    let called = |lab: &&Entry| {
        asked
            .is_none_or(|asked| lab.lab == asked || lab.topology == asked || lab.process.to_string() == asked)
    };
    let fits: Vec<&Entry> = running.iter().filter(called).collect();
    let names = running.iter().map(|lab| lab.lab.as_str()).collect::<Vec<_>>().join(", ");
    match (fits.as_slice(), asked) {
        ([one], _) => Ok(Some((*one).clone())),
        ([], None) => Ok(None),
        ([], Some(asked)) if running.is_empty() => {
            Err(format!("no lab runs, so none is called `{asked}`; `coexist up` leaves one running"))
        }
        ([], Some(asked)) => Err(format!("no running lab is called `{asked}`; there are: {names}")),
        ([first, ..], _) => {
            Err(format!("several labs run: {names}; say which, for instance --lab {}", first.lab))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(topology: &str, process: u32) -> Entry {
        Entry {
            lab: format!("{topology}-{process}"),
            process,
            topology: topology.to_owned(),
            ground: "mapped".to_owned(),
            steering: "127.0.0.1:1".parse().unwrap(),
            token: String::new(),
            ca: PathBuf::new(),
            dns_internal: "127.0.0.1:2".parse().unwrap(),
            dns_external: "127.0.0.1:3".parse().unwrap(),
        }
    }

    #[test]
    fn a_lab_is_found_by_its_name_its_topology_its_process_or_being_the_only_one() {
        let two = || vec![entry("coexistence", 11), entry("pre-e15", 12)];
        let chosen = |asked: &str| choose(two(), Some(asked)).map(|lab| lab.map(|lab| lab.process));
        for asked in ["pre-e15", "pre-e15-12", "12"] {
            assert_eq!(chosen(asked), Ok(Some(12)), "{asked}");
        }
        assert!(chosen("coexistance").unwrap_err().ends_with("there are: coexistence-11, pre-e15-12"));
        assert_eq!(choose(vec![entry("pre-e15", 12)], None).unwrap().unwrap().process, 12);
        assert!(choose(vec![], None).unwrap().is_none());
        assert!(choose(vec![], Some("12")).unwrap_err().contains("`coexist up` leaves one running"));
        assert!(choose(two(), None).unwrap_err().ends_with("--lab coexistence-11"));
    }
}
