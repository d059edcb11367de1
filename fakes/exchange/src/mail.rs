//! IMAP and POP at a Client Access server, and at the back end of Exchange 2013: one arrival a sign-in, and one for a
//! connection that ended without.

use std::sync::Arc;

use directory::Account;
use directory::ntlm::Authenticate;
use ledger::{Conveyed, Draft};
use model::journal::Order;
use model::{HostName, Protocol, Version};
use protocols::iis::ntlm::{self, Named};
use protocols::imap::Opens;
use protocols::mail::{Ended, Given, Letter, MOST_FAILURES, Offers, Talk, Wants};
use protocols::msrpc::{Inbox, Local, Session};
use protocols::{imap, pop};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::clock::{LIMIT, LONG_LIMIT, within};
use crate::listen::Connection;
use crate::server::Server;
use crate::sign_in::DOMAIN;
use crate::{RPC_PORT, pass_on};

/// Where a service listens, and how.
#[derive(Clone)]
pub(crate) struct Port {
    pub(crate) protocol: Protocol,
    /// TLS from the start, or by a command.
    pub(crate) at_once: bool,
    pub(crate) back_end: bool,
    pub(crate) tls: TlsAcceptor,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

type Line = Talk<Box<dyn Stream>>;

/// Serves one connection to its end.
pub(crate) async fn serve(server: Arc<Server>, stream: TcpStream, port: &Port, connection: Connection) {
    let topology = server.world.directory.topology();
    let own = topology.servers.get(&server.name);
    let Some(service) = own.and_then(|own| own.mail(port.protocol)) else { return };
    let offers = Offers::of(server.version, service, port.back_end);
    let mut visit = Visit {
        server,
        protocol: port.protocol,
        connection,
        starttls: false,
        recorded: false,
        heard: String::new(),
    };
    let stream: Box<dyn Stream> = match port.at_once {
        false => Box::new(stream),
        true => match visit.greeted(port, stream).await {
            Some(stream) => stream,
            None => return,
        },
    };
    // How a client leaves is its own affair.
    drop(visit.converse(port, &offers, stream).await);
}

/// A client's connection.
struct Visit {
    server: Arc<Server>,
    protocol: Protocol,
    connection: Connection,
    starttls: bool,
    recorded: bool,
    heard: String,
}

impl Visit {
    /// The connection within TLS.
    async fn greeted<IO>(&mut self, port: &Port, stream: IO) -> Option<Box<dyn Stream>>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // A greeting that fails or never ends is the far end's affair.
        let stream = within(LIMIT, port.tls.accept(stream)).await?.ok()?;
        self.connection.sni = stream.get_ref().1.server_name().map(str::to_owned);
        self.connection.tls = true;
        Some(Box::new(stream))
    }

    async fn converse(&mut self, port: &Port, offers: &Offers, stream: Box<dyn Stream>) -> Result<(), Ended> {
        let mut line: Line = Talk::new(stream);
        let ended = self.visit(port, offers, &mut line).await;
        line.close().await;
        ended
    }

    async fn visit(&mut self, port: &Port, offers: &Offers, line: &mut Line) -> Result<(), Ended> {
        line.say(match self.protocol {
            Protocol::Imap => imap::greeting(offers),
            _ => pop::greeting(offers),
        })
        .await?;
        for _ in 0..MOST_FAILURES {
            let (account, given) = loop {
                let wants = within(LIMIT, self.wants(line, offers)).await;
                self.heard = line.heard().to_owned();
                match wants.unwrap_or(Ok(Wants::Nothing))? {
                    Wants::Nothing => return Ok(()),
                    Wants::Tls => {
                        line.drop_early();
                        self.heard = line.heard().to_owned();
                        // In its place stands what nobody speaks on, until TLS has begun.
                        let nobody: Box<dyn Stream> = Box::new(tokio::io::empty());
                        let plain = std::mem::replace(line, Talk::new(nobody));
                        let (stream, _, heard) = plain.into_parts();
                        let Some(stream) = self.greeted(port, stream).await else { return Ok(()) };
                        self.starttls = true;
                        *line = Talk::<Box<dyn Stream>>::over(stream, heard);
                    }
                    Wants::SignIn(given) => {
                        let account = self.server.world.directory.authenticate(&given.user, &given.password);
                        break (account, given);
                    }
                    Wants::Ntlm(tag) => break self.by_ntlm(line, tag).await?,
                }
            };
            let conveyed = if given.by.ends_with("NTLM") { Conveyed::Ntlm } else { Conveyed::Basic };
            let order = self.record(given.by, Some(&given.user), account.as_deref(), conveyed);
            let Some(account) = account else {
                line.say(self.refusal(&given)).await?;
                continue;
            };
            return self.session(line, offers, &given, &account, order).await;
        }
        line.say(match self.protocol {
            Protocol::Imap => "* BYE Connection is closed. 14\r\n",
            _ => "-ERR Connection is closed. 21\r\n",
        })
        .await
    }

    async fn wants(&self, line: &mut Line, offers: &Offers) -> Result<Wants, Ended> {
        match self.protocol {
            Protocol::Imap => imap::until_signed_in(line, offers, self.connection.tls).await,
            _ => pop::until_signed_in(line, offers, self.connection.tls).await,
        }
    }

    /// The three messages of NTLM, in base64 (MS-OXIMAP, MS-OXPOP3).
    async fn by_ntlm(&self, line: &mut Line, tag: String) -> Result<(Option<Arc<Account>>, Given), Ended> {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let given =
            |user: String| Given { user, password: String::new(), by: "AUTHENTICATE NTLM", tag: tag.clone() };
        line.say("+ \r\n").await?;
        let hello = within(LIMIT, line.line()).await.unwrap_or(Err(Ended::Closed))?;
        if STANDARD.decode(hello.trim_ascii()).is_err() {
            return Ok((None, given(String::new())));
        }
        let challenge = self.server.new_challenge();
        let computer = self.server.name.as_str().to_ascii_uppercase();
        let message = ntlm::challenge(Named { domain: DOMAIN, computer: &computer }, challenge);
        line.say(format!("+ {}\r\n", STANDARD.encode(message))).await?;
        let proof = within(LIMIT, line.line()).await.unwrap_or(Err(Ended::Closed))?;
        let proof = STANDARD.decode(proof.trim_ascii()).ok();
        Ok(match proof.as_deref().and_then(|proof| Authenticate::read(proof).ok()) {
            Some(proof) => (self.server.world.directory.ntlm(challenge, &proof), given(proof.named())),
            None => (None, given(String::new())),
        })
    }

    /// What it is told whose name or password is wrong: the same whatever the mailbox (rule GEN-1).
    fn refusal(&self, given: &Given) -> String {
        match self.protocol {
            Protocol::Imap if given.by.starts_with("AUTHENTICATE") => {
                imap::no(&given.tag, "AUTHENTICATE failed.")
            }
            Protocol::Imap => imap::no(&given.tag, "LOGIN failed."),
            _ => pop::REFUSED.to_owned(),
        }
    }

    async fn session(
        &mut self,
        line: &mut Line,
        offers: &Offers,
        given: &Given,
        account: &Account,
        order: Order,
    ) -> Result<(), Ended> {
        let server = self.server.clone();
        match self.place(account) {
            Some(Place::Here(inbox)) => self.serve(line, offers, given, &Here(inbox)).await,
            Some(Place::At(host)) => {
                let dn = &account.legacy_dn;
                self.serve(line, offers, given, &Behind { server: &server, host, dn, order }).await
            }
            None => line.say(self.unavailable(given)).await,
        }
    }

    async fn serve(
        &mut self,
        line: &mut Line,
        offers: &Offers,
        given: &Given,
        opens: &impl Opens,
    ) -> Result<(), Ended> {
        let letters = async { Letter::read(&mut opens.open().await?).await.ok() };
        let Some(letters) = within(LIMIT, letters).await.flatten() else {
            return line.say(self.unavailable(given)).await;
        };
        if self.protocol == Protocol::Imap {
            let verb = given.by.split(' ').next().unwrap_or_default();
            line.say(imap::ok(&given.tag, &format!("{verb} completed."))).await?;
            within(LONG_LIMIT, imap::serve(line, offers, letters, opens)).await.unwrap_or(Ok(()))
        } else {
            line.say(pop::SIGNED_IN).await?;
            within(LONG_LIMIT, pop::serve(line, &letters)).await.unwrap_or(Ok(()))
        }
    }

    /// What it is told whose mailbox cannot be had.
    fn unavailable(&self, given: &Given) -> String {
        match self.protocol {
            Protocol::Imap => imap::no(&given.tag, imap::UNAVAILABLE),
            _ => pop::UNAVAILABLE.to_owned(),
        }
    }

    /// Where the mailbox is, if it is this server's to read: of its own version and site, or for 2013 on this very one.
    fn place(&self, account: &Account) -> Option<Place> {
        let server = &self.server;
        let facts = server.world.directory.facts(account.name.as_str())?;
        let topology = server.world.directory.topology();
        let own = topology.servers.get(&server.name)?;
        if facts.version != own.version {
            return None;
        }
        if own.version == Version::Exchange2013 {
            return (facts.server == server.name).then(|| Place::Here(server.world.stores.inbox(account)));
        }
        (facts.site == own.site).then(|| Place::At(topology.fqdn(&facts.server)))
    }

    fn record(
        &mut self,
        verb: &str,
        user: Option<&str>,
        account: Option<&Account>,
        conveyed: Conveyed,
    ) -> Order {
        self.recorded = true;
        let connection = &self.connection;
        self.server.world.ledger.record(Draft {
            server: self.server.name.clone(),
            protocol: self.protocol,
            verb: verb.to_owned(),
            target: user.unwrap_or_default().chars().take(256).collect(),
            host: None,
            sni: connection.sni.clone(),
            tls: connection.tls,
            starttls: self.starttls,
            peer: connection.peer,
            asked: user.map(str::to_owned).into_iter().collect(),
            believed_to_be: account.map(|account| account.name.clone()),
            conveyed,
            head: self.heard.clone().into_bytes(),
            body: None,
            connection: connection.id,
            request: connection.next_request(),
            opener: connection.opener.clone(),
        })
    }
}

impl Drop for Visit {
    /// Whoever connected and signed in as nobody has been there too.
    fn drop(&mut self) {
        if !self.recorded {
            self.record("connect", None, None, Conveyed::Nothing);
        }
    }
}

/// Where a mailbox is.
enum Place {
    /// On this server.
    Here(Arc<Inbox>),
    /// At the Mailbox server of this name.
    At(HostName),
}

/// A mailbox on this server.
struct Here(Arc<Inbox>);

impl Opens for Here {
    type Mailbox = Local;

    async fn open(&self) -> Option<Local> {
        Some(Local(self.0.clone()))
    }
}

/// A mailbox at a Mailbox server. Nothing is held open for a session that neither reads nor waits: they may be idle by the
/// thousands.
struct Behind<'a> {
    server: &'a Server,
    host: HostName,
    dn: &'a str,
    order: Order,
}

impl Opens for Behind<'_> {
    type Mailbox = Session<TcpStream>;

    async fn open(&self) -> Option<Session<TcpStream>> {
        let stream = pass_on::dial(self.server, &self.host, RPC_PORT, self.order).await.ok()?;
        within(LIMIT, Session::connect(stream, self.dn)).await?.ok()
    }
}
