//! Who gets which address. Sites are address ranges, as in Active Directory: a /24 of the inside for each, the first one being
//! the lab's own. Who is published, and the seat, has an address on the outside too.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use lab::ground::{Layout, Place};
use lab::host::Roll;
use model::{ServerName, SiteName, Topology};

/// The addresses of RFC 2544, for benchmarks of networks: 198.18.0.0/15, which nobody routes. So many /24s.
const RANGES: u32 = 512;
const FIRST: u32 = u32::from_be_bytes([198, 18, 0, 0]);
/// Host numbers in a range. The first one is the engine's bridge, and so the machine.
const MACHINE: u32 = 1;
const RUNNER: u32 = 2;
const ELSEWHERE: u32 = 9;
const FIRST_SERVER: u32 = 10;
const LAST_SERVER: u32 = 254;

/// More than there are addresses for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{count} {what} are more than containers have addresses for: at most {most}")]
pub struct TooMany {
    count: usize,
    what: &'static str,
    most: usize,
}

/// Why a lab cannot have the addresses of a network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Some bits behind its prefix are set.
    #[error("{given} is an address in the network {own}: which of the two is meant?")]
    NotItsOwn {
        /// What was given.
        given: Ipv4Net,
        /// The network's own address.
        own: Ipv4Net,
    },
    /// Others may have it.
    #[error(
        "{0} is no private network (RFC 1918), so others may have its addresses; right is one like 10.99.0.0/16"
    )]
    Public(Ipv4Net),
    /// Sites would have no room.
    #[error(
        "{given} has no room for {sites} sites and the outside, each of which has 256 addresses; right is {right}, or larger"
    )]
    TooSmall {
        /// What was given.
        given: Ipv4Net,
        /// How many sites there are.
        sites: usize,
        /// The least that would do.
        right: Ipv4Net,
    },
}

/// Networks that are nobody's on the internet: RFC 1918, 2544 and 6598.
const NOBODYS: [&str; 5] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "100.64.0.0/10"];

/// The positions of every topology of a run: one container each, for all labs one after the other.
#[derive(Debug)]
pub struct Positions {
    sites: Vec<SiteName>,
    /// The site's number, and whether some topology publishes it.
    servers: BTreeMap<ServerName, (usize, bool)>,
    moves: bool,
}

/// Two networks and who is where on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The inside, `198.18.8.0/22`.
    pub inside: String,
    /// The outside.
    pub outside: String,
    /// Everybody's place.
    pub layout: Layout,
}

impl Positions {
    /// Those of these topologies; `moves` where a server will move to another address.
    pub fn of<'t>(topologies: impl IntoIterator<Item = &'t Topology>, moves: bool) -> Positions {
        let mut positions = Positions { sites: vec![], servers: BTreeMap::new(), moves };
        for topology in topologies {
            let published = topology.published();
            for name in topology.positions() {
                let Some(site) = topology.site_of(name) else { continue };
                let known = positions.sites.iter().position(|known| known == site);
                let site = known.unwrap_or_else(|| {
                    positions.sites.push(site.clone());
                    positions.sites.len() - 1
                });
                let place = positions.servers.entry(name.clone()).or_insert((site, false));
                place.1 |= published.contains(name);
            }
        }
        positions
    }

    /// Whether a pair of networks has addresses for all of them.
    ///
    /// # Errors
    /// More sites or servers than there are addresses.
    pub fn fit(&self) -> Result<(), TooMany> {
        let most = (LAST_SERVER - FIRST_SERVER + 1) as usize;
        let in_site = |site| self.servers.values().filter(|(own, _)| *own == site).count();
        let crowded = (0..self.sites.len()).map(in_site).max().unwrap_or_default();
        let outside = self.servers.values().filter(|(_, published)| *published).count();
        for (count, what, most) in [
            (self.sites.len(), "sites", RANGES as usize / 2 - 1),
            (crowded, "servers of one site", most),
            (outside, "published servers", most),
        ] {
            if count > most {
                return Err(TooMany { count, what, most });
            }
        }
        Ok(())
    }

    /// Who is expected where addresses are nobody's to give out.
    pub fn roll(&self) -> Roll {
        Roll { servers: self.servers.keys().cloned().collect(), elsewhere: self.moves }
    }

    /// Every name that a container reports as.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let elsewhere = self.moves.then_some(Layout::ELSEWHERE);
        self.servers.keys().map(ServerName::as_str).chain(elsewhere)
    }

    /// How many pairs of networks there are to choose from.
    pub fn choices(&self) -> u32 {
        RANGES / (2 * self.ranges())
    }

    /// The addresses on the pair of networks of this number, counted round, for positions that fit.
    pub fn addressed(&self, nth: u32) -> Addresses {
        self.addressed_from(FIRST + nth % self.choices() * 2 * self.ranges() * 256)
    }

    /// The first addresses of this network, for positions that fit.
    ///
    /// # Errors
    /// It is too small, or not the lab's to take.
    pub fn addressed_in(&self, given: Ipv4Net) -> Result<Addresses, Unfit> {
        let own = given.trunc();
        if own != given {
            return Err(Unfit::NotItsOwn { given, own });
        }
        if !NOBODYS.iter().any(|net| net.parse::<Ipv4Net>().is_ok_and(|net| net.contains(&given))) {
            return Err(Unfit::Public(given));
        }
        // The inside, and as many addresses again, of which the outside has a part.
        let least = 24 - (2 * self.ranges()).ilog2() as u8;
        match Ipv4Net::new(given.network(), least) {
            Ok(right) if given.prefix_len() > least => {
                Err(Unfit::TooSmall { given, sites: self.sites.len(), right: right.trunc() })
            }
            _ => Ok(self.addressed_from(given.network().into())),
        }
    }

    fn addressed_from(&self, first: u32) -> Addresses {
        let ranges = self.ranges();
        let outside = first + ranges * 256;
        let inside_at = |range: u32, host: u32| ip(first + range * 256 + host);
        let mut in_range = vec![FIRST_SERVER; self.sites.len()];
        let mut next_outside = FIRST_SERVER..;
        let mut servers = BTreeMap::new();
        for (name, (site, published)) in &self.servers {
            let host = in_range[*site];
            in_range[*site] += 1;
            let place = Place {
                inside: inside_at(*site as u32 + 1, host),
                outside: published.then(|| next_outside.next()).flatten().map(|host| ip(outside + host)),
            };
            servers.insert(name.clone(), place);
        }
        let own = |host| Place { inside: inside_at(0, host), outside: Some(ip(outside + host)) };
        Addresses {
            inside: format!("{}/{}", ip(first), 24 - ranges.ilog2()),
            outside: format!("{}/24", ip(outside)),
            layout: Layout {
                own: own(RUNNER),
                machine: Some(own(MACHINE)),
                servers,
                elsewhere: self.moves.then(|| own(ELSEWHERE)),
            },
        }
    }

    /// As many /24s as the inside is made of: a power of two.
    fn ranges(&self) -> u32 {
        (self.sites.len() as u32 + 1).next_power_of_two()
    }
}

fn ip(number: u32) -> IpAddr {
    Ipv4Addr::from(number).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(name: &str) -> Topology {
        let suites = concat!(env!("CARGO_MANIFEST_DIR"), "/../suites/topologies");
        let file = format!("{suites}/{name}.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let source = model::problem::Source::new(file, text);
        model::topology::TopologyFiles::base(source).build(&BTreeMap::new()).unwrap()
    }

    fn place(addresses: &Addresses, name: &str) -> (String, Option<String>) {
        let place = &addresses.layout.servers[&name.parse::<ServerName>().unwrap()];
        (place.inside.to_string(), place.outside.map(|ip| ip.to_string()))
    }

    #[test]
    fn a_site_is_a_range_and_only_the_published_are_outside() {
        let coexistence = topology("coexistence");
        let positions = Positions::of([&coexistence], false);
        assert_eq!(positions.fit(), Ok(()));
        let addresses = positions.addressed(1);
        assert_eq!((&*addresses.inside, &*addresses.outside), ("198.18.8.0/22", "198.18.12.0/24"));
        assert_eq!(place(&addresses, "cas2007-s1"), ("198.18.9.10".into(), Some("198.18.12.10".into())));
        assert_eq!(place(&addresses, "cas2010-s1"), ("198.18.9.11".into(), None));
        assert_eq!(place(&addresses, "cas2010-s3"), ("198.18.11.10".into(), None));
        assert_eq!(addresses.layout.elsewhere, None);
        let machine = addresses.layout.machine.unwrap();
        assert_eq!(machine.inside.to_string(), "198.18.8.1");
        assert_eq!(machine.outside.unwrap().to_string(), "198.18.12.1");
        assert_eq!(positions.names().count(), coexistence.positions().count());
    }

    #[test]
    fn a_network_that_is_given_is_taken_where_it_is_private_and_large_enough() {
        let coexistence = topology("coexistence");
        let positions = Positions::of([&coexistence], false);
        let within = |net: &str| positions.addressed_in(net.parse().unwrap());
        let addresses = within("10.99.8.0/21").unwrap();
        assert_eq!((&*addresses.inside, &*addresses.outside), ("10.99.8.0/22", "10.99.12.0/24"));
        assert_eq!(place(&addresses, "cas2007-s1"), ("10.99.9.10".into(), Some("10.99.12.10".into())));
        assert_eq!(within("192.168.0.0/16").unwrap().inside, "192.168.0.0/22");
        assert_eq!(within("198.18.8.0/21"), Ok(positions.addressed(1)));
        let refused = |net: &str| within(net).unwrap_err().to_string();
        assert_eq!(
            refused("10.99.8.0/22"),
            "10.99.8.0/22 has no room for 3 sites and the outside, each of which has 256 addresses; right is 10.99.8.0/21, or larger"
        );
        assert!(
            refused("10.99.9.0/21").starts_with("10.99.9.0/21 is an address in the network 10.99.8.0/21")
        );
        for public in ["203.0.113.0/21", "172.0.0.0/8", "0.0.0.0/0"] {
            let own = public.parse::<Ipv4Net>().unwrap().trunc();
            assert!(refused(&own.to_string()).contains("is no private network"), "{public}");
        }
    }

    #[test]
    fn one_container_is_its_server_in_every_topology_and_outside_where_any_publishes_it() {
        let (coexistence, before) = (topology("coexistence"), topology("pre-e15"));
        let positions = Positions::of([&coexistence, &before], true);
        let addresses = positions.addressed(0);
        assert!(place(&addresses, "cas2010-s1").1.is_some(), "pre-e15 publishes it");
        assert!(positions.names().any(|name| name == Layout::ELSEWHERE));
        assert_eq!(addresses, positions.addressed(positions.choices()), "counted round");
        assert_eq!(positions.choices(), 64);
    }
}
