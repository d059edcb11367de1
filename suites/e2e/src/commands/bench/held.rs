//! What a held session costs: thousands of them at once, of four kinds, through the reference in the seat. Who holds them is a
//! process of its own, so that each side's memory is its process's:
//!
//!   `coexist hold` -> cas2013-s1 (the reference) -> mbx2013-s1b (the fake, in this process)     green
//!
//! Outlook Anywhere's channels go straight to the fake where a process may not have as many files open as it takes.

mod hold;
mod session;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use lab::{Lab, Plan};
use ledger::{Arrival, Ledger, News};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::broadcast::error::RecvError;

use super::memory::{self, raise_descriptors};
use super::{Setting, Unmeasured};
use crate::clock::within;
use crate::suite::Suite;

pub(in crate::commands) use hold::hold;

const TOPOLOGY: &str = "coexistence";
const NAMESPACE: &str = "mail.contoso.com";
const SEAT: &str = "cas2013-s1";
const FAKE: &str = "mbx2013-s1b";
const MAILBOX: &str = "green";
/// How many sessions are held in all where only this is measured, and beside other measurements.
const MANY: usize = 10_000;
const FEW: usize = 400;
/// How many files a process has open apart from sessions.
const OTHERS: u64 = 1_000;
/// How long the sessions of one kind may take to stand.
const PATIENCE: Duration = Duration::from_secs(300);

/// A kind of session that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Ping,
    Channels,
    Streaming,
    Idle,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Ping, Kind::Channels, Kind::Streaming, Kind::Idle];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Ping => "ActiveSync Ping",
            Kind::Channels => "Outlook Anywhere IN and OUT",
            Kind::Streaming => "EWS streaming",
            Kind::Idle => "IMAP IDLE",
        })
    }
}

/// What whoever holds the sessions is told first.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    /// A file with the roots to trust.
    ca: PathBuf,
    host: String,
    https: SocketAddr,
    imaps: SocketAddr,
    /// Where channels are opened, and by which name.
    channels: (SocketAddr, String),
    account: String,
    password: String,
}

/// And then, one a line.
#[derive(Debug, Serialize, Deserialize)]
enum Ask {
    /// Hold so many more; a number in front of the first, so that each is another's.
    Hold { kind: Kind, first: usize, count: usize },
    /// How many have ended?
    Ended,
}

/// What it answers, one a line.
#[derive(Debug, Serialize, Deserialize)]
enum Said {
    Standing,
    Ended(usize),
    Wrong(String),
}

/// How many sessions are held at once: many where nothing else is measured.
pub(super) fn sessions(alone: bool) -> usize {
    if alone { MANY } else { FEW }
}

/// How many files the greediest process has open for it: the seat, a connection on either side for each session, and two for
/// a virtual connection.
pub(super) fn descriptors(sessions: usize, channels_through: bool) -> u64 {
    let most = sessions.div_ceil(Kind::ALL.len()) as u64;
    most * (3 * 2 + if channels_through { 4 } else { 0 }) + OTHERS
}

pub(super) async fn measure(setting: &Setting, sessions: usize) -> Result<String, Unmeasured> {
    let may = raise_descriptors(descriptors(sessions, true));
    let channels_through = may >= descriptors(sessions, true);
    let least = descriptors(sessions, false);
    if may < least {
        return Err(Unmeasured::Wrong(format!(
            "{sessions} sessions need {least} open files, and this process may have {may}: raise `ulimit -n`"
        )));
    }
    let topology = setting.suite.topology(TOPOLOGY, &Default::default())?;
    let subject = setting.suite.subject(Suite::reference_for(topology.role))?;
    let plan = Plan {
        topology,
        subject: Some(subject),
        front_end: None,
        leases: vec![],
        faults: vec![],
        health_rounds: false,
        answers: vec![],
        moves: vec![],
        ledger: Ledger::default(),
        folder: setting.folder.join("held"),
    };
    let lab = Lab::start(&setting.ground, plan).await?;
    let measured = tokio::select! {
        // The caller says so.
        () = setting.stop.cancelled() => Ok(String::new()),
        measured = in_lab(setting, &lab, sessions, channels_through) => measured,
    };
    lab.stop().await;
    measured
}

async fn in_lab(
    setting: &Setting,
    lab: &Lab,
    sessions: usize,
    channels_through: bool,
) -> Result<String, Unmeasured> {
    let mut holder = Holder::start(&place(setting, lab, channels_through)?).await?;
    let held = holds(lab, &mut holder, sessions).await;
    holder.ends().await;
    let straight = format!(
        "  {} straight at the fake: not enough open files for both sides of the seat\n",
        Kind::Channels
    );
    held.map(|lines| if channels_through { lines } else { lines + &straight })
}

async fn holds(lab: &Lab, holder: &mut Holder, sessions: usize) -> Result<String, Unmeasured> {
    let seat = lab.subject_pid().ok_or_else(|| Unmeasured::Wrong("nobody sits in the seat".to_owned()))?;
    let resident = || [Some(holder.pid), Some(seat), None].map(memory::resident);
    let mut lines = format!(
        "  {sessions} sessions at once at {NAMESPACE}, through the reference to a fake; KiB resident a session\n  \
         {:<30} {:>8} {:>9} {:>9} {:>9} {:>9}\n",
        "", "sessions", "set up", "clients", "seat", "fakes"
    );
    let started = Instant::now();
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        let count = sessions / Kind::ALL.len() + usize::from(at < sessions % Kind::ALL.len());
        let (before, began) = (resident(), Instant::now());
        let pings = pings(lab.ledger(), if kind == Kind::Ping { count } else { 0 });
        let asked = Ask::Hold { kind, first: at * sessions, count };
        let standing = async { tokio::join!(holder.lines.ask(&asked), pings) };
        match within(PATIENCE, standing).await {
            Some((Ok(Said::Standing), ())) => {}
            Some((Ok(said), ())) => return Err(Unmeasured::Wrong(format!("{kind}: {said:?}"))),
            Some((Err(error), ())) => return Err(Unmeasured::Io("whoever holds the sessions", error)),
            None => {
                let says = format!("{count} of {kind} did not stand within {} s", PATIENCE.as_secs());
                return Err(Unmeasured::Wrong(says));
            }
        }
        let took = began.elapsed().as_secs_f64();
        let cost = before.into_iter().zip(resident()).map(|(before, after)| each(before, after, count));
        let cost: String = cost.map(|kib| format!(" {kib:>9}")).collect();
        lines.push_str(&format!("  {:<30} {count:>8} {took:>7.1} s{cost}\n", kind.to_string()));
    }
    match holder.lines.ask(&Ask::Ended).await {
        Ok(Said::Ended(0)) => {
            let took = started.elapsed().as_secs_f64();
            lines.push_str(&format!(
                "  {:<30} {sessions:>8} {took:>7.1} s   none of them has ended\n",
                "all of them"
            ));
            Ok(lines)
        }
        Ok(Said::Ended(ended)) => {
            Err(Unmeasured::Wrong(format!("{ended} of {sessions} sessions have ended")))
        }
        Ok(said) => Err(Unmeasured::Wrong(format!("whoever holds the sessions said {said:?}"))),
        Err(error) => Err(Unmeasured::Io("whoever holds the sessions", error)),
    }
}

/// A device hears nothing of a Ping that is held: it stands when its server has it.
async fn pings(ledger: &Ledger, wanted: usize) {
    let pings = |arrival: &Arrival| arrival.target.contains("Cmd=Ping");
    let mut news = ledger.subscribe();
    let mut come = 0;
    while come < wanted {
        match news.recv().await {
            Ok(News::Arrived(arrival)) => come += usize::from(pings(&arrival)),
            Ok(News::Answered(_) | News::Queried(_)) => {}
            Err(RecvError::Lagged(_)) => {
                news = ledger.subscribe();
                come = ledger.all().iter().filter(|arrival| pings(arrival)).count();
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// What each costs, in KiB.
fn each(before: Option<u64>, after: Option<u64>, count: usize) -> String {
    match (before, after) {
        (Some(before), Some(after)) if count > 0 => {
            format!("{:.1}", after.saturating_sub(before) as f64 / 1024.0 / count as f64)
        }
        _ => "unknown".to_owned(),
    }
}

fn place(setting: &Setting, lab: &Lab, channels_through: bool) -> Result<Place, Unmeasured> {
    let wrong = |says: &str| Unmeasured::Wrong(format!("{TOPOLOGY} has no {says}"));
    let address = |server: &str| {
        let named = server.parse().ok().and_then(|name| lab.address(&name));
        named.ok_or_else(|| wrong(server))
    };
    let seat = address(SEAT)?;
    let fake = (lab.dials().real(address(FAKE)?, exchange::BACK_END_PORT), format!("{FAKE}.contoso.com"));
    let account = lab.directory().find(MAILBOX).ok_or_else(|| wrong(MAILBOX))?;
    let ca = setting.folder.join("held-ca.pem");
    std::fs::write(&ca, lab.authority().root_pem()).map_err(|error| Unmeasured::Io("held-ca.pem", error))?;
    Ok(Place {
        ca,
        host: NAMESPACE.to_owned(),
        https: lab.dials().real(seat, 443),
        imaps: lab.dials().real(seat, 993),
        channels: if channels_through { (lab.dials().real(seat, 443), NAMESPACE.to_owned()) } else { fake },
        account: account.account.clone(),
        password: account.password.clone(),
    })
}

/// The process that holds the sessions.
struct Holder {
    child: Child,
    pid: u32,
    lines: Conversation,
}

struct Conversation {
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    async fn start(place: &Place) -> Result<Holder, Unmeasured> {
        let wrong = |error| Unmeasured::Io("`coexist hold`", error);
        let own = std::env::current_exe().map_err(wrong)?;
        let mut command = Command::new(own);
        command.arg("hold").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(wrong)?;
        let (Some(pid), Some(to), Some(from)) = (child.id(), child.stdin.take(), child.stdout.take()) else {
            return Err(wrong(std::io::ErrorKind::BrokenPipe.into()));
        };
        let mut lines = Conversation { to, from: BufReader::new(from).lines() };
        lines.say(place).await.map_err(wrong)?;
        Ok(Holder { child, pid, lines })
    }

    /// Lets all sessions go, and waits for the end.
    async fn ends(self) {
        let Holder { mut child, lines, .. } = self;
        drop(lines);
        if within(crate::clock::PROGRAM, child.wait()).await.is_none() {
            // It is killed, and reaped, with its handle.
            drop(child.kill().await);
        }
    }
}

impl Conversation {
    async fn say(&mut self, what: &impl Serialize) -> std::io::Result<()> {
        self.to.write_all(format!("{}\n", serde_json::to_string(what)?).as_bytes()).await?;
        self.to.flush().await
    }

    async fn ask(&mut self, what: &Ask) -> std::io::Result<Said> {
        self.say(what).await?;
        let line = self.from.next_line().await?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        Ok(serde_json::from_str(&line)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_session_costs_is_told_in_kib_and_unknown_where_nobody_knows() {
        assert_eq!(each(Some(1024), Some(1024 * 1025), 100), "10.2");
        assert_eq!(each(Some(9), Some(3), 1), "0.0");
        assert_eq!(each(None, Some(3), 1), "unknown");
    }

    #[test]
    fn so_many_files_are_needed_as_the_seat_has_connections() {
        // 2,500 of each kind: one connection on either side, and of channels two.
        assert_eq!(descriptors(MANY, true), 2_500 * (2 + 4 + 2 + 2) + 1_000);
        assert_eq!(descriptors(MANY, false), 2_500 * (2 + 2 + 2) + 1_000);
    }
}
