//! DNS: one server per view, answering out of the topology; records can be steered, and every query is in the ledger.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use hickory_proto::op::{Edns, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, SOA, SRV};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_server::Server;
use hickory_server::net::NetError;
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use ledger::Ledger;
use model::topology::Service;
use model::{HostName, ServerName, Topology, View};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;

use crate::clock;

/// Seconds that an answer may be kept.
const TTL: u32 = clock::ANSWERS_KEPT.as_secs() as u32;
/// Answers that a connection may have waiting.
const WAITING_ANSWERS: usize = 32;
/// The most bytes of an answer over UDP, whatever the client offers.
const MOST_UDP_BYTES: u16 = 1232;

/// What the names of a topology lead to, in each view. Clones share it.
#[derive(Clone)]
pub struct Names(Arc<RwLock<Book>>);

struct Book {
    domain: HostName,
    internal: BTreeMap<HostName, Vec<IpAddr>>,
    external: BTreeMap<HostName, Vec<IpAddr>>,
    services: BTreeMap<HostName, Service>,
}

impl Names {
    /// The names of a topology. `address` says where a server is in a view.
    ///
    /// The servers' own names exist inside only (rule DNS-1).
    pub fn of(topology: &Topology, address: impl Fn(View, &ServerName) -> IpAddr) -> Names {
        let mut internal: BTreeMap<_, Vec<_>> = topology
            .positions()
            .map(|name| (topology.fqdn(name), vec![address(View::Internal, name)]))
            .collect();
        let mut external = BTreeMap::new();
        for (host, namespace) in &topology.namespaces {
            let leads = |view, to: &[ServerName]| to.iter().map(|server| address(view, server)).collect();
            internal.insert(host.clone(), leads(View::Internal, &namespace.internal));
            external.insert(host.clone(), leads(View::External, &namespace.external));
        }
        let (domain, services) = (topology.domain.clone(), topology.services.clone());
        Names(Arc::new(RwLock::new(Book { domain, internal, external, services })))
    }

    /// Makes a name lead elsewhere in one view, from the next query on. No address: it does not resolve.
    pub fn set(&self, view: View, name: HostName, addresses: Vec<IpAddr>) {
        let mut book = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match view {
            View::Internal => book.internal.insert(name, addresses),
            View::External => book.external.insert(name, addresses),
        };
    }

    /// Makes every name that leads to one address lead to another, in both views, from the next query on.
    pub fn lead_elsewhere(&self, was: IpAddr, is: IpAddr) {
        let mut book = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Book { internal, external, .. } = &mut *book;
        let all = internal.values_mut().chain(external.values_mut()).flatten();
        all.filter(|address| **address == was).for_each(|address| *address = is);
    }

    /// Where a name leads in a view; nothing is a name that does not resolve there.
    pub fn addresses(&self, view: View, name: &HostName) -> Vec<IpAddr> {
        self.read(|book| book.hosts(view).get(name).cloned().unwrap_or_default())
    }

    fn read<T>(&self, ask: impl FnOnce(&Book) -> T) -> T {
        ask(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers one view's queries until told to stop.
///
/// # Errors
/// A socket that fails while it is needed.
pub async fn serve(
    view: View,
    names: Names,
    udp: UdpSocket,
    tcp: TcpListener,
    ledger: Ledger,
    stop: CancellationToken,
) -> Result<(), DnsError> {
    let mut server = Server::new(Answers { view, names, ledger });
    server.register_socket(udp);
    server.register_listener(tcp, clock::DNS_IDLE, WAITING_ANSWERS);
    let failed = |source| DnsError { view, source };
    tokio::select! {
        () = stop.cancelled() => server.shutdown_gracefully().await.map_err(failed),
        over = server.block_until_done() => over.map_err(failed),
    }
}

/// Why a view's DNS server ended early.
#[derive(Debug, thiserror::Error)]
#[error("the {view} DNS server ended: {source}")]
pub struct DnsError {
    view: View,
    source: NetError,
}

struct Answers {
    view: View,
    names: Names,
    ledger: Ledger,
}

impl RequestHandler for Answers {
    // Written out as `async_trait` would, which this crate does without.
    fn handle_request<'life0, 'life1, 'async_trait, R, T>(
        &'life0 self,
        request: &'life1 Request,
        mut answer: R,
    ) -> Pin<Box<dyn Future<Output = ResponseInfo> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
        R: ResponseHandler + 'async_trait,
        T: Time + 'async_trait,
    {
        Box::pin(async move {
            let reply = self.reply(request);
            let mut head = Metadata::response_from_request(&request.metadata);
            head.response_code = reply.code;
            head.authoritative = reply.code != ResponseCode::Refused;
            let failed =
                ResponseInfo::from(hickory_proto::op::Header { metadata: head, counts: Default::default() });
            let mut builder = MessageResponseBuilder::from_message_request(request);
            let mut edns = Edns::new();
            edns.set_max_payload(request.max_payload().min(MOST_UDP_BYTES));
            if request.edns.is_some() {
                builder.edns(&edns);
            }
            let response = builder.build(head, &reply.answers, [], &reply.authority, []);
            // A client that is gone wants no answer.
            answer.send_response(response).await.unwrap_or(failed)
        })
    }
}

/// What is answered to one query.
struct Reply {
    code: ResponseCode,
    answers: Vec<Record>,
    authority: Option<Record>,
}

impl Reply {
    fn empty(code: ResponseCode) -> Reply {
        Reply { code, answers: Vec::new(), authority: None }
    }
}

impl Answers {
    fn reply(&self, request: &Request) -> Reply {
        if request.metadata.op_code != OpCode::Query {
            return Reply::empty(ResponseCode::NotImp);
        }
        let Ok(asked) = request.request_info() else { return Reply::empty(ResponseCode::FormErr) };
        let query = asked.query.original();
        // The letter case of the question is kept in the answer, for clients that check it.
        let (name, kind) = (query.name(), query.query_type());
        let reply = match query.query_class() {
            DNSClass::IN => self.names.read(|book| book.reply(self.view, name, kind)),
            _ => Reply::empty(ResponseCode::Refused),
        };
        let written = name.to_ascii();
        let written = written.strip_suffix('.').unwrap_or(&written).to_owned();
        self.ledger.record_query(self.view, written, kind.to_string(), request.src(), reply.answers.len());
        reply
    }
}

impl Book {
    fn hosts(&self, view: View) -> &BTreeMap<HostName, Vec<IpAddr>> {
        match view {
            View::Internal => &self.internal,
            View::External => &self.external,
        }
    }

    fn reply(&self, view: View, name: &Name, kind: RecordType) -> Reply {
        let host = HostName::folded(&name.to_ascii());
        let addresses =
            host.as_ref().ok().and_then(|host| self.hosts(view).get(host)).filter(|all| !all.is_empty());
        let service = host.as_ref().ok().and_then(|host| self.services.get(host));
        let record = |data| Record::from_rdata(name.clone(), TTL, data);
        let any = kind == RecordType::ANY;
        let mut answers = Vec::new();
        for address in addresses.into_iter().flatten() {
            match address {
                IpAddr::V4(v4) if any || kind == RecordType::A => answers.push(record(RData::A(A(*v4)))),
                IpAddr::V6(v6) if any || kind == RecordType::AAAA => {
                    answers.push(record(RData::AAAA(AAAA(*v6))))
                }
                _ => {}
            }
        }
        if let Some(service) = service.filter(|_| any || kind == RecordType::SRV)
            && let Ok(target) = absolute(&service.target)
        {
            answers.push(record(RData::SRV(SRV::new(0, 0, service.port, target))));
        }
        let domain = absolute(&self.domain).ok();
        let apex = domain.as_ref().is_some_and(|domain| domain == name);
        if apex && (any || kind == RecordType::SOA) {
            answers.extend(self.start_of_authority());
        }
        if !answers.is_empty() {
            return Reply { code: ResponseCode::NoError, answers, authority: None };
        }
        let known = apex
            || addresses.is_some()
            || service.is_some()
            || self.leads_to_a_known_name(view, host.as_ref().ok());
        // A name that is known in the other view may be of any domain.
        let other = |host: &HostName| self.internal.contains_key(host) || self.external.contains_key(host);
        let ours = domain.is_some_and(|domain| domain.zone_of(name)) || host.is_ok_and(|host| other(&host));
        let code = match (known, ours) {
            (true, _) => ResponseCode::NoError,
            (false, true) => ResponseCode::NXDomain,
            (false, false) => return Reply::empty(ResponseCode::Refused),
        };
        Reply { code, answers, authority: self.start_of_authority() }
    }

    /// `_tcp.contoso.com` exists although it holds nothing, since `_autodiscover._tcp.contoso.com` does (RFC 8020).
    fn leads_to_a_known_name(&self, view: View, host: Option<&HostName>) -> bool {
        let Some(host) = host else { return false };
        let below = |name: &HostName| {
            name.as_str().strip_suffix(host.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        let resolving = self.hosts(view).iter().filter(|(_, all)| !all.is_empty()).map(|(name, _)| name);
        resolving.chain(self.services.keys()).any(below)
    }

    /// What an empty answer carries, so that a resolver knows how long to believe it (RFC 2308, section 3).
    fn start_of_authority(&self) -> Option<Record> {
        let domain = absolute(&self.domain).ok()?;
        let person = domain.prepend_label("hostmaster").ok()?;
        let ttl = i32::try_from(TTL).unwrap_or(i32::MAX);
        let start = SOA::new(domain.clone(), person, 1, ttl, ttl, ttl, TTL);
        Some(Record::from_rdata(domain, TTL, RData::SOA(start)))
    }
}

fn absolute(name: &HostName) -> Result<Name, hickory_proto::ProtoError> {
    Name::from_ascii(format!("{name}."))
}

#[cfg(test)]
mod tests;
