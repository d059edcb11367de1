//! A run: labs side by side, cases side by side in each, verdicts in an order drawn from the seed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lab::ground::Ground;
use lab::seat::Stopped;
use lab::{Lab, LabError};
use ledger::{Arrival, Claim, Conveyed, Ledger, Opener, claimed_by_connection};
use model::case::Case;
use model::journal::Journal;
use model::subject::{Feature, Instances, Subject};
use model::verdict::{Difference, Outcome, UNTRIED, Verdict};
use model::{CaseId, Protocol, ServerName};
use report::html::Evidence;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::declared;
use crate::evidence::{Desk, line};
use crate::exit::Ending;
use crate::findings;
use crate::judge::pings::Paces;
use crate::judge::{Trace, speaks, strangers};
use crate::lab_of::{self, Group};
use crate::play;
use crate::select::shuffle;
use crate::suite::Suite;
pub use how::{Hosting, How, Work};
use standing::Standing;

mod how;
mod standing;

/// What a run came to.
#[derive(Default)]
pub struct Came {
    /// One verdict a case.
    pub verdicts: Vec<Verdict>,
    /// What the verdicts were made of, for the faults of the harness.
    pub traces: BTreeMap<CaseId, Trace>,
    /// What decides the exit code.
    pub ending: Ending,
    /// The ledger's lines, where they are kept.
    pub ledger: Vec<String>,
    /// From the first lab's start to the last verdict.
    pub took: Duration,
    /// Labs brought up.
    pub labs: usize,
    /// Arrivals recorded.
    pub arrivals: u64,
    /// What was asked of the labs' DNS, and what of their directories.
    pub(crate) beside: Beside,
    /// Cases whose lab had an arrival that belongs to nobody.
    pub suspects: BTreeSet<CaseId>,
    /// What cases that are not as expected left behind.
    pub evidence: BTreeMap<CaseId, Evidence>,
    /// Why some of that could not be written.
    pub unwritten: Option<String>,
    /// Cases in which a defect of the subject says that it lied (`{work}/fired`).
    pub fired: BTreeSet<CaseId>,
    /// Requests in which a subject spoke for a user as it declares.
    pub spoke_as_declared: usize,
    /// How health rounds came, in the cases that look at them.
    pub(crate) paces: Paces,
    /// The servers' logs, where the ledger's lines are kept: of each lab one below the other.
    pub(crate) iis: BTreeMap<ServerName, String>,
    /// For each lab whose subject died: the cases that were running then.
    pub deaths: Vec<BTreeSet<CaseId>>,
    /// Subjects that did not end when they were asked to, and in how many labs.
    pub killed: BTreeMap<String, usize>,
}

/// What programs asked of a lab beside its servers.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Beside {
    /// DNS queries.
    pub(crate) queries: u64,
    /// Requests at the directory's doors.
    pub(crate) directory: u64,
}

/// Told after each verdict: how many are done, of how many, how many are not as expected.
pub type Progress = Arc<dyn Fn(usize, usize, usize) + Send + Sync>;

/// Runs everything. Returns early, with what there is, when `stop` is cancelled.
pub async fn run(
    suite: Arc<Suite>,
    ground: Arc<Ground>,
    work: Vec<Work>,
    how: How,
    stop: CancellationToken,
    progress: Progress,
) -> Came {
    let started = Instant::now();
    let selected: usize = work.iter().map(|work| work.cases.len()).sum();
    let state = Arc::new(State {
        suite,
        ground,
        jobs: Semaphore::new(how.jobs.max(1)),
        labs: Semaphore::new(how.labs.max(1)),
        how,
        stop,
        came: Mutex::new(Came::default()),
        done: AtomicUsize::new(0),
        wrong: AtomicUsize::new(0),
        standing: Standing::default(),
        numbers: AtomicU64::new(0),
        selected,
        progress,
    });
    let mut running = JoinSet::new();
    for work in work {
        let subject = Arc::new(work.subject);
        let mut wanted = vec![];
        for case in work.cases {
            match not_for(&state.suite, &case, &subject.0) {
                None if case.finds.is_some() => state.look_at(&case).await,
                None => wanted.push(case),
                Some(why) => state.add(skip(&case, why, state.how.again(&state.suite, &case.id)), None).await,
            }
        }
        shuffle(&mut wanted, state.how.seed);
        // Labs of a subject of which only one can run come one after the other.
        let alone = match subject.0.run.instances {
            Instances::One => Some(Arc::new(Semaphore::new(1))),
            Instances::Many => None,
        };
        for group in lab_of::groups(&wanted, state.how.isolate) {
            running.spawn(state.clone().run_group(subject.clone(), group, alone.clone()));
        }
    }
    joined(running).await;
    let interrupted = state.stop.is_cancelled();
    let mut came = std::mem::take(&mut *state.came.lock().await);
    came.verdicts.sort_by(|a, b| a.id.cmp(&b.id));
    came.took = started.elapsed();
    came.ending.selected = selected;
    came.ending.interrupted = interrupted;
    came.ending.subject_answered = state.standing.all_answered();
    came.killed = state.standing.killed();
    came
}

/// A lab while its cases run.
struct Seated {
    lab: Arc<Lab>,
    subject: Arc<(Subject, PathBuf)>,
    /// Cases that were running when the subject died.
    fell: Arc<Mutex<BTreeSet<CaseId>>>,
}

/// Why there is no lab, and whether that is the subject's own affair: then the next lab would not have it either.
struct NoLab {
    says: String,
    of_subject: bool,
}

struct State {
    suite: Arc<Suite>,
    ground: Arc<Ground>,
    how: How,
    stop: CancellationToken,
    jobs: Semaphore,
    labs: Semaphore,
    came: Mutex<Came>,
    done: AtomicUsize,
    wrong: AtomicUsize,
    standing: Standing,
    numbers: AtomicU64,
    selected: usize,
    progress: Progress,
}

impl State {
    async fn run_group(
        self: Arc<Self>,
        subject: Arc<(Subject, PathBuf)>,
        group: Group,
        alone: Option<Arc<Semaphore>>,
    ) {
        let _alone = match &alone {
            Some(alone) => alone.acquire().await.ok(),
            None => None,
        };
        let Ok(_turn) = self.labs.acquire().await else { return };
        if self.stop.is_cancelled() {
            return;
        }
        if let Some(why) = self.standing.hopeless(&subject.0.name) {
            return self.leave_out(&group.cases, Outcome::Setup, &why).await;
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let folder = self.how.folder.join(format!("lab-{number}"));
        let ledger = Ledger::default();
        let started = tokio::select! {
            // What was started ends with the future that started it.
            () = self.stop.cancelled() => return,
            started = self.bring_up(&subject, &group, &folder, &ledger) => started,
        };
        let desk = self.desk(&subject.0, &group, &folder, &ledger);
        let (lab, desk) = match started {
            Ok(lab) => (Arc::new(lab), desk),
            Err(why) => return self.did_not_start(&subject.0.name, &group.cases, why, desk.as_ref()).await,
        };
        self.standing.came_up(&subject.0.name);
        let desk = desk.map(|desk| Arc::new(desk.knows(&lab)));
        let ids: Vec<CaseId> = group.cases.iter().map(|case| case.id.clone()).collect();
        let allowed = allowed(&group.cases);
        let mut cases = JoinSet::new();
        let fell = Arc::new(Mutex::new(BTreeSet::new()));
        for case in group.cases {
            let seat = Seated { lab: lab.clone(), subject: subject.clone(), fell: fell.clone() };
            cases.spawn(self.clone().run_case(seat, case, group.shared, desk.clone()));
        }
        joined(cases).await;
        let fell = std::mem::take(&mut *fell.lock().await);
        if !fell.is_empty() {
            self.came.lock().await.deaths.push(fell);
        }
        let fired = fired(&folder, &ledger, &ids);
        self.came.lock().await.fired.extend(fired);
        self.came.lock().await.beside.directory += lab.directory().asked();
        if let Some(lab) = Arc::into_inner(lab)
            && lab.stop().await == Some(Stopped::Killed)
        {
            self.standing.was_killed(&subject.0.name);
        }
        let arrivals = claimed_by_connection(&ledger.all());
        self.hold_against_the_end(&ids, !group.shared, &ledger, &arrivals, desk.as_deref()).await;
        self.keep(&ids, &allowed, &ledger, &arrivals).await;
        if let Some(desk) = desk.as_deref().filter(|_| self.how.ledger_lines) {
            let logs = desk.logs(&arrivals);
            let mut came = self.came.lock().await;
            logs.into_iter().for_each(|(server, log)| came.iis.entry(server).or_default().push_str(&log));
        }
        // A folder that cannot be removed is left to whoever cleans temporary files.
        let removed = std::fs::remove_dir_all(&folder);
        drop(removed);
    }

    async fn bring_up(
        &self,
        (subject, path): &(Subject, PathBuf),
        group: &Group,
        folder: &Path,
        ledger: &Ledger,
    ) -> Result<Lab, NoLab> {
        let subject = Some((subject.clone(), path.as_path()));
        let plan = lab_of::plan(&self.suite, group, subject, folder, ledger.clone());
        let plan = plan.map_err(|error| NoLab { says: error.to_string(), of_subject: false })?;
        Lab::start(&self.ground, plan).await.map_err(|error| NoLab {
            says: error.to_string(),
            of_subject: matches!(error, LabError::Seat(ref why) if why.is_of_the_program()),
        })
    }

    /// Judges what `check` says of a topology.
    async fn look_at(&self, case: &Case) {
        let verdict = findings::verdict(&self.suite, case, self.how.again(&self.suite, &case.id));
        let verdict = verdict.unwrap_or_else(|error| {
            play::unplayed(case, error.to_string(), self.how.again(&self.suite, &case.id))
        });
        self.came.lock().await.ending.looked_at += 1;
        self.add(verdict, None).await;
    }

    /// The first case of a lab that is not there says why, and the others point to it.
    async fn did_not_start(&self, subject: &str, cases: &[Arc<Case>], why: NoLab, desk: Option<&Desk>) {
        let Some((first, others)) = cases.split_first() else { return };
        let known = self.standing.hopeless(subject).filter(|_| why.of_subject);
        if why.of_subject {
            self.standing.could_not_be_started(subject, &first.id);
        }
        if let Some(known) = known {
            return self.leave_out(cases, Outcome::Setup, &known).await;
        }
        let verdict = play::unplayed(first, why.says, self.how.again(&self.suite, &first.id));
        self.save(desk, &verdict, &[]).await;
        self.add(verdict, None).await;
        let there = format!("not tried: its lab is not there; {} says why", first.id);
        self.leave_out(others, Outcome::Setup, &self.standing.hopeless(subject).unwrap_or(there)).await;
    }

    /// Cases that are not tried any more, each for the same reason.
    async fn leave_out(&self, cases: &[Arc<Case>], outcome: Outcome, why: &str) {
        for case in cases {
            let mut verdict = play::unplayed(case, why.to_owned(), self.how.again(&self.suite, &case.id));
            verdict.outcome = outcome;
            verdict.why.iter_mut().for_each(|why| why.what = UNTRIED.to_owned());
            self.add(verdict, None).await;
        }
    }

    async fn run_case(
        self: Arc<Self>,
        Seated { lab, subject, fell }: Seated,
        case: Arc<Case>,
        shared: bool,
        desk: Option<Arc<Desk>>,
    ) {
        let Ok(_turn) = self.jobs.acquire().await else { return };
        if let Some(died) = lab.subject_died() {
            let verdict = play::unplayed(
                &case,
                format!("the subject had died: {died}"),
                self.how.again(&self.suite, &case.id),
            );
            self.save(desk.as_deref(), &verdict, &[]).await;
            self.add(verdict, None).await;
            return;
        }
        let silent = self.standing.silent(&subject.0.name).filter(|_| self.how.gives_up);
        if let Some(why) = silent.filter(|_| asks(&case, &lab)) {
            return self.leave_out(&[case], Outcome::Unobserved, &why).await;
        }
        desk.iter().for_each(|desk| desk.begins(&case.id));
        // Of a lab with a fault the case is judged by the topology that it was written for.
        let written = self.suite.lab_fault.and_then(|_| self.suite.topology_of(&case).ok());
        let topology = written.unwrap_or_else(|| lab.directory().topology());
        let played = tokio::select! {
            () = self.stop.cancelled() => return,
            played = play::play(&lab, &case, topology, shared, self.how.again(&self.suite, &case.id)) => played,
        };
        desk.iter().for_each(|desk| desk.ends(&case.id));
        let (positions, seat) = (lab.positions(), lab.directory().topology().seat.clone());
        let exchanges = played.trace.journals.iter().flat_map(|j| &j.legs).flat_map(|leg| &leg.exchanges);
        let at_seat: Vec<_> = exchanges
            .filter(|exchange| exchange.dialled.is_some_and(|to| positions.get(&to.ip()) == Some(&seat)))
            .collect();
        if !at_seat.is_empty() {
            let answers = at_seat.iter().filter(|exchange| exchange.status != 0).count();
            self.standing.asked(&subject.0.name, answers, lab.subject_died().is_some());
        }
        let mut verdict = played.verdict;
        let heard = declared::heard(&subject.0.declares, &played.trace);
        let paces = Paces::of(&played.trace);
        let mut came = self.came.lock().await;
        came.spoke_as_declared += heard.held;
        came.paces.add(paces);
        drop(came);
        if !heard.otherwise.is_empty() && matches!(verdict.outcome, Outcome::Pass | Outcome::Fail) {
            verdict.outcome = Outcome::Fail;
            verdict.why.extend(heard.otherwise);
        }
        if verdict.outcome == Outcome::Setup && lab.subject_died().is_some() {
            fell.lock().await.insert(case.id.clone());
        }
        if let Some(deviation) = subject.0.deviations.get(&case.id) {
            match verdict.outcome {
                Outcome::Fail => {
                    verdict.outcome = Outcome::ExpectedFail;
                    verdict.likely = Some(deviation.why.clone());
                }
                Outcome::Pass => {
                    verdict.outcome = Outcome::UnexpectedPass;
                    let says = format!(
                        "{} is listed as a deviation ({}) and passes: remove it",
                        case.id, deviation.why
                    );
                    verdict.why.push(play::setup(says));
                }
                _ => {}
            }
        }
        self.save(desk.as_deref(), &verdict, &played.trace.journals).await;
        self.add(verdict, Some(played.trace)).await;
    }

    /// Where the evidence of a group's cases is written, if any is kept.
    fn desk(&self, subject: &Subject, group: &Group, folder: &Path, ledger: &Ledger) -> Option<Desk> {
        let topology = group.cases.first().map(|case| case.topology_name()).unwrap_or_default();
        let lab = if group.shared { "shared with other cases" } else { "of its own" };
        let (seed, ground) = (self.how.seed, self.ground.kind());
        let facts = format!(
            "seed       {seed:04x}\nsubject    {}\nlab        {topology}, {lab}, on the ground `{ground}`\n",
            subject.name
        );
        self.how.evidence.as_ref().map(|report| Desk::new(report, folder, ledger, facts))
    }

    /// Keeps the evidence of what is not as expected, while the lab is still there.
    async fn save(&self, desk: Option<&Desk>, verdict: &Verdict, journals: &[Journal]) {
        let Some(desk) = desk.filter(|_| !verdict.outcome.as_expected()) else { return };
        let saved = desk.save(verdict, journals);
        let mut came = self.came.lock().await;
        match saved {
            Ok(evidence) => {
                came.evidence.insert(verdict.id.clone(), evidence);
            }
            Err(error) => came.unwritten = Some(format!("{}: {error}", verdict.id)),
        }
    }

    async fn add(&self, verdict: Verdict, trace: Option<Trace>) {
        let wrong = usize::from(!verdict.outcome.as_expected());
        let mut came = self.came.lock().await;
        if let Some(trace) = trace {
            came.traces.insert(verdict.id.clone(), trace);
        }
        came.verdicts.push(verdict);
        let wrong = self.wrong.fetch_add(wrong, Ordering::Relaxed) + wrong;
        (self.progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1, self.selected, wrong);
    }

    /// Nothing may come after a case was judged: a request that is mirrored or repeated later fails it all the same.
    async fn hold_against_the_end(
        &self,
        ids: &[CaseId],
        alone: bool,
        ledger: &Ledger,
        arrivals: &[Arc<Arrival>],
        desk: Option<&Desk>,
    ) {
        let mut by_case: HashMap<&CaseId, Vec<&Arc<Arrival>>> = HashMap::new();
        for arrival in arrivals {
            if let Some(case) = &arrival.case {
                by_case.entry(case).or_default().push(arrival);
            }
        }
        let mut overtaken = vec![];
        let mut came = self.came.lock().await;
        let Came { verdicts, traces, .. } = &mut *came;
        for id in ids {
            let Some(trace) = traces.get(id) else { continue };
            let all = by_case.get(id).map_or(&[][..], |all| all);
            let unknown = |a: &Arrival| trace.arrivals.iter().all(|known| known.order != a.order);
            let late = all.iter().find(|a| unknown(a) && speaks(&trace.topology, a));
            let late = late.map(|late| Difference {
                leg: 0,
                what: "hops".to_owned(),
                says: format!(
                    "{} {} arrived at {} after the client had its answer",
                    late.verb, late.target, late.server
                ),
            });
            // Another case's request may have been served as this one's user when all was said here.
            let taken = ledger.served_as_users_of(id).iter().find_map(|arrival| strangers::says(arrival));
            // What nobody asked for is the case's whose lab it is.
            let unasked = || unasked(arrivals).filter(|_| alone);
            let Some(why) = taken.map(strangers::stranger).or(late).or_else(unasked) else { continue };
            let passed = verdicts.iter_mut().rfind(|v| v.id == *id && v.outcome == Outcome::Pass);
            if let Some(verdict) = passed {
                verdict.outcome = Outcome::Fail;
                verdict.why.push(why);
                self.wrong.fetch_add(1, Ordering::Relaxed);
                overtaken.push((verdict.clone(), trace.journals.clone()));
            }
        }
        drop(came);
        for (verdict, journals) in overtaken {
            self.save(desk, &verdict, &journals).await;
        }
    }

    async fn keep(
        &self,
        ids: &[CaseId],
        allowed: &BTreeSet<ServerName>,
        ledger: &Ledger,
        arrivals: &[Arc<Arrival>],
    ) {
        let unclaimed = arrivals.iter().filter(|arrival| is_unclaimed(arrival, allowed)).count() as u64;
        let mut came = self.came.lock().await;
        came.labs += 1;
        came.arrivals += arrivals.len() as u64;
        let queries = ledger.queries().len() as u64;
        came.beside.queries += queries;
        came.ending.recorded += arrivals.len() as u64 + queries;
        came.ending.unclaimed += unclaimed;
        if unclaimed > 0 {
            came.suspects.extend(ids.iter().cloned());
        }
        if self.how.ledger_lines {
            came.ledger.extend(arrivals.iter().filter_map(|arrival| line(arrival)));
        }
    }
}

/// The cases whose clients a defect lied to: one line a lie, with the client's socket, or that it was to everybody.
fn fired(folder: &Path, ledger: &Ledger, everybody: &[CaseId]) -> Vec<CaseId> {
    let lines = std::fs::read_to_string(folder.join("fired")).unwrap_or_default();
    let words: BTreeSet<&str> = lines.lines().filter_map(|line| line.split_whitespace().last()).collect();
    if words.contains("everybody") {
        return everybody.to_vec();
    }
    words
        .into_iter()
        .filter_map(|word| word.parse().ok())
        .filter_map(|socket| match ledger.opener(socket) {
            Some(Opener::Client(case)) => Some(case),
            _ => None,
        })
        .collect()
}

/// Whether an arrival belongs to nobody, and is of no kind that may: a ping, or a request without credentials at a server
/// that a leg of the lab's cases allows.
fn is_unclaimed(arrival: &Arrival, allowed: &BTreeSet<ServerName>) -> bool {
    if arrival.asks_for_health() {
        return false;
    }
    // IMAP and POP have nothing that anybody may ask.
    let anybody = arrival.identity.conveyed == Conveyed::Nothing
        && arrival.identity.believed_to_be.is_none()
        && !is_mail(arrival);
    arrival.claimed_by == Claim::Nobody && !(anybody && allowed.contains(&arrival.server))
}

/// A server whose IMAP or POP port was touched though no client had a session (rules CX-IMAP-7 and CX-POP-7).
fn unasked(arrivals: &[Arc<Arrival>]) -> Option<Difference> {
    let nobodys = |arrival: &&Arc<Arrival>| is_mail(arrival) && arrival.claimed_by == Claim::Nobody;
    let arrival = arrivals.iter().find(nobodys)?;
    let says = format!(
        "{} was touched by {} without a client's session (CX-{1}-7)",
        arrival.server,
        arrival.protocol.as_str().to_ascii_uppercase()
    );
    Some(Difference { leg: 0, what: "invariant".to_owned(), says })
}

fn is_mail(arrival: &Arrival) -> bool {
    matches!(arrival.protocol, Protocol::Imap | Protocol::Pop)
}

/// Whether a client of the case asks the subject something.
fn asks(case: &Case, lab: &Lab) -> bool {
    let seat = &lab.directory().topology().seat;
    let legs = case.steps.iter().flat_map(|step| &step.then);
    legs.filter_map(|leg| leg.hops.first()).any(|hop| hop.at.admits(seat))
}

/// The servers that some leg of these cases allows.
fn allowed(cases: &[Arc<Case>]) -> BTreeSet<ServerName> {
    let legs = cases.iter().flat_map(|case| &case.steps).flat_map(|step| &step.then);
    legs.flat_map(|leg| &leg.hops).flat_map(|hop| hop.at.0.clone()).collect()
}

/// Why a case is not for a subject: a feature that it does not claim, or another behaviour that it declares.
fn not_for(suite: &Suite, case: &Case, subject: &Subject) -> Option<String> {
    let claimed = |feature: &&Feature| subject.features.contains(feature);
    let missing: Vec<&str> =
        case.needs.iter().filter(|feature| !claimed(feature)).map(|feature| feature.as_str()).collect();
    if !missing.is_empty() {
        return Some(format!("{} does not claim {}", subject.name, missing.join(", ")));
    }
    declared::not_for(suite, case, subject)
}

fn skip(case: &Case, why: String, again: String) -> Verdict {
    let mut verdict = play::unplayed(case, why, again);
    verdict.outcome = Outcome::Skip;
    verdict
}

/// Joins everything; a panic is raised again.
async fn joined(mut tasks: JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
