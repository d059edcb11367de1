//! MAPI over HTTP at the server that holds the mailbox: whose context it is, whom its address book knows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use directory::Account;
use http::Request;
use model::Topology;
use protocols::answer::Answer;
use protocols::mapi::{self, AddressBook, Entry, Place};

use crate::server::Server;

/// `X-PendingPeriod` of Exchange 2013 SP1 (wire facts 5).
const PENDING_PERIOD: Duration = Duration::from_secs(15);

/// Answers a request for the user who signed in, from his mailbox on this server.
pub(crate) fn serve(
    server: &Server,
    topology: &Topology,
    account: &Arc<Account>,
    request: &Request<Bytes>,
) -> Answer {
    let own = topology.servers.get(&server.name);
    let place = Place {
        build: server.build,
        owner: entry(account),
        inbox: server.world.stores.inbox(account),
        domain: topology.domain.as_str(),
        sessions: &server.mapi_sessions,
        pending_period: own.and_then(|own| own.mapi_pending_period).map_or(PENDING_PERIOD, |span| span.0),
    };
    mapi::serve(&place, &People(server), request)
}

/// The directory, as an address book shows it.
struct People<'s>(&'s Server);

impl AddressBook for People<'_> {
    fn find(&self, name: &str) -> Option<Entry> {
        self.0.world.directory.find(name).map(|account| entry(&account))
    }
}

fn entry(account: &Account) -> Entry {
    Entry {
        address: account.address.clone(),
        display_name: account.display_name.clone(),
        legacy_dn: account.legacy_dn.clone(),
    }
}
