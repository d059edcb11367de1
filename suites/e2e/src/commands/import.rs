//! `coexist import`: makes a topology of what administrators export from Exchange.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use formats::{Export, Imported, MOST_BYTES};
use model::plain::plain;

use super::say;
use crate::exit::Exit;
use crate::suite::SuiteError;

/// What `import` takes.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// Exports, or folders of them: Export-Clixml, Export-Csv, or the text of Format-List.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The topology's file.
    #[arg(short, long, value_name = "TOPOLOGY.toml")]
    output: PathBuf,
    /// Replaces names, addresses and GUIDs, each always by the same.
    #[arg(long)]
    anonymise: bool,
    /// Replaces a file that is there.
    #[arg(long)]
    replace: bool,
}

/// The most files of one import, and the most bytes of all of them.
const MOST_FILES: usize = 1_000;
const MOST_BYTES_OF_ALL: u64 = 4 * MOST_BYTES;

/// The most files of a folder that are named where they are passed over.
const MOST_NAMED: usize = 20;

/// The most characters of one note: a value in it may be as long as an export.
const MOST_CHARACTERS: usize = 600;

pub(super) fn import(options: &Import) -> Exit {
    inner(options).map_or_else(|exit| exit, |()| Exit::AsExpected)
}

fn inner(options: &Import) -> Result<(), Exit> {
    let output = &options.output;
    if output.extension().is_none_or(|extension| extension != "toml") {
        return Err(bad_input(format!(
            "{}: a topology's file ends with .toml, by which commands know it",
            output.display()
        )));
    }
    if output.exists() && !options.replace {
        let says = format!("{} is there already: name another file, or say --replace", output.display());
        return Err(bad_input(says));
    }
    let exports = exports(&options.files).map_err(bad_input)?;
    let Imported { text, topology, notes } =
        formats::import(&exports, options.anonymise).map_err(|problems| {
            say::suite_error(&SuiteError::Wrong(problems));
            bad_input("nothing was written")
        })?;
    whole(output, &text, options.replace, OF_ALL).map_err(|error| {
        say::error(format!("{}: {error}", output.display()));
        Exit::Broken
    })?;
    for note in &notes {
        println!("{}", plain(&note.to_string(), MOST_CHARACTERS));
    }
    println!(
        "{}: {} in {}, {}, {} that stand for all, from {}",
        output.display(),
        super::check::counted(topology.servers.len(), "server"),
        super::check::counted(topology.sites.len(), "site"),
        super::check::counted(topology.databases.len(), "database"),
        super::check::counted(topology.mailboxes.len(), "user"),
        super::check::counted(exports.len(), "file")
    );
    let (coexist, file) = (crate::called::coexist(), output.display());
    println!("next: {coexist} check {file}; {coexist} predict {file}; {coexist} e2e --topology {file}");
    Ok(())
}

fn bad_input(says: impl std::fmt::Display) -> Exit {
    say::error(says);
    Exit::BadInput
}

/// What is in the files, and in the files of folders. A folder's other kinds of file are passed over, as are its folders; both are said.
fn exports(named: &[PathBuf]) -> Result<Vec<Export>, String> {
    let mut paths = vec![];
    for path in named {
        if !path.is_dir() {
            paths.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let entries = entries.map_err(|error| format!("{}: {error}", path.display()))?;
        let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
            entries.iter().map(std::fs::DirEntry::path).partition(|path| path.is_dir());
        for folder in folders.iter().filter(|folder| !named.contains(folder)) {
            let says = format!("{}: passed over, since it is in a folder; name it too", folder.display());
            say::error(plain(&says, MOST_CHARACTERS));
        }
        let (mut inside, others): (Vec<PathBuf>, Vec<PathBuf>) =
            files.into_iter().filter(|path| path.is_file()).partition(|path| is_export(path));
        for other in others.iter().filter(|other| !named.contains(other)).take(MOST_NAMED) {
            let says = format!(
                "{}: passed over: what is read is .xml, .clixml, .csv, .txt and .log",
                other.display()
            );
            say::error(plain(&says, MOST_CHARACTERS));
        }
        if inside.is_empty() {
            return Err(format!(
                "{}: there is no .xml, .clixml, .csv, .txt or .log file in it",
                path.display()
            ));
        }
        inside.sort();
        paths.append(&mut inside);
    }
    if paths.len() > MOST_FILES {
        return Err(format!("{} files are more than are read: at most {MOST_FILES}", paths.len()));
    }
    let mut exports: Vec<Export> = vec![];
    let mut bytes = 0;
    for path in paths {
        let export = read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        bytes += export.bytes.len() as u64;
        if bytes > MOST_BYTES_OF_ALL {
            return Err(format!(
                "the files are larger than are read: at most {} MiB",
                MOST_BYTES_OF_ALL >> 20
            ));
        }
        exports.push(export);
    }
    Ok(exports)
}

fn is_export(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| ["xml", "clixml", "csv", "txt", "log"].contains(&extension.as_str()))
}

fn read(path: &Path) -> std::io::Result<Export> {
    let mut bytes = vec![];
    // One byte more than is read shows that there is more.
    std::fs::File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(Export { file: path.display().to_string(), bytes })
}

/// The rights of a file that is no secret: what the user's mask leaves of them.
pub(super) const OF_ALL: u32 = 0o666;

/// A file is whole or not there: written beside, with these rights, then put in place.
pub(super) fn whole(path: &Path, text: &str, replace: bool, mode: u32) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    // A link is refused where somebody made the file meanwhile; a rename would not be.
    let placed = written.and_then(|()| match replace {
        true => std::fs::rename(&beside, path),
        // Not every file system has links: FAT has none.
        false => std::fs::hard_link(&beside, path).or_else(|_| place_without_links(&beside, path)),
    });
    // Gone already where it was renamed.
    drop(std::fs::remove_file(&beside));
    placed
}

/// Takes the name, which is refused where somebody has it, and puts the file there.
fn place_without_links(beside: &Path, path: &Path) -> std::io::Result<()> {
    drop(std::fs::File::create_new(path)?);
    let placed = std::fs::rename(beside, path);
    if placed.is_err() {
        drop(std::fs::remove_file(path));
    }
    placed
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn without_links_a_file_is_put_where_none_is_and_never_over_another() {
        let folder = std::env::temp_dir().join(format!("coexist-import-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (beside, path) = (folder.join("part"), folder.join("whole"));
        std::fs::write(&beside, "ours").unwrap();
        place_without_links(&beside, &path).unwrap();
        let placed = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&beside, "theirs").unwrap();
        let refused = place_without_links(&beside, &path).map_err(|error| error.kind());
        let kept = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(&beside).unwrap();
        let failed = place_without_links(&beside, &path).map_err(|error| error.kind());
        let left = path.exists();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((placed.as_str(), kept.as_str()), ("ours", "ours"));
        assert_eq!((refused, failed), (Err(ErrorKind::AlreadyExists), Err(ErrorKind::NotFound)));
        assert!(!left);
    }
}
