//! What a case that did not end as expected leaves behind: a folder from which it can be understood without a second run.
//!
//! A [`Desk`] belongs to one lab. It knows where ledger and log stood when each case began and ended, and writes while the
//! lab's own folder is still there.

mod files;
mod secrets;

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use directory::Directory;
use lab::Lab;
use ledger::{Arrival, Ledger, Query};
use model::journal::{Journal, Order};
use model::verdict::Verdict;
use model::{CaseId, ServerName, Version, View};
use report::html::Evidence;

use files::Share;
use secrets::Secrets;

pub use secrets::line;

/// The evidence of one lab's cases.
pub struct Desk {
    folder: PathBuf,
    ledger: Ledger,
    log: PathBuf,
    /// Servers that keep a log, each by its address.
    iis: Vec<(ServerName, IpAddr)>,
    /// Who asks DNS from an address.
    askers: BTreeMap<IpAddr, String>,
    /// Whose passwords and tickets there are.
    directory: Option<Directory>,
    /// What every case of the lab has in common, in lines.
    facts: String,
    spans: Mutex<BTreeMap<CaseId, Span>>,
}

/// A case's time.
#[derive(Debug, Clone, Copy)]
struct Span {
    began: Mark,
    ended: Option<Mark>,
}

/// Where a lab's records stood at a moment.
#[derive(Debug, Clone, Copy)]
struct Mark {
    order: Order,
    /// The length of the subject's log.
    log: u64,
}

impl Desk {
    /// For a lab whose own folder is `work`. `folder` is the report's, `facts` are lines for `again.txt`.
    pub fn new(folder: &Path, work: &Path, ledger: &Ledger, facts: String) -> Desk {
        Desk {
            folder: folder.to_owned(),
            ledger: ledger.clone(),
            log: work.join("logs").join("subject.log"),
            iis: vec![],
            askers: BTreeMap::new(),
            directory: None,
            facts,
            spans: Mutex::default(),
        }
    }

    /// Learns who is who, now that the lab is up.
    pub fn knows(mut self, lab: &Lab) -> Desk {
        self.directory = Some(lab.directory().clone());
        let seat = lab.directory().topology().seat.clone();
        let subject = lab.address(&seat);
        let topology = lab.directory().topology();
        let servers = topology.servers.keys().filter(|server| **server != seat);
        self.iis = servers.filter_map(|server| Some((server.clone(), lab.address(server)?))).collect();
        self.askers = lab.positions().into_iter().map(|(ip, server)| (ip, server.to_string())).collect();
        self.askers.extend(subject.map(|ip| (ip, format!("{seat}, the subject"))));
        for view in [View::Internal, View::External] {
            self.askers.insert(lab.client_address(view), "a client".to_owned());
        }
        self
    }

    /// A case begins.
    pub fn begins(&self, case: &CaseId) {
        let began = self.mark();
        self.spans().insert(case.clone(), Span { began, ended: None });
    }

    /// A case has ended.
    pub fn ends(&self, case: &CaseId) {
        let ended = self.mark();
        if let Some(span) = self.spans().get_mut(case) {
            span.ended = Some(ended);
        }
    }

    /// Writes a case's folder; gives it as the report names it.
    ///
    /// # Errors
    /// A folder or file that cannot be written.
    pub fn save(&self, verdict: &Verdict, journals: &[Journal]) -> io::Result<Evidence> {
        let named = format!("evidence/{}", verdict.id);
        let folder = self.folder.join(&named);
        std::fs::create_dir_all(&folder)?;
        let now = self.mark();
        let span = self.spans().get(&verdict.id).copied();
        let span = span.unwrap_or(Span { began: Mark { order: Order(0), log: 0 }, ended: Some(now) });
        let queries = self.queries(span, now);
        let texts = [
            (Share::Again, files::again(verdict, &self.facts)),
            (Share::Journeys, report::terminal::failure(verdict, false)),
            (Share::JourneysJson, files::journeys(verdict, journals)),
            (Share::Heads, files::heads(journals)),
            (Share::Dns, files::dns(&queries, |ip| self.asker(ip))),
            (Share::Ledger, files::ledger(&self.ledger.of_case(&verdict.id))),
            (Share::Iis, files::iis(&self.logs_of(&verdict.id, span, now))),
            (Share::Log, self.log(&verdict.id, span, now)),
        ];
        for (share, text) in &texts {
            std::fs::write(folder.join(share.file()), share.cut(text).as_bytes())?;
        }
        Ok(Evidence {
            folder: named,
            files: texts.iter().map(|(share, _)| share.file().to_owned()).collect(),
            dns: queries.iter().map(|query| files::question(query, &self.asker(query.peer.ip()))).collect(),
        })
    }

    fn queries(&self, span: Span, now: Mark) -> Vec<Query> {
        let ended = span.ended.unwrap_or(now).order;
        let of_its_time = |query: &Query| query.order >= span.began.order && query.order <= ended;
        self.ledger.queries().into_iter().filter(of_its_time).collect()
    }

    /// The servers' logs: of this case's requests, and of those of its time that ask for health.
    fn logs_of(&self, case: &CaseId, span: Span, now: Mark) -> Vec<(ServerName, String)> {
        let ended = span.ended.unwrap_or(now).order;
        let mut among = self.ledger.of_case(case);
        let of_its_time = self.ledger.between(Order(0), ended);
        among.extend(
            of_its_time.into_iter().filter(|arrival| arrival.case.is_none() && arrival.asks_for_health()),
        );
        among.sort_by_key(|arrival| arrival.order);
        self.logs(&among)
    }

    /// The log of each server of what is among these arrivals.
    pub fn logs(&self, among: &[Arc<Arrival>]) -> Vec<(ServerName, String)> {
        let version = |server: &ServerName| {
            let topology = self.directory.as_ref().map(Directory::topology)?;
            Some(match topology.server(server)?.version {
                Version::Exchange2007 => "7.0",
                Version::Exchange2010 => "7.5",
                Version::Exchange2013 => "8.5",
            })
        };
        let log = |(server, ip): &(ServerName, IpAddr)| {
            let log = self.ledger.log_of(server, version(server)?, &ip.to_string(), among)?;
            Some((server.clone(), log))
        };
        self.iis.iter().filter_map(log).collect()
    }

    fn asker(&self, ip: IpAddr) -> String {
        self.askers.get(&ip).cloned().unwrap_or_else(|| ip.to_string())
    }

    /// The subject's log of a case's time, below a line that says whose else it is.
    fn log(&self, case: &CaseId, span: Span, now: Mark) -> String {
        let end = span.ended.unwrap_or(now).log;
        let most = Share::Log.bytes() as u64;
        let from = span.began.log.max(end.saturating_sub(most));
        let read = || {
            let mut file = std::fs::File::open(&self.log)?;
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = vec![];
            file.take(end.saturating_sub(from)).read_to_end(&mut bytes)?;
            io::Result::Ok(bytes)
        };
        let written = match read() {
            Ok(bytes) => {
                let secrets = self.directory.as_ref().map(Secrets::of).unwrap_or_default();
                secrets.left_out_of(&String::from_utf8_lossy(&bytes))
            }
            Err(error) => format!("(no log: {error})\n"),
        };
        files::log(&self.beside(case, span), from - span.began.log, &written)
    }

    /// The cases of the lab that ran at the same time.
    fn beside(&self, case: &CaseId, span: Span) -> Vec<String> {
        let ended = |span: &Span| span.ended.map_or(u64::MAX, |mark| mark.order.0);
        let overlaps =
            |other: &Span| other.began.order.0 <= ended(&span) && ended(other) >= span.began.order.0;
        let spans = self.spans();
        spans
            .iter()
            .filter(|(id, other)| *id != case && overlaps(other))
            .map(|(id, _)| id.to_string())
            .collect()
    }

    fn mark(&self) -> Mark {
        // A subject that was never started has no log.
        let log = std::fs::metadata(&self.log).map(|file| file.len()).unwrap_or_default();
        Mark { order: self.ledger.mark(), log }
    }

    fn spans(&self) -> MutexGuard<'_, BTreeMap<CaseId, Span>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A case's evidence in a report's folder, as a report shows it.
///
/// # Errors
/// What of it is not there, is no file, or holds more than evidence may, by its name.
pub fn left(folder: &Path, case: &CaseId) -> Result<Evidence, String> {
    let named = format!("evidence/{case}");
    let folder = folder.join(&named);
    let mut evidence = Evidence { folder: named, ..Evidence::default() };
    for share in Share::ALL {
        let path = folder.join(share.file());
        let wrong = |says: &str| format!("{}: {says}", path.display());
        let there = std::fs::symlink_metadata(&path).map_err(|error| wrong(&error.to_string()))?;
        if !there.is_file() {
            return Err(wrong("this is no file"));
        }
        if there.len() > share.bytes() as u64 {
            return Err(wrong(&format!("this is longer than the {} bytes of evidence", share.bytes())));
        }
        evidence.files.push(share.file().to_owned());
        if share == Share::Dns {
            let text = std::fs::read_to_string(&path).map_err(|error| wrong(&error.to_string()))?;
            evidence.dns = text.lines().filter_map(files::question_of).collect();
        }
    }
    Ok(evidence)
}

/// Removes what earlier runs left of these cases; whatever else lies there stays.
pub fn forget(folder: &Path, cases: impl Iterator<Item = CaseId>) {
    for case in cases {
        let folder = folder.join("evidence").join(case.as_str());
        for share in Share::ALL {
            // Most were never there; one that cannot be removed is written over, or named by no report.
            drop(std::fs::remove_file(folder.join(share.file())));
        }
        drop(std::fs::remove_dir(folder));
    }
}
