//! The judge: what was expected beside what was observed. Pure. It knows literals and arrivals, and no rule.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ledger::{Arrival, Claim};
use model::case::{Answer, By, Case, CertificateFault, Hop, Leg, Over, Position, Step, Told};
use model::journal::{ClientLeg, Exchange, Journal, Order};
use model::topology::ServerRole;
use model::verdict::{Difference, SeenHop, SeenLeg};
use model::{HostName, Protocol, Role, ServerName, Topology, Version};

mod carried;
mod evidence;
pub(crate) mod pings;
mod secrets;
pub(crate) mod strangers;

/// Everything that is known of one case's run.
pub struct Trace {
    /// The topology that it ran in.
    pub topology: Arc<Topology>,
    /// Who sits at an address.
    pub positions: BTreeMap<IpAddr, ServerName>,
    /// What its clients saw, step by step, one journal a client.
    pub journals: Vec<Journal>,
    /// Its arrivals in order.
    pub arrivals: Vec<Arc<Arrival>>,
    /// Arrivals of other cases that were served as one of its users.
    pub strangers: Vec<Arc<Arrival>>,
    /// What nobody's client asked for, from the start of the lab on; only where the case looks at it.
    pub pings: Vec<Arc<Arrival>>,
    /// Between two health rounds, as the subject declares.
    pub interval: Duration,
    /// Steps, counted from 0, whose browser was to come back within its session, and found it over, later than it had to live.
    pub outlived: Vec<usize>,
}

/// What the judge found.
pub struct Judged {
    /// Differences; none is a pass.
    pub differences: Vec<Difference>,
    /// The legs as they were.
    pub seen: Vec<SeenLeg>,
    /// How many of the differences are of steps that came too late for their session.
    pub outlived: usize,
    /// Whether anything at all was there to judge.
    pub observed: bool,
}

/// Judges a case by its trace.
pub fn judge(case: &Case, trace: &Trace) -> Judged {
    let mut judged = Judged { differences: vec![], seen: vec![], outlived: 0, observed: false };
    let mut journals = trace.journals.iter();
    for (at, step) in case.steps.iter().enumerate() {
        let clients: Vec<&Journal> = journals.by_ref().take(usize::from(step.when.at_once)).collect();
        if clients.len() < usize::from(step.when.at_once) {
            judged.as_a_whole("dials", format!("step {} was never played", at + 1));
        }
        let before = judged.differences.len();
        judge_step(step, &clients, trace, &mut judged);
        if trace.outlived.contains(&at) {
            judged.outlived += judged.differences.len() - before;
        }
    }
    strays(trace, &mut judged);
    evidence::weigh(case, trace, &mut judged);
    strangers::show(case, trace, &mut judged);
    invariants(case, trace, &mut judged);
    pings::judge(case, trace, &mut judged);
    judged
}

/// Whether an arrival says something of the case that it is given to. What nobody signed, and only its connection gives to a
/// case, does not where an edge may carry many clients' requests on one connection.
pub fn speaks(topology: &Topology, arrival: &Arrival) -> bool {
    topology.role != Role::Edge
        || arrival.claimed_by != Claim::Connection
        || arrival.identity.believed_to_be.is_some()
}

impl Trace {
    fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.journals.iter().flat_map(|journal| &journal.legs).flat_map(|leg| &leg.exchanges)
    }

    /// Who sits where an exchange went.
    fn dialled(&self, exchange: &Exchange) -> Option<&ServerName> {
        self.positions.get(&exchange.dialled?.ip())
    }

    fn arrival(&self, order: Order) -> Option<&Arc<Arrival>> {
        self.arrivals.iter().find(|arrival| arrival.order == order)
    }
}

impl Judged {
    /// A difference that belongs to no leg.
    fn as_a_whole(&mut self, what: &str, says: String) {
        self.differences.push(Difference { leg: 0, what: what.to_owned(), says });
    }
}

fn holds(exchange: &Exchange, arrival: &Arrival) -> bool {
    arrival.order >= exchange.began && arrival.order < exchange.ended
}

/// Of several clients at once the first that differs is shown, or the first.
fn judge_step(step: &Step, clients: &[&Journal], trace: &Trace, judged: &mut Judged) {
    let before = judged.seen.len();
    let mut each = clients.iter().map(|journal| {
        let mut one = Judged { differences: vec![], seen: judged.seen.clone(), outlived: 0, observed: false };
        judge_client(step, journal, trace, &mut one);
        one
    });
    let Some(first) = each.next() else { return };
    let shown = match first.differences.is_empty() {
        true => each.find(|one| !one.differences.is_empty()).unwrap_or(first),
        false => first,
    };
    judged.observed |= shown.observed;
    judged.seen = shown.seen;
    judged.differences.extend(shown.differences);
    for (at, leg) in step.then.iter().enumerate().filter(|(_, leg)| leg.spread) {
        let what = "spread".to_owned();
        let differs = |says| Difference { leg: before + at + 1, what, says };
        judged.differences.extend(crowd(leg, at, clients, trace).map(differs));
    }
}

/// Where the subject has passed all clients on to the same one of a set, though some other would have done.
fn crowd(leg: &Leg, at: usize, clients: &[&Journal], trace: &Trace) -> Option<String> {
    let set = &leg.chosen()?.at;
    let legs = clients.iter().filter_map(|journal| journal.legs.get(at));
    let paths = legs.flat_map(|leg| ways_of(leg, trace)).flat_map(|way| way.paths);
    let came: BTreeSet<ServerName> = paths.filter_map(|path| path.servers().get(1).cloned()).collect();
    let [one] = &came.into_iter().collect::<Vec<_>>()[..] else { return None };
    Some(format!("all {} clients came to {one}, expected more than one: {set}", clients.len()))
}

fn judge_client(step: &Step, journal: &Journal, trace: &Trace, judged: &mut Judged) {
    for at in 0..step.then.len().max(journal.legs.len()) {
        let number = judged.seen.len() + 1;
        let mut differs = |what: &str, says: String| {
            judged.differences.push(Difference { leg: number, what: what.to_owned(), says });
        };
        match (step.then.get(at), journal.legs.get(at)) {
            (Some(expected), Some(seen)) => {
                judged.observed |= seen.exchanges.iter().any(|exchange| exchange.dialled.is_some());
                let ways = ways_of(seen, trace);
                match is_refused(expected, &ways) {
                    true => refused_well(expected, seen, &mut differs),
                    false => {
                        compare(expected, seen, &ways, trace, &mut differs);
                        carried::compare(expected, seen, &step.when.sends, trace, &mut differs);
                    }
                }
                let seen = picture(seen, counts(&ways), Some(expected), trace);
                judged.seen.push(seen);
            }
            (Some(missing), None) => {
                differs("dials", format!("the client never came to {}", missing.dials));
                break;
            }
            (None, Some(extra)) => {
                differs("dials", format!("the client also came to {}, which no leg expects", extra.dials));
                let seen = picture(extra, counts(&ways_of(extra, trace)), None, trace);
                judged.seen.push(seen);
            }
            (None, None) => {}
        }
    }
}

/// One path of a request: the position that the client dialled, and the arrivals behind it, each a child of the one
/// before.
#[derive(Debug, Clone, Default)]
struct Path {
    first: Option<ServerName>,
    behind: Vec<Arc<Arrival>>,
}

impl Path {
    fn servers(&self) -> Vec<ServerName> {
        let mut servers: Vec<ServerName> = self.first.iter().cloned().collect();
        servers.extend(self.behind.iter().map(|arrival| arrival.server.clone()));
        servers
    }
}

/// One request of a client and all its paths, never none, the longest last.
struct Way<'t> {
    exchange: &'t Exchange,
    paths: Vec<Path>,
}

impl Way<'_> {
    fn longest(&self) -> Option<&Path> {
        self.paths.last()
    }
}

/// The longest path of the last request: the one that counts.
fn counts<'a>(ways: &'a [Way<'_>]) -> Option<&'a Path> {
    ways.last()?.longest()
}

fn ways_of<'t>(leg: &'t ClientLeg, trace: &Trace) -> Vec<Way<'t>> {
    let dialled = leg.exchanges.iter().filter(|exchange| exchange.dialled.is_some());
    dialled.map(|exchange| Way { exchange, paths: paths_of(exchange, trace) }).collect()
}

fn paths_of(exchange: &Exchange, trace: &Trace) -> Vec<Path> {
    let first = trace.dialled(exchange).cloned();
    let own: Vec<&Arc<Arrival>> = trace.arrivals.iter().filter(|arrival| holds(exchange, arrival)).collect();
    let mut paths = vec![];
    for leaf in own.iter().filter(|a| !own.iter().any(|b| b.parent == Some(a.order))) {
        let mut behind = vec![(*leaf).clone()];
        let earlier = |at: &Arrival| at.parent.filter(|parent| *parent < at.order);
        while let Some(parent) = earlier(&behind[0]).and_then(|parent| trace.arrival(parent)) {
            behind.insert(0, parent.clone());
        }
        let root = &behind[0];
        let first = match root.claimed_by {
            // What the client's own socket reached is the first hop itself.
            Claim::Socket if first.as_ref() == Some(&root.server) => {
                behind.remove(0);
                first.clone()
            }
            // What else no fake passed on came from the seat, whomever the client dialled.
            _ => first.as_ref().map(|_| trace.topology.seat.clone()),
        };
        paths.push(Path { first, behind });
    }
    if paths.is_empty() {
        paths.push(Path { first, behind: vec![] });
    }
    paths.sort_by_key(|path| path.behind.len());
    paths
}

/// Whether the server that the client dialled refused, where it may, and nothing went further. 501 is how a transfer coding
/// that nobody knows is refused (RFC 9112, section 6.1).
fn is_refused(expected: &Leg, ways: &[Way<'_>]) -> bool {
    let stays = |way: &Way<'_>| way.paths.iter().all(|path| path.behind.is_empty());
    let refusal = |way: &Way<'_>| matches!(way.exchange.status, 0 | 400..=499 | 501);
    expected.may_refuse && ways.iter().all(stays) && ways.last().is_some_and(refusal)
}

/// A refusal comes at once: a client that waits in vain is not refused.
fn refused_well(expected: &Leg, seen: &ClientLeg, differs: &mut impl FnMut(&str, String)) {
    if expected.dials != seen.dials {
        differs("dials", format!("the client came to {}, expected {}", seen.dials, expected.dials));
    }
    let answers = seen.exchanges.iter().filter_map(|exchange| exchange.answer.as_ref());
    if let Some(late) = answers.flat_map(|answer| &answer.missed).find(|missed| missed.starts_with("no end"))
    {
        differs("carried", late.clone());
    }
}

fn compare(
    expected: &Leg,
    seen: &ClientLeg,
    ways: &[Way<'_>],
    trace: &Trace,
    differs: &mut impl FnMut(&str, String),
) {
    if expected.dials != seen.dials {
        differs("dials", format!("the client came to {}, expected {}", seen.dials, expected.dials));
    }
    if expected.reached != seen.reached {
        differs("reached", format!("{} was {}, expected {}", seen.dials, seen.reached, expected.reached));
    }
    hops(expected, ways, trace, differs);
    let asked = (expected.prompts.credentials, expected.prompts.certificate);
    let was = (seen.credential_prompts, count(&seen.certificate_prompts));
    if asked != was {
        differs(
            "prompts",
            format!(
                "{} asked for credentials and {} about a certificate, expected {} and {}",
                times(was.0),
                times(was.1),
                asked.0,
                asked.1
            ),
        );
    }
    if let (Some(reason), Some(said)) = (expected.prompts.reason, seen.certificate_prompts.first())
        && reason != *said
    {
        differs("prompts", format!("the certificate was wrong by {said}, expected {reason}"));
    }
    if let Some(way) = expected.signs_in
        && way != seen.signed_in
    {
        differs("signs-in", format!("signed in by {}, expected {way}", seen.signed_in));
    }
    if let Some(computer) = expected.computer
        && Some(computer) != seen.computer
    {
        let was = seen.computer.map_or("nothing is known of".to_owned(), |seen| seen.to_string());
        differs("computer", format!("the computer at the logon page: {was}, expected {computer}"));
    }
    let told = with_writer(&seen.told, counts(ways));
    if !fits(&expected.told, &told) {
        let note = seen.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        differs("told", format!("{told}{note}, expected {}", expected.told));
    }
}

fn hops(expected: &Leg, ways: &[Way<'_>], trace: &Trace, differs: &mut impl FnMut(&str, String)) {
    for path in ways.iter().flat_map(|way| &way.paths) {
        if path.first.is_none() {
            differs("hops", "the client dialled an address where no server sits".to_owned());
            return;
        }
        let servers = path.servers();
        for (at, server) in servers.iter().enumerate() {
            let wanted = expected.hops.get(at);
            if !wanted.is_some_and(|hop| hop.at.admits(server)) {
                let expects = wanted.map_or("nothing there".to_owned(), |hop| hop.at.to_string());
                differs("hops", format!("hop {} was {server}, expected {expects}", at + 1));
                return;
            }
        }
        for (at, (arrival, hop)) in path.behind.iter().zip(expected.hops.iter().skip(1)).enumerate() {
            if let Some(wrong) = named_wrong(hop, arrival, &servers[at], trace) {
                differs("hops", wrong);
                return;
            }
        }
    }
    let went = |way: &Way<'_>| way.longest().map_or(0, |path| path.servers().len());
    let all = expected.hops.len();
    let went_all = |at: usize| went(&ways[at]) >= all;
    let short = (0..ways.len()).rev().find(|&at| {
        let before = (0..at).any(went_all);
        must_go_all_the_way(ways[at].exchange, ways.last().map(|last| last.exchange), before) && !went_all(at)
    });
    let last = short.map_or(if ways.is_empty() { 0 } else { all }, |at| went(&ways[at]));
    if last < all {
        let missing: Vec<String> = expected.hops[last..].iter().map(|hop| hop.at.to_string()).collect();
        let which = match short.filter(|at| at + 1 < ways.len()) {
            None => "the request that counted".to_owned(),
            Some(at) => format!("{} {}", ways[at].exchange.verb, ways[at].exchange.target),
        };
        differs("hops", format!("{} never saw {which}", missing.join(", then ")));
    }
}

/// The last request of a leg must pass every hop, and so must each before it that asked the same and was served too. A
/// page may have been a logon page, so for what is only fetched this holds once one has passed them all.
fn must_go_all_the_way(exchange: &Exchange, last: Option<&Exchange>, one_did: bool) -> bool {
    let Some(last) = last else { return false };
    let path =
        |exchange: &Exchange| exchange.target.split('?').next().unwrap_or_default().to_ascii_lowercase();
    let same = exchange.verb == last.verb && path(exchange) == path(last);
    std::ptr::eq(exchange, last)
        || (same && (200..300).contains(&exchange.status) && (one_did || exchange.verb == "POST"))
}

/// Whether a hop was reached by another name, or over another transport, than it must be.
fn named_wrong(expected: &Hop, arrival: &Arrival, from: &ServerName, trace: &Trace) -> Option<String> {
    let server = trace.topology.server(&arrival.server)?;
    let legacy_mailbox = !server.is(ServerRole::ClientAccess) && server.version != Version::Exchange2013;
    let usual = match legacy_mailbox {
        true => By::Rpc,
        // Of what stands before a front end the rules name no name: whether it was the right one, the client is told.
        false if trace.topology.edges.contains_key(from) => By::Any,
        false => By::Fqdn,
    };
    let wanted = expected.by.unwrap_or(usual);
    let was = name_of(arrival, &trace.topology);
    // An InternalUrl or a setting may name the server by its own name: then one name is both.
    let own = trace.topology.fqdn(&arrival.server);
    let both = was == By::Fqdn.as_str()
        && match wanted {
            By::InternalUrl => internal_host(arrival, &trace.topology) == Some(&own),
            By::ConnectionSetting => is_set(arrival, &own, &trace.topology),
            _ => false,
        };
    // In clear a mail program says no name: which one was looked up cannot be told.
    let unsaid = is_mail(arrival) && !arrival.tls;
    if wanted != By::Any && was != wanted.as_str() && !both && !unsaid {
        return Some(format!("{} was reached by {was}, expected {wanted}", arrival.server));
    }
    let over = over_of(arrival);
    let wanted = expected.over.unwrap_or(Over::Tls);
    if arrival.protocol != Protocol::Rpc && over != wanted {
        return Some(format!("{} was reached over {over}, expected {wanted}", arrival.server));
    }
    None
}

/// By which name a server was reached: Host and, over TLS, the greeting must agree.
fn name_of(arrival: &Arrival, topology: &Topology) -> String {
    if arrival.protocol == Protocol::Rpc {
        return By::Rpc.to_string();
    }
    if is_mail(arrival) {
        return mail_name_of(arrival, topology);
    }
    let folded = |name: &Option<String>| {
        name.as_deref().and_then(|name| HostName::folded(name.split(':').next().unwrap_or_default()).ok())
    };
    let (host, sni) = (folded(&arrival.host), folded(&arrival.sni));
    if arrival.tls && host != sni {
        let written =
            |name: &Option<HostName>| name.as_ref().map_or("nothing".to_owned(), HostName::to_string);
        return format!("Host {} and SNI {}", written(&host), written(&sni));
    }
    let Some(host) = host else { return "no Host".to_owned() };
    if host == topology.fqdn(&arrival.server) {
        return By::Fqdn.to_string();
    }
    match internal_host(arrival, topology) == Some(&host) {
        true => By::InternalUrl.to_string(),
        false => host.to_string(),
    }
}

/// Neither IMAP nor POP has a Host: the name is the greeting's.
fn mail_name_of(arrival: &Arrival, topology: &Topology) -> String {
    let sni = arrival.sni.as_deref().and_then(|name| HostName::folded(name).ok());
    match sni {
        None if arrival.tls => "no SNI".to_owned(),
        None => "no name, in clear".to_owned(),
        Some(name) if name == topology.fqdn(&arrival.server) => By::Fqdn.to_string(),
        Some(name) if is_set(arrival, &name, topology) => By::ConnectionSetting.to_string(),
        Some(name) => name.to_string(),
    }
}

/// Whether the server's InternalConnectionSettings name this host for what an arrival came over.
fn is_set(arrival: &Arrival, host: &HostName, topology: &Topology) -> bool {
    let service = topology.server(&arrival.server).and_then(|server| server.mail(arrival.protocol));
    let over = over_of(arrival);
    service.is_some_and(|service| {
        service.internal_connection_settings.iter().any(|set| set.host == *host && set.over == over)
    })
}

fn is_mail(arrival: &Arrival) -> bool {
    matches!(arrival.protocol, Protocol::Imap | Protocol::Pop)
}

fn over_of(arrival: &Arrival) -> Over {
    match (arrival.tls, arrival.starttls) {
        (true, true) => Over::Starttls,
        (true, false) => Over::Tls,
        (false, _) => Over::Plain,
    }
}

fn internal_host<'t>(arrival: &Arrival, topology: &'t Topology) -> Option<&'t HostName> {
    let directory = topology.server(&arrival.server)?.directory(arrival.protocol)?;
    Some(&directory.internal_url.as_ref()?.0.host)
}

/// An Autodiscover answer's writer is the last hop of the request that counted.
fn with_writer(told: &Told, counts: Option<&Path>) -> Told {
    match told {
        Told::Answer(answer) => {
            let writer = counts.and_then(|path| path.servers().pop());
            Told::Answer(Answer { by: Position(writer.into_iter().collect()), ..answer.clone() })
        }
        other => other.clone(),
    }
}

fn fits(expected: &Told, seen: &Told) -> bool {
    match (expected, seen) {
        (Told::Answered(any), Told::Answered(seen)) => seen.iter().all(|status| any.contains(status)),
        (Told::Unavailable(any), Told::Failed(status)) => any.contains(status),
        (Told::Answer(expected), Told::Answer(seen)) => {
            let by = seen.by.0.first().is_some_and(|writer| expected.by.admits(writer));
            by && Answer { by: expected.by.clone(), ..seen.clone() } == *expected
        }
        (expected, seen) => expected == seen,
    }
}

/// The world is closed: an arrival that belongs to the case and to no request of its clients fails it. One that nobody
/// signed, and that only its connection gives to the case, may be another's or anybody's, and proves nothing here.
fn strays(trace: &Trace, judged: &mut Judged) {
    let anybodys = |arrival: &Arrival| {
        arrival.claimed_by == Claim::Connection && arrival.identity.believed_to_be.is_none()
    };
    for arrival in trace.arrivals.iter().filter(|arrival| !anybodys(arrival)) {
        if !trace.exchanges().any(|exchange| holds(exchange, arrival)) {
            let says = format!(
                "{} {} arrived at {} outside every request",
                arrival.verb, arrival.target, arrival.server
            );
            judged.as_a_whole("hops", says);
        }
    }
}

/// What no literal needs to say, since it holds in every case of a role.
fn invariants(case: &Case, trace: &Trace, judged: &mut Judged) {
    secrets::keep(trace, judged);
    if trace.topology.role != Role::FrontEnd2013 {
        return;
    }
    let mut broken = |says: String| judged.as_a_whole("invariant", says);
    let at_the_seat = |exchange: &Exchange| trace.dialled(exchange) == Some(&trace.topology.seat);
    // Where a case has a server behind say 451, it is that one's.
    let dictated = case.given.answers.values().flatten().any(|answer| answer.status.starts_with("451"));
    if let Some(moved) = trace
        .exchanges()
        .filter(|_| !dictated)
        .find(|exchange| exchange.status == 451 && at_the_seat(exchange))
    {
        broken(format!(
            "Exchange 2013 never answers 451, and did to {} {} (CX-EAS-7)",
            moved.verb, moved.target
        ));
    }
    for arrival in trace.arrivals.iter().filter(|a| a.parent.is_none() && a.claimed_by != Claim::Socket) {
        if arrival.protocol == Protocol::Rpc {
            broken(format!("MS-RPC to {} began at the 2013 front end (CX-OA-7)", arrival.server));
            continue;
        }
        let version = trace.topology.server(&arrival.server).map(|server| server.version);
        let legacy = version.is_some_and(|version| version != Version::Exchange2013);
        let name = name_of(arrival, &trace.topology);
        // A 2010 server is reached by what it is set to, and what comes in clear says no name.
        let exempt = is_mail(arrival) && (version == Some(Version::Exchange2010) || !arrival.tls);
        if legacy && !exempt && name != By::Fqdn.as_str() {
            broken(format!("{} was reached by {name}, not by its FQDN (CX-TGT-1)", arrival.server));
        }
    }
}

/// A leg as a person reads it; hops that the expectation does not name there are marked.
fn picture(seen: &ClientLeg, path: Option<&Path>, expected: Option<&Leg>, trace: &Trace) -> SeenLeg {
    let empty = Path::default();
    let path = path.unwrap_or(&empty);
    let wanted = |at: usize, server: &ServerName| {
        expected.and_then(|leg| leg.hops.get(at)).is_some_and(|hop| hop.at.admits(server))
    };
    let mut hops = vec![];
    if let Some(first) = &path.first {
        let what = seen.exchanges.last().map(|e| format!("{} {}", e.verb, e.target)).unwrap_or_default();
        let by = By::Fqdn.to_string();
        hops.push(SeenHop { server: first.to_string(), what, by, expected: wanted(0, first) });
    }
    for (arrival, at) in path.behind.iter().zip(1..) {
        hops.push(SeenHop {
            server: arrival.server.to_string(),
            what: format!("{} {}", arrival.verb, arrival.target),
            by: name_of(arrival, &trace.topology),
            expected: wanted(at, &arrival.server),
        });
    }
    let told = with_writer(&seen.told, Some(path));
    SeenLeg {
        dials: seen.dials.to_string(),
        reached: seen.reached.to_string(),
        hops,
        prompts: (seen.credential_prompts, count(&seen.certificate_prompts)),
        told: told.to_string(),
        note: seen.note.clone(),
    }
}

fn count(faults: &[CertificateFault]) -> u8 {
    u8::try_from(faults.len()).unwrap_or(u8::MAX)
}

fn times(count: u8) -> String {
    match count {
        1 => "once".to_owned(),
        many => format!("{many} times"),
    }
}

#[cfg(test)]
mod tests;
