//! `coexist import`: makes a topology of what administrators export from Exchange.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use formats::{Export, Imported, MOST_BYTES};

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

pub(super) fn import(options: &Import) -> Exit {
    match inner(options) {
        Ok(()) => Exit::AsExpected,
        Err(says) => {
            says.into_iter().for_each(say::error);
            Exit::BadInput
        }
    }
}

fn inner(options: &Import) -> Result<(), Vec<String>> {
    let output = &options.output;
    if output.extension().is_none_or(|extension| extension != "toml") {
        return Err(vec![format!(
            "{}: a topology's file ends with .toml, by which commands know it",
            output.display()
        )]);
    }
    if output.exists() && !options.replace {
        let says = format!("{} is there already: name another file, or say --replace", output.display());
        return Err(vec![says]);
    }
    let exports = exports(&options.files).map_err(|error| vec![error])?;
    let Imported { text, topology, notes } =
        formats::import(&exports, options.anonymise).map_err(|problems| {
            let error = SuiteError::Wrong(problems);
            say::suite_error(&error);
            vec!["nothing was written".to_owned()]
        })?;
    whole(output, &text, options.replace, OF_ALL)
        .map_err(|error| vec![format!("{}: {error}", output.display())])?;
    for note in &notes {
        println!("{note}");
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
    let file = output.display();
    println!("next: coexist check {file}; coexist predict {file}; coexist e2e --topology {file}");
    Ok(())
}

/// What is in the files, and in the files of folders; a folder's other kinds of file are passed over.
fn exports(named: &[PathBuf]) -> Result<Vec<Export>, String> {
    let mut paths = vec![];
    for path in named {
        if !path.is_dir() {
            paths.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let entries = entries.map_err(|error| format!("{}: {error}", path.display()))?;
        let mut inside: Vec<PathBuf> = entries
            .iter()
            .map(std::fs::DirEntry::path)
            .filter(|path| is_export(path) && path.is_file())
            .collect();
        if inside.is_empty() {
            return Err(format!("{}: there is no .xml, .clixml, .csv or .txt file in it", path.display()));
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
        false => std::fs::hard_link(&beside, path),
    });
    // Gone already where it was renamed.
    drop(std::fs::remove_file(&beside));
    placed
}
