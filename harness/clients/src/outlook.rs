//! Outlook: Autodiscover first, then what it was given; or what a user configured by hand.

use model::case::{Action, Opens, Reached, Told, When};
use model::journal::ClientLeg;
use model::{Protocol, View, WebUrl};

use crate::autodiscover::Lookups;
use crate::ews::Ews;
use crate::legs::{Ending, Leg};
use crate::mapi::{Endpoints, Mapi};
use crate::network::Person;
use crate::oab;
use crate::pox::{self, Dialect};
use crate::rpc::{self, Way};
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
    let (to, reached) = match &when.opens {
        Opens::Url(url) if stops_there => {
            lookups.ask_at(url, person).await;
            return legs;
        }
        Opens::Rpc(host) => {
            let ways = vec![Way::Tcp(host.clone())];
            return rpc::connect(wire, when, person, ways, Reached::Typed).await;
        }
        Opens::Url(url) if when.connects() => {
            let ways = vec![Way::Http(url.clone(), None)];
            return rpc::connect(wire, when, person, ways, Reached::Typed).await;
        }
        Opens::Url(url) if when.protocol() == Protocol::Mapi => {
            (To::Mapi(Endpoints::typed(url)), Reached::Typed)
        }
        Opens::Url(url) => (To::Url(url.clone()), Reached::Typed),
        Opens::Mail(_) => return legs,
        Opens::Outlook(_) | Opens::Device(_) => {
            let Some(settings) = lookups.look_up(person).await.filter(|_| !stops_there) else { return legs };
            if when.connects() {
                wire.hang_up();
                let ways = rpc::ways(&settings, when.knows_exhttp);
                if ways.is_empty()
                    && let Some(answered) = legs.last_mut()
                {
                    answered.note = Some("the answer names nowhere to connect to".to_owned());
                }
                legs.extend(rpc::connect(wire, when, person, ways, Reached::Told).await);
                return legs;
            }
            let to = match when.protocol() {
                Protocol::Oab => settings.oab.map(To::Url),
                Protocol::Mapi => mapi(settings.mapi, when.view).map(To::Mapi),
                _ => settings.ews.map(To::Url),
            };
            let Some(to) = to else {
                // The answer's own leg says already that the cell is absent.
                if let Some(answered) = legs.last_mut() {
                    answered.note = Some(format!("the answer names nowhere to {}", when.does));
                }
                return legs;
            };
            (to, Reached::Told)
        }
    };
    // Another program of the suite's makes connections of its own.
    wire.hang_up();
    legs.push(act(wire, &mut stored, &to, reached, when, person).await);
    legs
}

/// Where Outlook goes on.
enum To {
    Url(WebUrl),
    Mapi(Endpoints),
}

impl To {
    fn url(&self) -> &WebUrl {
        match self {
            To::Url(url) => url,
            To::Mapi(endpoints) => &endpoints.mail_store,
        }
    }
}

/// Inside the internal address where there is one, outside the external one.
fn mapi(named: pox::Mapi, view: View) -> Option<Endpoints> {
    let pair = match view {
        View::Internal => named.internal.or(named.external),
        View::External => named.external,
    };
    let (mail_store, address_book) = pair?;
    Some(Endpoints { mail_store, address_book, legacy_dn: named.legacy_dn })
}

async fn act(
    wire: &mut Wire<'_>,
    stored: &mut Stored,
    to: &To,
    reached: Reached,
    when: &When,
    person: &Person,
) -> ClientLeg {
    let mut leg = Leg::new(&to.url().host, reached);
    let mut ending = Ending::useless(0, "nothing was done");
    for _ in 0..when.times.max(1) {
        let done = match (to, when.does) {
            (To::Mapi(endpoints), action) => {
                Mapi { wire, stored, leg: &mut leg, endpoints, person, asked: 0 }.act(action).await
            }
            (To::Url(url), Action::DownloadOab) => oab::download(wire, stored, &mut leg, url).await,
            (To::Url(url), action) => {
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
