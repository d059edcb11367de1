//! The places that processes fill: the seat, and the front end's where the seat is before it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use model::subject::Subject;
use model::topology::FrontEnd;
use model::{HostName, Role, ServerName, Topology};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::listeners::ports;
use super::{DIRECTORY, Lab, LabError, REQUEST_LOG, io, rounds};
use crate::doors::controller;
use crate::ground::{Block, Place as Stands};
use crate::request_log::Reader;
use crate::seat::{self, Dial, Facts, Mapped, Seat, SeatFacts, SeatListeners, ServerFacts};

/// Not 80: where all that is ours has one address, the directory is there.
const REQUEST_LOG_PORT: u16 = 8080;

/// Who fills a place, and the folder that its paths are relative to.
type Filler = Option<(Subject, PathBuf)>;

/// A place that is ready to be filled.
struct Place {
    subject: Subject,
    folder: PathBuf,
    server: ServerName,
    role: Role,
    work: PathBuf,
    request_log: Option<String>,
    health_interval: String,
    listen: SeatListeners,
}

impl Lab {
    /// Starts what fills the seat, and what fills the front end's place where the seat is before it.
    pub(super) async fn fill_places(&mut self, subject: Filler, front_end: Filler) -> Result<(), LabError> {
        let topology = self.directory.topology();
        let seat = FrontEnd { server: topology.seat.clone(), role: topology.role };
        let from = self.ledger.mark();
        let asks = subject
            .as_ref()
            .filter(|(subject, _)| subject.run.ready.pings)
            .map(|(subject, _)| (self.rounds.come_of(subject), subject.run.ready.within.0));
        let subject = subject.map(|who| self.place(who, seat, self.folder.clone(), None)).transpose()?;
        let behind = front_end.zip(topology.front_end.clone());
        let front_end = behind
            .map(|(who, place)| {
                // A folder of its own; and it keeps a request log, as no subject does.
                let work = self.folder.join("front-end");
                std::fs::create_dir_all(&work).map_err(io(work.display().to_string()))?;
                self.place(who, place, work, self.request_log.map(|at| format!("http://{at}")))
            })
            .transpose()?;
        let start = async |place: Option<Place>| match place {
            Some(place) => {
                let mut seat = self.seat(place)?;
                if seat.subject.run.image.is_some() && seat.station.is_some() {
                    seat.station = self.machines.engine().await?;
                }
                Box::pin(seat.start()).await.map(Some).map_err(LabError::from)
            }
            None => Ok(None),
        };
        // Beside one another: a proxy that asks at its start whether anybody is behind it asks again soon.
        let (subject, front_end) = tokio::join!(start(subject), start(front_end));
        // What did start is kept even where the other did not, so that it is stopped.
        let (subject, why) = apart(subject);
        let (front_end, why_behind) = apart(front_end);
        (*self.subject.get_mut(), self.front_end) = (subject, front_end);
        why.or(why_behind).map_or(Ok(()), Err)?;
        match asks {
            Some((true, within)) => self.round_from(from, within).await,
            _ => Ok(()),
        }
    }

    /// Makes a place ready: its ports are reserved, so that everybody can be told of them.
    fn place(
        &self,
        (subject, folder): (Subject, PathBuf),
        FrontEnd { server, role }: FrontEnd,
        work: PathBuf,
        request_log: Option<String>,
    ) -> Result<Place, LabError> {
        let address = self.addresses[&server].inside;
        let reserve = |port| {
            self.block.reserve(address, port).map_err(io(format!("the seat at {address} port {port}")))
        };
        // Who is on two planes listens on both.
        let both = self.addresses[&server].outside.map(|_| IpAddr::from([0, 0, 0, 0]));
        let real = |port| {
            let real = reserve(port)?.real;
            Ok::<_, LabError>(both.map_or(real, |ip| SocketAddr::new(ip, real.port())))
        };
        let listen = SeatListeners {
            https: real(443)?,
            http: real(80)?,
            imaps: real(993)?,
            imap: real(143)?,
            pops: real(995)?,
            pop: real(110)?,
        };
        // Nobody looks at the health rounds of a front end behind the seat.
        let health_interval = if server == self.directory.topology().seat {
            self.rounds.told()
        } else {
            rounds::NEVER.to_owned()
        };
        Ok(Place { subject, folder, server, role, work, request_log, health_interval, listen })
    }

    /// What a subject is told in its place.
    fn seat(&self, place: Place) -> Result<Seat, LabError> {
        let Place { subject, folder, server: position, role, work, request_log, health_interval, listen } =
            place;
        let topology = self.directory.topology();
        let address = self.addresses[&position].inside;
        let station = self.machines.station(&position);
        // A topology whose seat is in no site is refused when it is read.
        let site = topology.site_of(&position).cloned().ok_or_else(|| LabError::NoPlace(position.clone()))?;
        let kind = topology.certificate_of(&position).unwrap_or_default();
        let leaf = self.authority.leaf(&topology.names_of(&position), kind)?;
        let certificate = leaf.write(&work, "seat")?;
        let ca = work.join("ca.pem");
        std::fs::write(&ca, self.authority.root_pem()).map_err(io(ca.display().to_string()))?;
        let service = self.directory.service();
        let facts = Facts {
            seat: SeatFacts {
                fqdn: topology.fqdn(&position),
                server: position,
                site,
                role,
                address: self.block.source(address),
                listen,
                certificate: certificate.into(),
            },
            ca,
            dns: self.doors.dns_internal,
            directory: format!("http://{}", self.doors.directory),
            ldap: format!("ldap://{}", self.doors.ldap),
            ldaps: format!("ldaps://{}", self.doors.ldaps),
            global_catalog: format!("ldap://{}", self.doors.global_catalog),
            service_account: seat::Account { user: service.user, password: service.password },
            source: self.block.source(address),
            dial: self.dial_table(),
            mapped: self.mapped(),
            domain: topology.domain.clone(),
            namespaces: seat::namespaces(&topology),
            servers: self.servers(&topology),
            request_log,
            health_interval,
            topology: (*topology).clone(),
            mailboxes: self.mailboxes(),
        };
        let coexist = std::env::current_exe().map_err(io("this program's own path"))?;
        let work = std::path::absolute(&work).map_err(io("the lab's folder"))?;
        Ok(Seat {
            subject,
            folder,
            work,
            coexist,
            ground: self.block.kind(),
            facts: Box::new(facts),
            station,
        })
    }

    /// What a subject was told, with what the directory says now.
    pub(super) fn facts_now(&self, told: &Facts) -> Facts {
        let topology = self.directory.topology();
        Facts {
            namespaces: seat::namespaces(&topology),
            servers: self.servers(&topology),
            topology: (*topology).clone(),
            mailboxes: self.mailboxes(),
            ..told.clone()
        }
    }

    fn servers(&self, topology: &Topology) -> Vec<ServerFacts> {
        seat::servers(topology, |server, port| self.block.dials().real(self.addresses[server].inside, port))
    }

    /// The mailboxes, as the directory shows them.
    fn mailboxes(&self) -> Vec<serde_json::Value> {
        let accounts = self.directory.accounts();
        let facts = |name: &str| serde_json::to_value(self.directory.facts(name)?).ok();
        accounts.iter().filter_map(|account| facts(account.name.as_str())).collect()
    }

    /// Every name and canonical port of the inside, and where it really leads.
    fn dial_table(&self) -> Vec<Dial> {
        let topology = self.directory.topology();
        let mut table = vec![];
        // Of a name that leads elsewhere outside, the inside's.
        let inside = |host: &HostName, server: &ServerName| {
            topology.namespaces.get(host).is_none_or(|leads| leads.internal.contains(server))
        };
        for (name, Stands { inside: address, .. }) in &self.addresses {
            let ports = topology.servers.get(name).map_or(vec![443, 80], ports);
            for host in topology.names_of(name).into_iter().filter(|host| inside(host, name)) {
                table.extend(ports.iter().map(|port| Dial {
                    name: host.clone(),
                    port: *port,
                    address: self.block.dials().real(*address, *port),
                }));
            }
        }
        let (name, ip) = (controller(&topology.domain), self.block.address(DIRECTORY));
        table.extend(directory::ldap::Port::ALL.map(|port| Dial {
            name: name.clone(),
            port: port.number(),
            address: self.block.dials().real(ip, port.number()),
        }));
        table
    }

    /// Where the addresses of servers really are, those after a move included.
    fn mapped(&self) -> Vec<Mapped> {
        let servers: BTreeSet<IpAddr> = self.everywhere().flat_map(|(_, place)| place.all()).collect();
        let all = self.block.dials().all().into_iter();
        all.filter(|(canonical, _)| servers.contains(&canonical.ip()))
            .map(|(canonical, address)| Mapped { ip: canonical.ip(), port: canonical.port(), address })
            .collect()
    }
}

/// What was started, and why it was not.
fn apart(started: Result<Option<seat::Running>, LabError>) -> (Option<seat::Running>, Option<LabError>) {
    match started {
        Ok(running) => (running, None),
        Err(error) => (None, Some(error)),
    }
}

pub(super) fn last_words(process: &seat::Running) -> Option<String> {
    let status = process.has_died()?;
    Some(format!("{status}; the end of its log:\n{}", process.log_tail()))
}

pub(super) fn read_requests(
    block: &Block,
    reader: Reader,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<SocketAddr, LabError> {
    let ip = block.address(REQUEST_LOG);
    let listener = block
        .listen(ip, REQUEST_LOG_PORT)
        .map_err(io(format!("the request log cannot be read on {ip} port {REQUEST_LOG_PORT}")))?;
    let at = listener.local_addr().map_err(io("the request log"))?;
    let stopped = stop.clone();
    tasks.spawn(async move {
        if let Err(error) = directory::http::serve(listener, reader.door(), stopped.cancelled_owned()).await {
            panic!("the reader of the request log ended: {error}");
        }
    });
    Ok(at)
}
