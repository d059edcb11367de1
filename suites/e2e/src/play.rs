//! One case in a running lab: its clients, its trace, its verdict.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clients::{Cookies, Limits, Network, Person, Tickets};
use lab::{Lab, LabError, Since};
use ledger::Arrival;
use model::case::{Case, ClientKind, ComesBack, Resolves, Steering, Step, Told};
use model::journal::{ClientLeg, Exchange, Order};
use model::verdict::{Difference, Outcome, Verdict};
use model::{CaseId, HostName, MailboxName, ServerName, Topology, View};

use crate::hint;
use crate::judge::{Judged, Trace, judge, speaks};

/// What came of a case.
pub struct Played {
    /// Its verdict.
    pub verdict: Verdict,
    /// What the verdict was made of.
    pub trace: Trace,
}

/// Plays a case and judges it by this topology. `shared` is whether other cases use the same lab meanwhile.
pub async fn play(lab: &Lab, case: &Case, topology: Arc<Topology>, shared: bool, again: String) -> Played {
    let started = Instant::now();
    let mut journals = vec![];
    let mut staying = vec![];
    let mut cookies: BTreeMap<MailboxName, Cookies> = BTreeMap::new();
    let mut not_steered = None;
    let mut not_come = vec![];
    // When each mailbox's browser last began to sign in: no session of it is older.
    let mut signs_in: BTreeMap<&MailboxName, Instant> = BTreeMap::new();
    let mut outlived = vec![];
    // Of what comes by itself, a case that has done nothing yet may have missed the beginning.
    let mut since = Since { order: Order(0), signed_in: None };
    for (at, step) in case.steps.iter().enumerate() {
        match steer(lab, step, since).await {
            Ok(()) => since.order = lab.ledger().mark(),
            // The subject's own affair: the case goes on, and says what came of it.
            Err((steering, why @ LabError::NoHealthRound { .. })) => {
                let says = format!("{steering}: {why}");
                not_come.push(Difference { leg: 0, what: "pings".to_owned(), says });
            }
            Err((steering, why)) => {
                not_steered = Some(format!("{steering}: {why}"));
                break;
            }
        }
        let in_session = step.when.comes_back == Some(ComesBack::InSession);
        if !in_session {
            signs_in.insert(&step.when.mailbox, Instant::now());
        }
        // Only of the subject's own sessions it is declared how long they live.
        let at_the_seat = step.then.first().and_then(|leg| leg.hops.first());
        let at_the_seat = at_the_seat.is_some_and(|hop| hop.at.admits(&topology.seat));
        let mut shows_logon_page = false;
        let network = network(lab, step.when.view);
        let Some(person) = person(lab, case, &step.when.mailbox) else { break };
        let kept = cookies.entry(step.when.mailbox.clone()).or_default();
        for visited in clients::play_at_once(&network, &case.id, &step.when, &person, kept).await {
            shows_logon_page |= visited.journal.legs.iter().any(|leg| matches!(leg.told, Told::LogonPage(_)));
            journals.push(visited.journal);
            if step.when.client == ClientKind::Browser {
                *kept = visited.cookies;
            }
            match step.when.stays {
                true => staying.push(visited.open),
                false => visited.open.close().await,
            }
        }
        since.signed_in.get_or_insert_with(Instant::now);
        let is_over = in_session && at_the_seat && shows_logon_page;
        let began = signs_in.get(&step.when.mailbox).filter(|_| is_over);
        if began.zip(lab.session_life()).is_some_and(|(began, life)| began.elapsed() > life) {
            outlived.push(at);
        }
    }
    let mut wrong_names = vec![];
    for resolves in &case.resolves {
        wrong_names.extend(resolve(lab, resolves).await);
    }
    let arrivals = lab.ledger().of_case(&case.id).into_iter().filter(|a| speaks(&topology, a)).collect();
    let trace = Trace {
        topology,
        positions: lab.positions(),
        journals,
        arrivals,
        strangers: lab.ledger().served_as_users_of(&case.id),
        pings: pings(lab, case),
        interval: lab.health_interval(),
        outlived,
    };
    for open in staying {
        open.close().await;
    }
    if let Some(why) = not_steered {
        return Played { verdict: unplayed(case, why, again), trace };
    }
    let mut judged = judge(case, &trace);
    judged.differences.splice(0..0, not_come);
    judged.differences.extend(wrong_names);
    judged.observed |= !case.resolves.is_empty();
    if !judged.differences.is_empty() && broke_off(&trace) {
        // A connection that breaks is seen sooner than the end of the process that held it.
        let _ = crate::clock::within(crate::clock::DEATH, lab.subject_dies()).await;
    }
    // A refusal at the seat, where a leg allows one, is over with the client's own connection: it leaves nothing behind.
    let may_refuse = case.steps.iter().flat_map(|step| &step.then).any(|leg| leg.may_refuse);
    let mut outcome = outcome(lab, &mut judged, &trace, shared, may_refuse);
    // The subject may be right: by the time that it declares, the sessions were over. Of the other steps this says nothing.
    let may_be_right = outcome == Outcome::Fail && judged.outlived == judged.differences.len();
    if let Some(life) = lab.session_life().filter(|_| may_be_right) {
        let says = format!(
            "too slow to tell: {life:?} are declared for a session, and the browser that was to come back within it came \
             later; run the case again with less beside it (--jobs), or declare a longer owa-timeout"
        );
        judged.differences.insert(0, setup(says));
        outcome = Outcome::Setup;
    }
    let verdict = Verdict {
        id: case.id.clone(),
        title: case.title.clone(),
        rules: case.rules.clone(),
        source: case.source.clone(),
        outcome,
        likely: hint::likely(case, &judged.differences, &judged.seen, &trace.topology),
        why: judged.differences,
        expected: case.steps.iter().flat_map(|step| step.then.clone()).collect(),
        observed: judged.seen,
        took: started.elapsed(),
        again,
    };
    Played { verdict, trace }
}

/// Everything that nobody's client asked for, where the case looks at it.
fn pings(lab: &Lab, case: &Case) -> Vec<Arc<Arrival>> {
    match case.pings.is_empty() {
        true => vec![],
        false => lab.ledger().all().into_iter().filter(|arrival| arrival.is_of_nobody()).collect(),
    }
}

/// Does to the lab what the case says before a client's step.
async fn steer<'s>(lab: &Lab, step: &'s Step, mut since: Since) -> Result<(), (&'s Steering, LabError)> {
    for steering in &step.before {
        lab.steer(steering, since).await.map_err(|error| (steering, error))?;
        since.order = lab.ledger().mark();
    }
    Ok(())
}

fn outcome(lab: &Lab, judged: &mut Judged, trace: &Trace, shared: bool, may_refuse: bool) -> Outcome {
    if let Some(died) = lab.subject_died() {
        judged.differences.insert(0, setup(format!("the subject died: {died}")));
        return Outcome::Setup;
    }
    if let Some(died) = lab.front_end_died() {
        judged.differences.insert(0, setup(format!("the front end behind the subject died: {died}")));
        return Outcome::Setup;
    }
    if let Some(died) = lab.server_died() {
        judged.differences.insert(0, setup(died));
        return Outcome::Setup;
    }
    if !judged.observed {
        let says = "no client reached anything that could be judged".to_owned();
        judged.differences.insert(0, Difference { leg: 0, what: "unobserved".to_owned(), says });
        return Outcome::Unobserved;
    }
    if !judged.differences.is_empty() {
        return Outcome::Fail;
    }
    if shared
        && !may_refuse
        && let Some(loud) = trace.journals.iter().flat_map(|j| &j.legs).find_map(loud)
    {
        let says = format!(
            "{} {} ended with {}: a case that does so may not share a lab",
            loud.verb, loud.target, loud.status
        );
        judged.differences.push(setup(says));
        return Outcome::Setup;
    }
    Outcome::Pass
}

/// Whether something that was asked at the seat got no answer, or only the beginning of one.
fn broke_off(trace: &Trace) -> bool {
    let at_the_seat = |exchange: &&Exchange| {
        let to = exchange.dialled.and_then(|to| trace.positions.get(&to.ip()));
        to == Some(&trace.topology.seat)
    };
    let cut = |exchange: &Exchange| exchange.answer.as_ref().is_some_and(|answer| !answer.whole);
    trace.journals.iter().flat_map(|journal| &journal.legs).any(|leg| {
        let useless = matches!(leg.told, Told::Failed(status) if status < 400);
        leg.exchanges
            .iter()
            .filter(at_the_seat)
            .any(|exchange| useless || exchange.status == 0 || cut(exchange))
    })
}

/// An exchange that leaves something behind: a 5xx, or no answer. A request that a client sent again since its kept
/// connection had been closed under it is none, nor is an IN channel, which is answered only where it fails (wire facts 4.1).
fn loud(leg: &ClientLeg) -> Option<&Exchange> {
    leg.exchanges.iter().enumerate().find_map(|(at, exchange)| {
        let again = leg.exchanges.get(at + 1);
        let repeated = again.is_some_and(|next| next.verb == exchange.verb && next.target == exchange.target);
        let worked = exchange.verb == "RPC_IN_DATA" && matches!(leg.told, Told::Mailbox(_));
        let unanswered = exchange.dialled.is_some() && exchange.status == 0 && !repeated && !worked;
        (unanswered || exchange.status >= 500).then_some(exchange)
    })
}

/// A difference that says nothing of a rule.
pub fn setup(says: String) -> Difference {
    Difference { leg: 0, what: "setup".to_owned(), says }
}

/// A verdict for a case whose lab never came up, or could not be steered.
pub fn unplayed(case: &Case, says: String, again: String) -> Verdict {
    Verdict {
        id: case.id.clone(),
        title: case.title.clone(),
        rules: case.rules.clone(),
        source: case.source.clone(),
        outcome: Outcome::Setup,
        why: vec![setup(says)],
        likely: None,
        expected: vec![],
        observed: vec![],
        took: Duration::ZERO,
        again,
    }
}

/// A lab's network as clients of a view know it.
pub fn network(lab: &Lab, view: View) -> Network {
    let dials = lab.dials();
    let topology = lab.directory().topology();
    Network {
        ledger: lab.ledger().clone(),
        source: lab.client_address(view),
        view,
        dns: match view {
            View::Internal => lab.doors().dns_internal,
            View::External => lab.doors().dns_external,
        },
        trust: lab.authority().root_store(),
        ports: Arc::new(move |ip, port| dials.real(ip, port)),
        directory: (view == View::Internal).then(|| lab.doors().ldap),
        tickets: tickets(lab),
        // A topology whose seat is in no site is refused when it is read.
        site: topology.site_of(&topology.seat).cloned().expect("the seat is in a site"),
        limits: Limits::default(),
    }
}

/// The domain controller: it gives a user a ticket of his own.
fn tickets(lab: &Lab) -> Tickets {
    let directory = lab.directory().clone();
    Arc::new(move |user, password, host| {
        directory.issue(Some((user, password)), user, &format!("HTTP/{host}")).ok()
    })
}

/// The person behind a case's mailbox.
pub fn person(lab: &Lab, case: &Case, mailbox: &MailboxName) -> Option<Person> {
    person_of(lab, &case.id, mailbox)
}

/// The person behind a mailbox that was drawn under this id.
pub fn person_of(lab: &Lab, case: &CaseId, mailbox: &MailboxName) -> Option<Person> {
    let account = lab.account(case, mailbox)?;
    Some(Person {
        address: account.address.clone(),
        account: account.account.clone(),
        upn: account.upn.clone(),
        legacy_dn: account.legacy_dn.clone(),
        password: account.password.clone(),
        device_id: account.device_id.clone(),
        request_id: account.guid.clone(),
        domain: lab.directory().topology().domain.clone(),
        mailbox: mailbox.clone(),
    })
}

async fn resolve(lab: &Lab, expected: &Resolves) -> Option<Difference> {
    let found = clients::resolve(&network(lab, expected.view), &expected.name).await;
    let differs = |says: String| Some(Difference { leg: 0, what: "resolves".to_owned(), says });
    let addresses = match found {
        Ok(addresses) => addresses,
        Err(error) => return differs(format!("{} ({}): {error}", expected.name, expected.view)),
    };
    let mut seen: Vec<String> = addresses.iter().map(|ip| server_at(lab, ip)).collect();
    let mut wanted: Vec<String> = expected.servers.iter().map(ServerName::to_string).collect();
    seen.sort();
    wanted.sort();
    let listed = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    match seen == wanted {
        true => None,
        false => differs(format!(
            "{} leads to {} in the {} view, expected {}",
            name(&expected.name),
            listed(&seen),
            expected.view,
            listed(&wanted)
        )),
    }
}

fn name(host: &HostName) -> &str {
    host.as_str()
}

fn server_at(lab: &Lab, ip: &IpAddr) -> String {
    lab.positions().get(ip).map_or_else(|| ip.to_string(), ServerName::to_string)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use model::case::{Reached, SignsIn};
    use model::journal::{Journal, RawAnswer};

    use super::*;
    use crate::suite::Suite;

    /// A client that asked once, of the seat or of CAS2010 in Site2, and what came of it.
    fn asked(at_the_seat: bool, status: u16, whole: Option<bool>, told: Told) -> Trace {
        let suite = Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        let topology = Arc::new(suite.topology("coexistence", &Default::default()).unwrap());
        let (seat, other) = (IpAddr::from([127, 0, 0, 10]), IpAddr::from([127, 0, 0, 11]));
        let exchange = Exchange {
            began: Order(0),
            ended: Order(1),
            verb: "POST".to_owned(),
            target: "/EWS/Exchange.asmx".to_owned(),
            dialled: Some(if at_the_seat { (seat, 443) } else { (other, 443) }.into()),
            status,
            reason: String::new(),
            location: None,
            heads: Default::default(),
            cookies_of_others: vec![],
            answer: whole.map(|whole| Box::new(RawAnswer { whole, ..RawAnswer::default() })),
        };
        let leg = ClientLeg {
            dials: "mail.contoso.com".parse().unwrap(),
            reached: Reached::Typed,
            exchanges: vec![exchange],
            credential_prompts: 0,
            certificate_prompts: vec![],
            signed_in: SignsIn::Basic,
            computer: None,
            told,
            note: None,
        };
        let positions = [(seat, topology.seat.clone()), (other, "cas2010-s2".parse().unwrap())];
        let journals = vec![Journal { legs: vec![leg] }];
        Trace {
            topology,
            positions: positions.into(),
            journals,
            arrivals: vec![],
            strangers: vec![],
            pings: vec![],
            interval: Duration::ZERO,
            outlived: vec![],
        }
    }

    #[test]
    fn what_a_dying_subject_leaves_is_no_answer_or_the_beginning_of_one() {
        let answered = || Told::Answered(vec![200]);
        assert!(broke_off(&asked(true, 0, None, Told::Failed(0))));
        assert!(broke_off(&asked(true, 200, Some(false), answered())));
        assert!(broke_off(&asked(true, 200, None, Told::Failed(200))));
        // A whole answer, an error that says what it is, and whatever another server did.
        assert!(!broke_off(&asked(true, 200, Some(true), answered())));
        assert!(!broke_off(&asked(true, 503, None, Told::Failed(503))));
        assert!(!broke_off(&asked(false, 0, None, Told::Failed(0))));
    }
}
