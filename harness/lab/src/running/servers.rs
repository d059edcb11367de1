//! The servers of a lab, wherever they run, and what they are given to begin with.

use std::collections::BTreeMap;
use std::net::IpAddr;

use exchange::{Machine, Script};
use model::case::FaultAt;
use model::topology::Server;
use model::{CaseId, MailboxName, ServerName, Topology};

use super::machines::Machines;
use super::stationed::Stationed;
use super::{AnswersWanted, LabError, io, listeners, rpc_listeners};
use crate::ground::{Block, Place};
use crate::host::Dictation;
use crate::pki::{Authority, Leaf};
use directory::{Account, Directory};

/// Servers while they run.
pub(super) enum Servers {
    /// As tasks of this process.
    Here(Machines),
    /// Each in a container of its own.
    There(Stationed),
}

/// A server's place, and who takes it.
#[derive(Clone, Copy)]
pub(super) struct Taken<'a> {
    pub(super) name: &'a ServerName,
    pub(super) server: &'a Server,
    /// Whether somebody else sits there: then the lab runs MS-RPC there alone.
    pub(super) seat: bool,
    /// Whether it will move to another address.
    pub(super) moves: bool,
}

/// What servers do wrong, and what they are told to answer.
pub(super) struct Misbehaviour {
    pub(super) scripts: Vec<(FaultAt, Script)>,
    pub(super) dictated: Vec<(ServerName, Dictation)>,
}

/// What is wanted of servers, for the users that the cases have drawn.
pub(super) fn misbehaviour(
    scripts: Vec<(FaultAt, Script)>,
    answers: Vec<AnswersWanted>,
    accounts: &BTreeMap<(CaseId, MailboxName), Account>,
) -> Misbehaviour {
    let dictated = answers.into_iter().filter_map(|wanted| {
        let to = accounts.get(&(wanted.case, wanted.mailbox))?.name.clone();
        Some((wanted.server, Dictation { protocol: wanted.protocol, to, answers: wanted.answers }))
    });
    Misbehaviour { scripts, dictated: dictated.collect() }
}

/// What servers are made with.
pub(super) struct Tools<'a> {
    pub(super) topology: &'a Topology,
    pub(super) authority: &'a Authority,
    pub(super) addresses: &'a BTreeMap<ServerName, Place>,
}

impl Tools<'_> {
    pub(super) fn leaf(&self, taken: &Taken<'_>) -> Result<Leaf, LabError> {
        Ok(self.authority.leaf(&self.topology.names_of(taken.name), taken.server.certificate)?)
    }

    /// A server of this process at an address, with all its listeners held.
    pub(super) fn machine(
        &self,
        block: &Block,
        taken: &Taken<'_>,
        address: IpAddr,
    ) -> Result<Machine, LabError> {
        let name = taken.name;
        let listen = |port| {
            block.listen(address, port).map_err(io(format!("{name} cannot listen on {address} port {port}")))
        };
        let listeners = match taken.seat {
            true => rpc_listeners(taken.server, listen)?,
            false => listeners(taken.server, &self.leaf(taken)?.server_config(), listen)?,
        };
        Ok(Machine { name: name.clone(), source: block.source(address), listeners })
    }
}

impl Servers {
    /// What servers do wrong. Those in containers are known by what they were told, not by how far they have come with it.
    pub(super) fn faults(&self) -> &exchange::Faults {
        match self {
            Servers::Here(machines) => machines.faults(),
            Servers::There(stationed) => stationed.faults(),
        }
    }

    /// Has servers do something wrong from now on.
    pub(super) async fn fail(&self, at: FaultAt, script: Script) -> Result<(), LabError> {
        match self {
            Servers::Here(machines) => machines.faults().set(at, script),
            Servers::There(stationed) => stationed.fault(at, Some(script)).await?,
        }
        Ok(())
    }

    /// Has it end.
    pub(super) async fn mend(&self, at: FaultAt) -> Result<(), LabError> {
        match self {
            Servers::Here(machines) => machines.faults().mend(at),
            Servers::There(stationed) => stationed.fault(at, None).await?,
        }
        Ok(())
    }

    /// Has every server know what the directory says now. Those of this process ask the directory itself.
    pub(super) async fn learn(&self, directory: &Directory) -> Result<(), LabError> {
        match self {
            Servers::Here(_) => Ok(()),
            Servers::There(stationed) => stationed.learn(directory).await,
        }
    }

    /// Where servers are after their move.
    pub(super) fn elsewhere(&self) -> &BTreeMap<ServerName, Place> {
        match self {
            Servers::Here(machines) => machines.elsewhere(),
            Servers::There(stationed) => stationed.elsewhere(),
        }
    }

    /// Starts a server again at the address that is held for it; `led_there` is told that address while both take
    /// connections. Then the first one ends. Says whether one was held.
    pub(super) async fn moves(
        &self,
        server: &ServerName,
        led_there: impl FnOnce(&Place),
    ) -> Result<bool, LabError> {
        match self {
            Servers::Here(machines) => Ok(machines.moves(server, led_there).await),
            Servers::There(stationed) => stationed.moves(server, led_there).await,
        }
    }

    /// A server whose container has ended.
    pub(super) fn lost(&self) -> Option<String> {
        match self {
            Servers::Here(_) => None,
            Servers::There(stationed) => stationed.lost(),
        }
    }

    /// Waits for the first server whose container has ended.
    pub(super) async fn loses(&self) -> String {
        match self {
            Servers::Here(_) => std::future::pending().await,
            Servers::There(stationed) => stationed.loses().await,
        }
    }

    /// Who starts what fills a position, where that is not this process.
    pub(super) fn station(&self, position: &ServerName) -> Option<std::sync::Arc<crate::host::Station>> {
        match self {
            Servers::Here(_) => None,
            Servers::There(stationed) => stationed.station(position),
        }
    }

    /// Who starts subjects that are images.
    pub(super) async fn engine(&self) -> Result<Option<std::sync::Arc<crate::host::Station>>, LabError> {
        match self {
            Servers::Here(_) => Ok(None),
            Servers::There(stationed) => stationed.engine().await.map(Some),
        }
    }

    /// Waits for every server to end. A panic of one is raised again.
    pub(super) async fn join(self) {
        match self {
            Servers::Here(machines) => machines.join().await,
            Servers::There(stationed) => stationed.leave().await,
        }
    }
}
