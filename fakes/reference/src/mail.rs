//! IMAP and POP at the front: a client signs in, its mailbox is looked up, and its session goes on at another server, octet
//! by octet. Nothing of a mailbox is looked at before the sign-in (GEN-1), and no server is touched before either
//! (CX-IMAP-7).

mod behind;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use model::topology::ServerRole;
use model::{Protocol, Topology, Version};
use protocols::mail::{Ended, Given, MOST_FAILURES, Offers, Talk, Wants};
use protocols::{imap, pop};
use rustls::ServerConfig;
use tokio::io::{AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{LazyConfigAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use crate::back::Dial;
use crate::clock;
use crate::discover::Directory;
use crate::lab::Seat;
use crate::order::{MailQuestion, MailTarget, Onward};
use crate::ports::{Client, Ports, Sought, Stream};

/// How much of a session is held on its way, each way. Small, since thousands of sessions may be idle.
const PIECE: usize = 2 * 1024;

/// A listener of the seat.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) protocol: Protocol,
    /// TLS from the start, or by a command.
    pub(crate) at_once: bool,
}

/// Who serves mail programs.
pub(crate) struct MailFront {
    pub(crate) seat: Seat,
    pub(crate) ports: Ports,
    pub(crate) directory: Arc<Directory>,
    pub(crate) dial: Arc<Dial>,
    /// Towards servers behind.
    pub(crate) connector: TlsConnector,
    /// Towards clients.
    pub(crate) tls: Arc<ServerConfig>,
    /// The topology as it was at the start: for its own settings.
    pub(crate) standing: Arc<Topology>,
    pub(crate) turns: AtomicUsize,
}

impl MailFront {
    /// Whether the seat's service runs. One that does not takes no connection.
    pub(crate) fn runs(standing: &Topology, seat: &Seat, protocol: Protocol) -> bool {
        let own = standing.server(&seat.server).filter(|own| own.is(ServerRole::ClientAccess));
        own.and_then(|own| own.mail(protocol)).is_some_and(|service| service.runs)
    }
}

/// Takes connections at all doors until told to stop, then ends those that are open.
pub(crate) async fn serve(front: Arc<MailFront>, doors: Vec<Door>, stop: CancellationToken) {
    let mut taking = JoinSet::new();
    for door in doors {
        taking.spawn(take(front.clone(), door, stop.clone()));
    }
    while taking.join_next().await.is_some() {}
}

async fn take(front: Arc<MailFront>, door: Door, stop: CancellationToken) {
    // Apart from those of HTTP, which are counted too.
    static CONNECTIONS: AtomicU64 = AtomicU64::new(1 << 32);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = open.join_next(), if !open.is_empty() => {
                if let Err(error) = ended && error.is_panic() {
                    eprintln!("a mail session ended in a panic: {error}");
                }
            }
            taken = door.listener.accept() => {
                let Ok((stream, socket)) = taken else { continue };
                let client = Client { connection: CONNECTIONS.fetch_add(1, Ordering::Relaxed), socket };
                let (front, protocol, at_once) = (front.clone(), door.protocol, door.at_once);
                open.spawn(async move {
                    let session = Session { front: &front, client, protocol };
                    // A client that breaks off is nothing to report: the lab sees what it was told.
                    drop(session.converse(stream, at_once).await);
                });
            }
        }
    }
    open.shutdown().await;
}

type Line = Talk<Box<dyn Stream>>;

/// One client's.
struct Session<'f> {
    front: &'f MailFront,
    client: Client,
    protocol: Protocol,
}

impl Session<'_> {
    async fn converse(&self, stream: TcpStream, at_once: bool) -> Result<(), Ended> {
        let Some(service) =
            self.front.standing.server(&self.front.seat.server).and_then(|own| own.mail(self.protocol))
        else {
            return Ok(());
        };
        let offers = Offers::of(Version::Exchange2013, service, false);
        stream.set_nodelay(true)?;
        let mut stream: Box<dyn Stream> = Box::new(stream);
        let mut tls = at_once;
        if at_once {
            stream = self.greeted(stream).await?;
        }
        let mut line: Line = Talk::new(self.front.ports.bytes.mail(self.client, stream));
        line.say(match self.protocol {
            Protocol::Imap => imap::greeting(&offers),
            _ => pop::greeting(&offers),
        })
        .await?;
        for _ in 0..MOST_FAILURES {
            let wants = async {
                match self.protocol {
                    Protocol::Imap => imap::until_signed_in(&mut line, &offers, tls).await,
                    _ => pop::until_signed_in(&mut line, &offers, tls).await,
                }
            };
            let given = match clock::within(clock::MAIL_SIGN_IN, wants).await.unwrap_or(Ok(Wants::Nothing))? {
                Wants::Nothing => return Ok(()),
                Wants::SignIn(given) => given,
                // What would have to be replayed behind is never seen (wire facts 10): it fails as Exchange's does.
                Wants::Ntlm(tag) => {
                    let given =
                        Given { user: String::new(), password: String::new(), by: "AUTHENTICATE NTLM", tag };
                    line.say(self.refusal(&given)).await?;
                    continue;
                }
                Wants::Tls => {
                    // What the client wrote before is not run within (X-SEC-7).
                    line.drop_early();
                    let (stream, _, heard) = line.into_parts();
                    let stream = self.greeted(stream).await?;
                    line = Line::over(self.front.ports.bytes.mail(self.client, stream), heard);
                    tls = true;
                    continue;
                }
            };
            let signed_in = self.front.directory.signs_in(&given.user, &given.password).await;
            match signed_in {
                Ok(Some(user)) => return self.goes_on(line, &given, user, tls).await,
                Ok(None) => line.say(self.refusal(&given)).await?,
                Err(down) => {
                    eprintln!("{down}");
                    return line.say(self.unavailable(&given)).await;
                }
            }
        }
        line.say(match self.protocol {
            Protocol::Imap => "* BYE Connection is closed. 14\r\n",
            _ => "-ERR Connection is closed. 21\r\n",
        })
        .await
    }

    /// The connection within TLS, with the certificate that the port gives for it.
    async fn greeted(&self, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, Ended> {
        let greeting = async {
            let greeting = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
            let sni = greeting.client_hello().server_name().map(str::to_owned);
            let config = self.front.ports.front.greet(self.client, sni.as_deref(), &self.front.tls);
            let config = config.ok_or(io::ErrorKind::ConnectionAborted)?;
            let stream: Box<dyn Stream> = Box::new(greeting.into_stream(config).await?);
            io::Result::Ok(stream)
        };
        let greeted = clock::within(clock::HANDSHAKE, greeting).await;
        Ok(greeted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?)
    }

    /// The session of a user who has signed in.
    async fn goes_on(
        &self,
        mut line: Line,
        given: &Given,
        user: String,
        encrypted: bool,
    ) -> Result<(), Ended> {
        let onward = match self.onward(user, encrypted).await {
            Some(onward) => onward,
            None => return line.say(self.unavailable(given)).await,
        };
        let first = match onward {
            Onward::Told(says) => return line.say(says.replace("{tag}", &given.tag)).await,
            Onward::Carry(targets) => targets.into_iter().next(),
        };
        let Some(target) = first else { return line.say(self.unavailable(given)).await };
        let behind = match self.signed_in_at(&target, given).await {
            Ok(behind) => behind,
            Err(why) => {
                eprintln!("{} {}: {} port {}: {why}", self.protocol, given.by, target.host, target.port);
                return line.say(self.unavailable(given)).await;
            }
        };
        line.say(match self.protocol {
            Protocol::Imap => {
                let verb = given.by.split(' ').next().unwrap_or_default();
                imap::ok(&given.tag, &format!("{verb} completed."))
            }
            _ => pop::SIGNED_IN.to_owned(),
        })
        .await?;
        let (mut near, asked, _) = line.into_parts();
        let (mut far, said, _) = behind.into_parts();
        far.write_all(&asked).await?;
        near.write_all(&said).await?;
        near.flush().await?;
        let carried = copy_bidirectional_with_sizes(&mut near, &mut far, PIECE, PIECE).await;
        // A server that breaks off ends the client's connection too, and in order.
        near.shutdown().await?;
        Ok(carried.map(drop)?)
    }

    /// Discovery and order, for whoever has signed in; `None` where nobody can say.
    async fn onward(&self, user: String, encrypted: bool) -> Option<Onward> {
        let ports = &self.front.ports;
        let sought = Sought { client: self.client, user, protocol: self.protocol, query: String::new() };
        let facts = match ports.discover.find(&sought).await {
            Ok(facts) => facts,
            Err(down) => {
                eprintln!("{down}");
                return None;
            }
        };
        let question = MailQuestion {
            client: self.client,
            protocol: self.protocol,
            encrypted,
            topology: facts.topology,
            account: facts.account?,
            turn: self.front.turns.fetch_add(1, Ordering::Relaxed),
        };
        let onward = Onward::Carry(ports.order.order(&question));
        Some(ports.front.onward(&question, onward))
    }

    async fn signed_in_at(&self, target: &MailTarget, given: &Given) -> Result<Line, behind::NotSignedIn> {
        let signing_in = behind::sign_in(self.front, self.client, self.protocol, target, given);
        clock::within(clock::MAIL_BEHIND, signing_in).await.map_err(behind::NotSignedIn::from)?
    }

    /// The same for everybody whose name or password is wrong (GEN-1).
    fn refusal(&self, given: &Given) -> String {
        match self.protocol {
            Protocol::Imap if given.by.starts_with("AUTHENTICATE") => {
                imap::no(&given.tag, "AUTHENTICATE failed.")
            }
            Protocol::Imap => imap::no(&given.tag, "LOGIN failed."),
            _ => pop::REFUSED.to_owned(),
        }
    }

    /// Nobody behind can be reached (wire facts 10).
    fn unavailable(&self, given: &Given) -> String {
        match self.protocol {
            Protocol::Imap => imap::no(&given.tag, imap::UNAVAILABLE),
            _ => pop::UNAVAILABLE.to_owned(),
        }
    }
}
