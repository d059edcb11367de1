//! `coexist doctor`: looks at a subject in its seat, line by line, each with a hint where it is not well.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use lab::ground::GroundKind;
use lab::seat::{Reloaded, Seat, SeatError, Stopped};
use lab::{Lab, LabError, LeaseWanted, Plan};
use ledger::{Claim, Ledger, Opener};
use model::case::{Told, When};
use model::subject::{Feature, Listener, Subject};
use model::{CaseId, HostName, Role, Topology, View};

use super::say;
use crate::clock::within;
use crate::exit::Exit;
use crate::lab_of;
use crate::play;
use crate::suite::Suite;

mod certificate;
mod sheet;

use sheet::Sheet;

/// How long a connection or a greeting may take.
const GREETING: Duration = Duration::from_secs(5);

/// What `doctor` takes.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// The subject file, by name or path.
    #[arg(long, value_name = "S")]
    subject: String,
    /// The ground: own, machine or mapped.
    #[arg(long, value_parser = super::ground)]
    ground: Option<GroundKind>,
}

pub(super) fn doctor(root: &Path, options: &Doctor) -> Exit {
    inner(root, options).unwrap_or_else(|exit| exit)
}

fn inner(root: &Path, options: &Doctor) -> Result<Exit, Exit> {
    let ground = say::ground(options.ground)?;
    let suite = say::suite(root)?;
    let (subject, beside) = suite.subject(&options.subject).map_err(|error| say::suite_error(&error))?;
    let topology = topology_for(&suite, subject.role)?;
    println!("{} at {} of {}, {} ground\n", subject.name, topology.seat, topology.name, ground.kind());
    let mut sheet = Sheet::default();
    if let Err(error) = Seat::preview(&subject, &beside, topology.clone()) {
        broken_seat(&mut sheet, &error);
        return Ok(sheet.exit(Exit::BadInput));
    }
    sheet.well("templates", &rendered(&subject));
    let visit = visit(&subject, &topology);
    let folder = say::Folder::make()?;
    let front_end = lab_of::front_end(&suite, &topology).map_err(|error| say::suite_error(&error))?;
    let plan = Plan {
        topology,
        front_end,
        subject: Some((subject.clone(), beside)),
        leases: vec![LeaseWanted { case: visitor(), mailbox: visit.mailbox.clone(), typed: None }],
        faults: vec![],
        health_rounds: false,
        answers: vec![],
        moves: vec![],
        ledger: Ledger::default(),
        folder: folder.path().join("lab"),
    };
    say::runtime()?.block_on(async {
        let stop = say::interrupted();
        let started = Instant::now();
        let lab = tokio::select! {
            () = stop.cancelled() => return Err(Exit::Interrupted),
            lab = Lab::start(&ground, plan) => lab,
        };
        let mut lab = match lab {
            Ok(lab) => lab,
            Err(LabError::Seat(error)) => {
                broken_seat(&mut sheet, &error);
                return Ok(sheet.exit(Exit::Broken));
            }
            Err(error) => {
                say::error(error);
                return Err(Exit::Broken);
            }
        };
        sheet.well("program", "found and started");
        sheet.well("ready", &format!("{} after the lab began", millis(started.elapsed())));
        let looked = tokio::select! {
            () = stop.cancelled() => Err(Exit::Interrupted),
            () = async {
                look(&lab, &subject, &visit, &mut sheet).await;
                reloads(&lab, &visit, &mut sheet).await;
            } => Ok(()),
        };
        end(&mut lab, &subject, &mut sheet).await;
        lab.stop().await;
        looked.map(|()| sheet.exit(Exit::AsExpected))
    })
}

/// The topology in which a role's subject is looked at: that of its first case, else the first that has the role.
fn topology_for(suite: &Suite, role: Role) -> Result<Topology, Exit> {
    let of_cases = suite.cases.iter().map(|case| case.topology_name());
    let (bases, variants) = suite.topologies();
    let made = bases.iter().flat_map(|base| variants.iter().map(move |variant| format!("{base}{variant}")));
    let plain = bases.iter().map(|base| (*base).to_owned());
    plain
        .clone()
        .chain(of_cases)
        .chain(made)
        .filter_map(|name| suite.topology(&name, &Default::default()).ok())
        .find(|topology| topology.role == role)
        .ok_or_else(|| {
            say::error(format!("no topology has a seat for the role {role}"));
            Exit::BadInput
        })
}

fn rendered(subject: &Subject) -> String {
    match subject.run.files.len() {
        0 => "none: it reads lab.json".to_owned(),
        1 => "1 rendered".to_owned(),
        many => format!("{many} rendered"),
    }
}

/// What a subject that did not come up is told.
fn broken_seat(sheet: &mut Sheet, error: &SeatError) {
    let (line, hint) = match error {
        SeatError::UnknownVariable { .. } => {
            ("templates", "the variables are the same in the file and in templates")
        }
        SeatError::Template { .. } => {
            ("templates", "a template may name the variables of the subject file and what lab.json holds")
        }
        SeatError::File { .. } => ("templates", "what is rendered goes below {work}"),
        SeatError::NoProgram { .. } => {
            ("program", "a bare name is looked up in PATH, `./name` beside the subject file")
        }
        SeatError::Ended { .. } => (
            "started",
            "it has to stay in the foreground: no daemon, no fork that leaves; its log says the rest",
        ),
        SeatError::NotReady { .. } => (
            "ready",
            "it listens on {listen.https} and {listen.http}, not on an address or port of its own choice",
        ),
    };
    sheet.ill(line, &error.to_string(), hint);
}

/// The client that looks in: of a protocol that the subject claims.
fn visit(subject: &Subject, topology: &Topology) -> When {
    let claims = |feature| subject.features.contains(&feature);
    // Of what an edge publishes, what the front end is behind: red is in no older server's reach.
    let front_end = topology.front_end.as_ref().map_or(&topology.seat, |place| &place.server);
    let fits = |name: &HostName| {
        let leads = topology.namespaces.get(name).is_some_and(|leads| leads.internal.contains(front_end));
        leads && !name.as_str().starts_with("autodiscover.")
    };
    let name = published(topology).into_iter().find(fits);
    let name = name.unwrap_or_else(|| topology.fqdn(&topology.seat));
    let mailbox = if topology.mailboxes.keys().any(|known| known.as_str() == "red") {
        "red".to_owned()
    } else {
        topology.mailboxes.keys().next().map(ToString::to_string).unwrap_or_default()
    };
    let (client, opens, does, device) = if claims(Feature::Ews) || subject.role == Role::Edge {
        ("outlook", "/EWS/Exchange.asmx", "get-folder", "")
    } else if claims(Feature::Owa) {
        ("browser", "/owa/", "open-mailbox", "")
    } else {
        let device = "device = { protocol = \"14.1\", kind = \"iPhone\", on-451-list = false, autodiscover = false, query = \"plain\" }";
        ("device", "/Microsoft-Server-ActiveSync", "folder-sync", device)
    };
    let text = format!(
        "mailbox = \"{mailbox}\"\nclient = \"{client}\"\nview = \"external\"\nopens = \"https://{name}{opens}\"\n\
         does = \"{does}\"\n{device}\n"
    );
    toml::from_str(&text).expect("a literal with names in it is what a case may say")
}

fn visitor() -> CaseId {
    "coexistence/doctor/visit".parse().expect("a literal")
}

/// The names that lead to the seat outside.
fn published(topology: &Topology) -> Vec<HostName> {
    let leads = topology.namespaces.iter().filter(|(_, leads)| leads.external.contains(&topology.seat));
    leads.map(|(name, _)| name.clone()).collect()
}

async fn look(lab: &Lab, subject: &Subject, visit: &When, sheet: &mut Sheet) {
    let topology = lab.directory().topology();
    for (listener, port) in [(Listener::Https, 443), (Listener::Http, 80)] {
        listens(lab, listener, port, sheet).await;
    }
    for name in published(&topology) {
        certificate::look(lab, &name, true, sheet).await;
    }
    if let Some(name) = published(&topology).first() {
        certificate::look(lab, name, false, sheet).await;
    }
    signs_in(lab, visit, "signs in", sheet).await;
    reached(lab, subject, sheet);
}

/// Where the seat really listens.
fn seat_at(lab: &Lab, port: u16) -> Option<SocketAddr> {
    let address = lab.address(&lab.directory().topology().seat)?;
    Some(lab.dials().real(address, port))
}

/// A connection to the seat, as a client outside makes one.
async fn dialled(lab: &Lab, port: u16) -> std::io::Result<tokio::net::TcpStream> {
    let to = seat_at(lab, port).ok_or_else(|| std::io::Error::other("the seat has no address"))?;
    let source = lab.client_address(View::External);
    let dialled = within(GREETING, lab.ledger().dial(source, to, Opener::Client(visitor()))).await;
    dialled.unwrap_or_else(|| Err(std::io::Error::other(format!("no connection within {GREETING:?}"))))
}

async fn listens(lab: &Lab, listener: Listener, port: u16, sheet: &mut Sheet) {
    let at = seat_at(lab, port).map(|at| at.to_string()).unwrap_or_default();
    match dialled(lab, port).await {
        Ok(_) => sheet.well(listener.as_str(), &format!("takes connections on {at}")),
        Err(error) => {
            let hint = format!("listen on {{listen.{listener}}}, which is {at} here");
            sheet.ill(listener.as_str(), &format!("no connection to {at}: {error}"), &hint);
        }
    }
}

async fn signs_in(lab: &Lab, visit: &When, line: &str, sheet: &mut Sheet) {
    let network = play::network(lab, View::External);
    let Some(person) = play::person_of(lab, &visitor(), &visit.mailbox) else { return };
    let journal = clients::play(&network, &visitor(), visit, &person).await;
    let does = format!("{} with {} at {}", visit.mailbox, visit.client, String::from(visit.opens.clone()));
    match journal.legs.last() {
        Some(leg) if matches!(leg.told, Told::Mailbox(_)) => {
            sheet.well(line, &format!("{does}: its mailbox was read"));
        }
        Some(leg) => {
            let note = leg.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            let hint = "ask POST /v1/authenticate who it is and GET /v1/mailboxes/… where it lives; `coexist e2e` shows both journeys";
            sheet.ill(line, &format!("{does}: {}{note}", leg.told), hint);
        }
        None => sheet.ill(line, &format!("{does}: nothing came of it"), "see the lines above"),
    }
}

/// It reads its files again, as `run.reload` says, and serves as before.
async fn reloads(lab: &Lab, visit: &When, sheet: &mut Sheet) {
    match lab.reload_subject().await {
        Ok(Reloaded::Left) => sheet.note("reloads", "never: by run.reload it follows the directory"),
        Ok(Reloaded::Told) => signs_in(lab, visit, "signs in, told to reload", sheet).await,
        Ok(Reloaded::Restarted(_)) => signs_in(lab, visit, "signs in, started again", sheet).await,
        Err(error) => {
            let hint = "by run.reload = \"restart\" it is stopped and started again, on the same addresses";
            sheet.ill("reloads", &error.to_string(), hint);
        }
    }
}

/// What the subject asked of the lab: by the ledger, and by what the doors counted.
fn reached(lab: &Lab, subject: &Subject, sheet: &mut Sheet) {
    let own = lab.subject_address();
    let queries = lab.ledger().queries().iter().filter(|query| Some(query.peer.ip()) == own).count();
    match queries {
        0 => sheet
            .note("DNS", "asked nothing; it may use the dial table of lab.json, or names of its own host"),
        some => sheet.well("DNS", &format!("{some} queries")),
    }
    match lab.directory().asked() {
        0 if subject.role == Role::Edge => sheet.note("directory", "asked nothing, as an edge may"),
        0 => sheet.note("directory", "asked nothing; without it only a fixed map says where mailboxes are"),
        some => sheet.well("directory", &format!("{some} requests")),
    }
    let arrivals = lab.ledger().all();
    let behind =
        arrivals.iter().find(|arrival| arrival.parent.is_none() && arrival.claimed_by != Claim::Socket);
    match behind {
        Some(first) => {
            sheet.well("a server", &format!("{} saw {} {}", first.server, first.verb, first.target));
        }
        None => {
            let hint = "servers are dialled by their own names, from {source}, and trusted by {ca}";
            sheet.ill("a server", "no server behind has seen anything of it", hint);
        }
    }
}

async fn end(lab: &mut Lab, subject: &Subject, sheet: &mut Sheet) {
    let (limit, signal) = (subject.run.stop.within.0, subject.run.stop.signal);
    let died = lab.subject_died();
    let began = Instant::now();
    let stopped = lab.stop_subject().await;
    let before = match &stopped {
        Some(Stopped::Before(status)) => Some(status.to_string()),
        _ => None,
    };
    if let Some(died) = died.or(before) {
        sheet.ill(
            "lasts",
            &format!("it ended by itself: {died}"),
            "its log says why; it has to stay until it is asked to end",
        );
    }
    match stopped {
        Some(Stopped::Itself(status)) => {
            sheet.well("stops", &format!("{} after {signal}, {status}", millis(began.elapsed())));
        }
        Some(Stopped::Killed) => {
            let hint = format!("end on {signal}, or say another signal or a longer time in run.stop");
            sheet.ill("stops", &format!("not within {limit:?} of {signal}: it was killed"), &hint);
        }
        Some(Stopped::Before(_)) | None => {}
    }
    let mut left = vec![];
    for port in [443, 80] {
        if dialled(lab, port).await.is_ok() {
            left.extend(seat_at(lab, port).map(|at| at.to_string()));
        }
    }
    match left.is_empty() {
        true => sheet.well("leaves", "nothing: no process listens any more"),
        false => {
            let hint = "it has started something outside its process group: keep it in the foreground, without a daemon";
            sheet.ill("leaves", &format!("something still listens on {}", left.join(" and ")), hint);
        }
    }
}

fn millis(took: Duration) -> String {
    format!("{} ms", took.as_millis())
}

/// A verifier's root store, shared with the clients.
fn trust(lab: &Lab) -> Arc<rustls::RootCertStore> {
    lab.authority().root_store()
}
