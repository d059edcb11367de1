//! Outlook: Autodiscover first, then what it was given; or what a user configured by hand.

use model::case::{Action, Opens, Reached, Told, When};
use model::journal::ClientLeg;
use model::{Protocol, WebUrl};

use crate::autodiscover::Lookups;
use crate::ews::Ews;
use crate::legs::{Ending, Leg};
use crate::network::Person;
use crate::oab;
use crate::pox::Dialect;
use crate::session::Stored;
use crate::wire::Wire;

pub(crate) const USER_AGENT: &str =
    "Microsoft Office/15.0 (Windows NT 6.1; Microsoft Outlook 15.0.4420; Pro)";

/// Looks up what it needs, and does what it is to do there.
pub(crate) async fn play(wire: &mut Wire<'_>, when: &When, person: &Person) -> Vec<ClientLeg> {
    let mut stored = Stored::new(when, person);
    let mut legs = vec![];
    let dialect = if when.does == Action::AutodiscoverSoap { Dialect::Soap } else { Dialect::Outlook };
    let stops_there = when.protocol() == Protocol::Autodiscover;
    let mut lookups =
        Lookups { wire, stored: &mut stored, when, dialect, user_agent: USER_AGENT, legs: &mut legs };
    let (url, reached) = match &when.opens {
        Opens::Url(url) if stops_there => {
            lookups.ask_at(url, person).await;
            return legs;
        }
        Opens::Url(url) => (url.clone(), Reached::Typed),
        Opens::Outlook(_) | Opens::Device(_) => {
            let Some(settings) = lookups.look_up(person).await.filter(|_| !stops_there) else { return legs };
            let url = if when.does == Action::DownloadOab { settings.oab } else { settings.ews };
            let Some(url) = url else {
                // The answer's own leg says already that the cell is absent.
                if let Some(answered) = legs.last_mut() {
                    answered.note = Some(format!("the answer names nowhere to {}", when.does));
                }
                return legs;
            };
            (url, Reached::Told)
        }
    };
    // Another program of the suite's makes connections of its own.
    wire.hang_up();
    legs.push(act(wire, &mut stored, &url, reached, when, person).await);
    legs
}

async fn act(
    wire: &mut Wire<'_>,
    stored: &mut Stored,
    url: &WebUrl,
    reached: Reached,
    when: &When,
    person: &Person,
) -> ClientLeg {
    let mut leg = Leg::new(&url.host, reached);
    let mut ending = Ending::useless(0, "nothing was done");
    for _ in 0..when.times.max(1) {
        let done = match when.does {
            Action::DownloadOab => oab::download(wire, stored, &mut leg, url).await,
            action => {
                let mut ews = Ews { wire, stored, leg: &mut leg, url, person, jar: Default::default() };
                ews.act(action).await
            }
        };
        match done {
            Ok(done) => ending = done,
            Err(failed) => {
                ending = failed;
                break;
            }
        }
        if !matches!(ending.told, Told::Mailbox(_) | Told::Oab(_)) {
            break;
        }
    }
    leg.ends(ending)
}
