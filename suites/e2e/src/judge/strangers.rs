//! One user's request, served as another's (rule X-SEC-4): shown before everything else that differs.

use ledger::{Arrival, Conveyed};
use model::MailboxName;
use model::verdict::Difference;

use super::{Case, Judged, Trace};

/// Puts every such arrival before what else differs.
pub(super) fn show(case: &Case, trace: &Trace, judged: &mut Judged) {
    let own = own_mailboxes(case);
    let served = trace.arrivals.iter().filter_map(|arrival| served_as_another(arrival, &own));
    let taken = trace.strangers.iter().filter_map(|arrival| says(arrival));
    let mixed_up = trace.arrivals.iter().filter(|arrival| arrival.identity.conveyed == Conveyed::NtlmAstray);
    let mixed_up = mixed_up.map(|arrival| {
        format!(
            "a response to a challenge that its connection never gave arrived at {} (X-SEC-4)",
            arrival.server
        )
    });
    let all: Vec<Difference> = served.chain(taken).chain(mixed_up).map(stranger).collect();
    judged.differences.splice(0..0, all);
}

/// A difference of this kind.
pub(crate) fn stranger(says: String) -> Difference {
    Difference { leg: 0, what: "stranger".to_owned(), says }
}

/// The mailboxes that a case drew for itself, by the names that the ledger knows.
pub(super) fn own_mailboxes(case: &Case) -> Vec<String> {
    let mailboxes = case.steps.iter().map(|step| &step.when.mailbox);
    mailboxes.map(|mailbox| format!("{mailbox}-{}", directory::account::mark(&case.id, mailbox))).collect()
}

/// Whether an arrival of this case was served as somebody who did not ask: another than it names, or where it names nobody
/// and is known by its socket, its mark or its connection, one of whom this case has none.
fn served_as_another(arrival: &Arrival, own: &[String]) -> Option<String> {
    let believed = arrival.identity.believed_to_be.as_ref()?;
    let is_another = match &arrival.identity.asked_by {
        Some(asked) => asked != believed,
        None => !own.iter().any(|name| name == believed.as_str()),
    };
    if is_another { says(arrival) } else { None }
}

/// In a sentence.
pub(crate) fn says(arrival: &Arrival) -> Option<String> {
    let believed = arrival.identity.believed_to_be.as_ref()?;
    let asked = arrival.identity.asked_by.as_ref().map_or("somebody without a name", MailboxName::as_str);
    Some(format!("{asked} asked at {} and was served as {believed} (X-SEC-4)", arrival.server))
}
