//! Lies of `order`: mail targets in another order, or without some of them.

use std::sync::Arc;

use model::case::Over;
use reference::order::{MailQuestion, MailTarget, rank};
use reference::ports::{Order, Ports};

use crate::Fired;

/// A bent order.
type Lie = fn(&MailQuestion, Vec<MailTarget>) -> Vec<MailTarget>;

const LIES: &[(&str, Lie)] = &[
    ("plain-first", plain_first),
    ("one-server-at-a-time", one_server_at_a_time),
    ("ssl-for-everyone", ssl_for_everyone),
    ("skips-the-stopped", skips_the_stopped),
];

/// Every id.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    LIES.iter().map(|(id, _)| *id)
}

/// Wraps the port for the lie of this id, where there is one.
pub(crate) fn spoil(id: &str, ports: &Ports, fired: &Fired) -> Option<Arc<dyn Order>> {
    let (id, lie) = LIES.iter().find(|(known, _)| *known == id).copied()?;
    Some(Arc::new(Spoiled { id, lie, truth: ports.order.clone(), fired: fired.clone() }))
}

struct Spoiled {
    id: &'static str,
    lie: Lie,
    truth: Arc<dyn Order>,
    fired: Fired,
}

impl Order for Spoiled {
    fn order(&self, question: &MailQuestion) -> Vec<MailTarget> {
        let truth = self.truth.order(question);
        let lie = (self.lie)(question, truth.clone());
        // Only the first is ever gone to.
        if lie.first() != truth.first() {
            self.fired.lied(self.id, question.client.socket);
        }
        lie
    }
}

fn plain_first(question: &MailQuestion, mut targets: Vec<MailTarget>) -> Vec<MailTarget> {
    if question.encrypted {
        targets.sort_by_key(|target| rank(false, target.over));
    }
    targets
}

fn one_server_at_a_time(question: &MailQuestion, mut targets: Vec<MailTarget>) -> Vec<MailTarget> {
    targets.sort_by_key(|target| (target.server.clone(), rank(question.encrypted, target.over)));
    targets
}

fn ssl_for_everyone(question: &MailQuestion, mut targets: Vec<MailTarget>) -> Vec<MailTarget> {
    if !question.encrypted {
        targets.sort_by_key(|target| target.over != Over::Tls);
    }
    targets
}

/// Whoever asked first whether a service runs would know it as the directory does.
fn skips_the_stopped(question: &MailQuestion, mut targets: Vec<MailTarget>) -> Vec<MailTarget> {
    let runs = |target: &MailTarget| {
        let service =
            question.topology.server(&target.server).and_then(|server| server.mail(question.protocol));
        service.is_some_and(|service| service.runs)
    };
    targets.retain(runs);
    targets
}
