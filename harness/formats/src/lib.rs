//! Reads what administrators export from Exchange 2007, 2010 and 2013, and makes a topology of it.
//!
//! Pure: bytes in, text out. Bytes become text (`encoding`), text becomes records (`clixml`, `csv`, `list`), of which a
//! record's type, name or properties say what cmdlet wrote it (`cmdlet`); records become rows with types (`rows`), rows are
//! given other names where that is wanted (`anonymise`), and become a topology (`assemble`). What was missing, left out
//! or assumed on the way is noted, and stands at the head of the file too.
//!
//! The other way, a lab is written down for those who run containers (`manifests`).
//!
//! Absent: mailboxes and what is in them. No export has them; one user stands for those of all databases that are alike.

mod anonymise;
mod assemble;
mod clixml;
mod cmdlet;
mod csv;
mod encoding;
mod list;
pub mod manifests;
mod note;
mod reading;
mod record;
mod rows;

use model::Topology;
use model::problem::{Problem, Source};
use model::topology::{Setting, TopologyFiles};

pub use note::{Kind, Note};

/// The most bytes that one export may have.
pub const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// A file as it was exported.
#[derive(Debug, Clone)]
pub struct Export {
    /// Its name, as its owner would say it.
    pub file: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A topology made of exports.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The text of its file.
    pub text: String,
    /// The same, read.
    pub topology: Topology,
    /// What was missing, left out, doubtful or assumed.
    pub notes: Vec<Note>,
}

/// Makes a topology of exports. With `anonymise`, names, addresses and GUIDs are replaced, each always by the same.
///
/// # Errors
/// What cannot be read, contradicts itself, or is too little for a topology: each with its place.
pub fn import(exports: &[Export], anonymise: bool) -> Result<Imported, Vec<Problem>> {
    let mut notes = vec![];
    let mut problems = vec![];
    let mut records = vec![];
    let mut sources = vec![];
    for export in exports {
        match read(export, &mut notes) {
            Ok((source, found)) => {
                records.extend(found);
                sources.push(source);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let known = cmdlet::told_apart(records, &mut notes).map_err(|wrong| place(&sources, wrong))?;
    let rows = rows::read(known, &mut notes).map_err(|wrong| place(&sources, wrong))?;
    // What is said speaks of real names, for the terminal of whoever has them; what is written of others, where that is wanted.
    let topology = assemble::assemble(&rows, &mut notes);
    let topology = topology.map_err(|wrong| place(&sources, with_reasons(wrong, &notes)))?;
    let text = match anonymise {
        false => written(&topology, &notes)?,
        true => {
            let mut of_others = vec![];
            let anonymised = assemble::assemble(&anonymise::anonymised(rows), &mut of_others);
            written(&anonymised.map_err(|wrong| place(&sources, wrong))?, &of_others)?
        }
    };
    let topology = TopologyFiles::base(Source::new("imported.toml", text.clone())).build(&Setting::new());
    Ok(Imported { text, topology: topology.map_err(|problem| vec![problem])?, notes })
}

/// Something wrong, and where in which export.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) at: Option<record::Place>,
    pub(crate) message: String,
    pub(crate) help: String,
}

fn read(export: &Export, notes: &mut Vec<Note>) -> Result<(Source, Vec<record::Record>), Problem> {
    let whole = |message: &str, help: &str| {
        Source::new(&*export.file, "").problem(None, message, Some(help.to_owned()))
    };
    if export.bytes.len() as u64 > MOST_BYTES {
        return Err(whole(
            "it is larger than 64 MiB",
            "export the cmdlets of harness/formats/collect.ps1 alone",
        ));
    }
    let text = encoding::decoded(&export.bytes);
    if text.trim().is_empty() {
        let says = "nothing is in it: the cmdlet found nothing, or it was cut short";
        notes.push(Note::new(Kind::Doubtful, &export.file, says));
        return Ok((Source::new(&*export.file, text), vec![]));
    }
    let source = Source::new(&*export.file, text);
    let is_xml = source.text.trim_start().starts_with('<');
    let records = match () {
        () if is_xml => clixml::read(&source)?,
        () if csv::is_one(&source.text) => csv::read(&source)?,
        () => list::read(&source, notes)?,
    };
    if records.is_empty() && !is_xml {
        let says = "no object is in it: the cmdlet found nothing, or what it wrote is elsewhere";
        notes.push(Note::new(Kind::Doubtful, &export.file, says));
    }
    // Every program that writes such a file ends its last line; XML is whole where its elements are.
    if !is_xml && !source.text.ends_with(['\n', '\r']) {
        let at = format!("{}:{}", export.file, source.text.lines().count());
        let says = "the file ends in the middle of a line: if it was cut short, the last value is not whole; export it again";
        notes.push(Note::new(Kind::Doubtful, at, says));
    }
    Ok((source, records))
}

/// The most that was left out of what a refusal names.
const MOST_REASONS: usize = 10;

/// What is too little for a topology may be so because of what was left out: nobody is told of that where nothing is written.
fn with_reasons(wrong: Vec<Wrong>, notes: &[Note]) -> Vec<Wrong> {
    let left_out: Vec<String> =
        notes.iter().filter(|note| note.kind == Kind::LeftOut).map(|note| format!("\n{note}")).collect();
    let named = left_out[..left_out.len().min(MOST_REASONS)].concat();
    let reasoned = |wrong: Wrong| Wrong { help: format!("{}{named}", wrong.help), ..wrong };
    wrong.into_iter().map(reasoned).collect()
}

fn place(sources: &[Source], wrong: Vec<Wrong>) -> Vec<Problem> {
    let placed = |Wrong { at, message, help }: Wrong| {
        let nowhere = Source::new("the export", "");
        let source = at.as_ref().and_then(|at| sources.iter().find(|source| *source.file == *at.file));
        let span = at.as_ref().zip(source).and_then(|(at, source)| source_line(&source.text, at.line));
        source.unwrap_or(&nowhere).problem(span, message, Some(help))
    };
    wrong.into_iter().map(placed).collect()
}

/// The bytes of a line, counted from 1, without the spaces around it.
fn source_line(text: &str, line: usize) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    for (number, one) in (1..).zip(text.split_inclusive('\n')) {
        if number == line {
            let lead = one.len() - one.trim_start().len();
            return Some(start + lead..start + one.trim_end().len().max(lead));
        }
        start += one.len();
    }
    None
}

fn written(topology: &Topology, notes: &[Note]) -> Result<String, Vec<Problem>> {
    let body = toml::to_string(topology)
        .map_err(|error| vec![Source::new("imported.toml", "").problem(None, error.to_string(), None)])?;
    let mut head = "# A topology made by `coexist import`. What no export says was assumed: read this, and mend the file.\n".to_owned();
    for note in notes {
        for line in note.to_string().lines() {
            let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            head.push_str(&format!("# {clean}\n"));
        }
    }
    Ok(format!("{head}\n{body}"))
}
