//! A wrap of every port that changes nothing: with it, everything must pass as without it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, request};
use model::{HostName, Protocol, ServerName, Topology};
use reference::decide::{Account, Decision, Question, Target};
use reference::lane::LaneId;
use reference::order::{MailQuestion, MailTarget, Onward};
use reference::ports::{
    Asked, Back, BackError, Choose, Client, Decide, DirectoryDown, Discover, Facts, Flow, Front, Lane,
    Octets, Order, Passage, Ports, Pulse, Sought, Stream, Waiting,
};
use reference::pulse::{Again, Down, Health, Heard, Ping, SoFar, Standing};
use rustls::ServerConfig;

/// Wraps every port, and lies nowhere.
pub fn identity(ports: Ports) -> Ports {
    Ports {
        discover: Arc::new(Same(ports.discover)),
        decide: Arc::new(Same(ports.decide)),
        choose: Arc::new(Same(ports.choose)),
        order: Arc::new(Same(ports.order)),
        lane: Arc::new(Same(ports.lane)),
        front: Arc::new(Same(ports.front)),
        back: Arc::new(Same(ports.back)),
        pulse: Arc::new(Same(ports.pulse)),
        bytes: Arc::new(Same(ports.bytes)),
    }
}

struct Same<P: ?Sized>(Arc<P>);

impl Discover for Same<dyn Discover> {
    fn find<'a>(&'a self, sought: &'a Sought) -> Waiting<'a, Result<Facts, DirectoryDown>> {
        self.0.find(sought)
    }
}

impl Decide for Same<dyn Decide> {
    fn decide(&self, question: &Question) -> Decision {
        self.0.decide(question)
    }
}

impl Choose for Same<dyn Choose> {
    fn choose(&self, asked: &Asked, account: Option<&Account>, of: &[Target]) -> Option<Target> {
        self.0.choose(asked, account, of)
    }
}

impl Order for Same<dyn Order> {
    fn order(&self, question: &MailQuestion) -> Vec<MailTarget> {
        self.0.order(question)
    }
}

impl Lane for Same<dyn Lane> {
    fn lane(&self, passage: &Passage) -> LaneId {
        self.0.lane(passage)
    }

    fn ends(&self, passage: &Passage) -> Waiting<'static, ()> {
        self.0.ends(passage)
    }
}

impl Front for Same<dyn Front> {
    fn greet(&self, client: Client, sni: Option<&str>, own: &Arc<ServerConfig>) -> Option<Arc<ServerConfig>> {
        self.0.greet(client, sni, own)
    }

    fn request(&self, client: Client, tls: bool, head: &mut request::Parts) -> Asked {
        self.0.request(client, tls, head)
    }

    fn answer<'a>(&'a self, asked: &'a Asked, answer: Response<Flow>) -> Waiting<'a, Response<Flow>> {
        self.0.answer(asked, answer)
    }

    fn session_life(&self, client: Client, told: Duration) -> Duration {
        self.0.session_life(client, told)
    }

    fn onward(&self, question: &MailQuestion, onward: Onward) -> Onward {
        self.0.onward(question, onward)
    }
}

impl Back for Same<dyn Back> {
    fn head<'a>(
        &'a self,
        passage: &'a Passage,
        head: &'a mut request::Parts,
    ) -> Waiting<'a, Result<(), BackError>> {
        self.0.head(passage, head)
    }

    fn address<'a>(
        &'a self,
        client: Client,
        host: &'a HostName,
        port: u16,
    ) -> Waiting<'a, Result<SocketAddr, BackError>> {
        self.0.address(client, host, port)
    }

    fn send<'a>(
        &'a self,
        passage: &'a Passage,
        lane: LaneId,
        to: SocketAddr,
        request: Request<Flow>,
    ) -> Waiting<'a, Result<Response<Flow>, BackError>> {
        self.0.send(passage, lane, to, request)
    }
}

impl Pulse for Same<dyn Pulse> {
    fn asks(&self, topology: &Topology, seat: &ServerName) -> Vec<Ping> {
        self.0.asks(topology, seat)
    }

    fn due(&self, so_far: SoFar) -> bool {
        self.0.due(so_far)
    }

    fn heard(&self, before: Standing, heard: Heard) -> (Standing, Again) {
        self.0.heard(before, heard)
    }

    fn carried(&self, before: Standing, protocol: Protocol, took: Duration) -> Standing {
        self.0.carried(before, protocol, took)
    }

    fn down(&self, health: &Health) -> Down {
        self.0.down(health)
    }
}

impl Octets for Same<dyn Octets> {
    fn front(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        self.0.front(client, stream)
    }

    fn behind(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        self.0.behind(client, stream)
    }

    fn mail(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        self.0.mail(client, stream)
    }
}
