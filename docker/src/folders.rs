//! The folders of runs on this machine: what dead runs left, and what cannot be removed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::owner::Owner;

/// The folders of runs, in the system's folder for such.
pub(crate) const FOLDERS: &str = "coexist-docker-";
/// The file in a run's folder that says whose it is.
pub(crate) const OWNED_BY: &str = "owner";

/// What of the run's folder here containers see.
pub(crate) const SHARED: &str = "run";

/// Removes the folders of this user's dead runs: somebody else's are theirs to remove.
pub(crate) fn reap_folders(beside: &Path) {
    let Ok(entries) = fs::read_dir(beside) else { return };
    let own = rustix::process::geteuid().as_raw();
    let ours = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(FOLDERS))
            && fs::symlink_metadata(path).is_ok_and(|facts| facts.is_dir() && facts.uid() == own)
    };
    let left = |path: &PathBuf| {
        let owner = fs::read_to_string(path.join(OWNED_BY)).ok();
        let owner = owner.and_then(|text| text.trim().parse::<Owner>().ok());
        owner.is_some_and(|owner| owner.has_left_its_files())
    };
    let folders: BTreeSet<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(ours).filter(left).collect();
    remove_folders(folders);
}

/// Removes folders of runs, and says which stay.
pub(crate) fn remove_folders(folders: impl IntoIterator<Item = PathBuf>) {
    let removed = folders.into_iter().map(|folder| (remove_folder(&folder), folder));
    let stay: Vec<_> = removed.filter_map(|(removed, folder)| Some((folder, removed.err()?))).collect();
    if let Some(says) = folders_stay(&stay) {
        eprintln!("coexist: {says}");
    }
}

/// First what containers have written: until that is gone, the file beside it says whose the folder is.
fn remove_folder(folder: &Path) -> io::Result<()> {
    for path in [folder.join(SHARED).as_path(), folder] {
        match fs::remove_dir_all(path) {
            // Another run was as quick.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

fn folders_stay(folders: &[(PathBuf, io::Error)]) -> Option<String> {
    let each: Vec<String> =
        folders.iter().map(|(folder, error)| format!("{} ({error})", folder.display())).collect();
    let all: Vec<String> = folders.iter().map(|(folder, _)| format!("'{}'", folder.display())).collect();
    (!folders.is_empty()).then(|| {
        format!(
            "cannot be removed: {}; a subject's image that runs as another user may have made files there: `sudo rm -r {}` \
             removes them",
            each.join(", "),
            all.join(" ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_go_whose_machine_has_started_anew_and_those_of_the_living_stay() {
        let beside = std::env::temp_dir().join(format!("coexist-reap-{}", std::process::id()));
        let make = |name: &str, owner: &str| {
            let folder = beside.join(format!("{FOLDERS}{name}"));
            fs::create_dir_all(folder.join(SHARED).join("a-lab")).unwrap();
            fs::write(folder.join(OWNED_BY), owner).unwrap();
            folder
        };
        let living = make("living", &Owner::this().unwrap().to_string());
        let before = make("before", "another pid:[1] 1 1");
        let unknown = make("unknown", "");
        reap_folders(&beside);
        assert!(living.exists() && !before.exists() && unknown.exists());
        fs::remove_dir_all(&beside).unwrap();
    }

    #[test]
    fn folders_that_stay_are_said_with_what_to_do() {
        let denied = || io::Error::from_raw_os_error(rustix::io::Errno::ACCESS.raw_os_error());
        let stay =
            ["/tmp/coexist-docker-1", "/tmp/coexist-docker-2"].map(|path| (PathBuf::from(path), denied()));
        assert_eq!(
            folders_stay(&stay).unwrap(),
            "cannot be removed: /tmp/coexist-docker-1 (Permission denied (os error 13)), /tmp/coexist-docker-2 \
             (Permission denied (os error 13)); a subject's image that runs as another user may have made files there: \
             `sudo rm -r '/tmp/coexist-docker-1' '/tmp/coexist-docker-2'` removes them"
        );
        assert_eq!(folders_stay(&[]), None);
    }
}
