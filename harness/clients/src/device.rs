//! An ActiveSync device: finds its address, asks what the server speaks, and synchronises; follows 451.

mod commands;

use model::WebUrl;
use model::case::{Device as Shape, Opens, Reached, Told, When};
use model::journal::ClientLeg;

use crate::autodiscover::Lookups;
use crate::legs::{Ending, Leg};
use crate::network::Person;
use crate::pox::Dialect;
use crate::session::Stored;
use crate::wire::Wire;

use commands::{Device, Halt};

const MOST_LEGS: usize = 10;

/// Finds its server where it was not told one, and does what it is to do there, wherever it is sent.
pub(crate) async fn play(wire: &mut Wire<'_>, when: &When, person: &Person) -> Vec<ClientLeg> {
    let mut legs = vec![];
    let Some(shape) = &when.device else {
        let leg = Leg::new(&person.domain, Reached::Typed);
        return vec![leg.tells_because(Told::Failed(0), "a device has a protocol and a kind")];
    };
    let mut stored = Stored::new(when, person);
    let agent = user_agent(shape);
    let first = match &when.opens {
        Opens::Url(url) if when.does == model::case::Action::Autodiscover => {
            lookups(wire, &mut stored, when, &agent, &mut legs).ask_at(url, person).await;
            return legs;
        }
        Opens::Url(url) => Some((url.clone(), Reached::Typed)),
        // A device knows neither RPC nor mail protocols.
        Opens::Rpc(_) | Opens::Mail(_) => None,
        Opens::Device(_) | Opens::Outlook(_) => {
            look_up(wire, &mut stored, when, person, &agent, &mut legs).await
        }
    };
    if when.does == model::case::Action::Autodiscover {
        return legs;
    }
    let mut next = first;
    let mut device = Device::new(when, shape, person, &agent);
    while let Some((url, reached)) = next.take() {
        if legs.len() >= MOST_LEGS {
            break;
        }
        let mut leg = Leg::new(&url.host, reached);
        let done = device.act(wire, &mut stored, &mut leg, &url).await;
        next = match done {
            Ok(ending) | Err(Halt::End(ending)) => {
                legs.push(leg.ends(ending));
                None
            }
            Err(Halt::Unprovisioned) => {
                let ending = Ending::useless(200, "the server asks for provisioning again after it was done");
                legs.push(leg.ends(ending));
                None
            }
            Err(Halt::Moved(target)) if target.host == leg.dials => {
                let told = Told::Http451(target);
                legs.push(leg.tells_because(told, "451 names the host just called: a loop"));
                None
            }
            Err(Halt::Moved(target)) if !target.tls => {
                legs.push(leg.tells_because(Told::Http451(target), "451 names a plain HTTP address"));
                None
            }
            Err(Halt::Moved(target)) => {
                legs.push(leg.tells(Told::Http451(target.clone())));
                Some((target, Reached::Told))
            }
            // Wire facts 2.2: without an address, the whole lookup.
            Err(Halt::MovedNowhere) => {
                legs.push(leg.tells(Told::Http451Nowhere(0)));
                match shape.autodiscover {
                    true => look_up(wire, &mut stored, when, person, &agent, &mut legs).await,
                    false => None,
                }
            }
        };
    }
    legs
}

fn lookups<'l, 'n>(
    wire: &'l mut Wire<'n>,
    stored: &'l mut Stored,
    when: &'l When,
    user_agent: &'l str,
    legs: &'l mut Vec<ClientLeg>,
) -> Lookups<'l, 'n> {
    Lookups { wire, stored, when, dialect: Dialect::Device, user_agent, legs }
}

async fn look_up(
    wire: &mut Wire<'_>,
    stored: &mut Stored,
    when: &When,
    person: &Person,
    agent: &str,
    legs: &mut Vec<ClientLeg>,
) -> Option<(WebUrl, Reached)> {
    let found = lookups(wire, stored, when, agent, legs).look_up(person).await;
    wire.hang_up();
    found.and_then(|settings| settings.eas).map(|url| (url, Reached::Told))
}

/// User agents in the shape that each kind sends; servers key lists on how they begin (wire facts 2.2).
fn user_agent(shape: &Shape) -> String {
    match shape.kind.as_str() {
        "iPhone" => "Apple-iPhone4C1/902.206".to_owned(),
        "iPad" => "Apple-iPad3C1/1001.403".to_owned(),
        "Android" => "Android/4.1.1-EAS-1.3".to_owned(),
        "WP" => "MSFT-WP/8.0.10211".to_owned(),
        other => format!("{other}/1.0"),
    }
}
