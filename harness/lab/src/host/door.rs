//! The runner's door: stations report there and are given orders, and their servers ask there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use directory::Directory;
use ledger::way::{Carries, Word, admit};
use ledger::{Ledger, line};
use model::View;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::lively::lively;
use super::orders::{Opening, Order, Question, Said};
use super::roll::{NotGathered, Roll};
use crate::clock;
use crate::dns::Names;
use crate::ground::{Layout, hold};

/// A door while it is open.
#[derive(Debug)]
pub struct Door(Arc<Inner>);

/// Who is told of a stranger that was sent away, in a sentence.
pub type Tells = Box<dyn Fn(&str) + Send + Sync>;

struct Inner {
    /// Held from the start, so that nobody comes to a closed door; taken by who serves it.
    bound: Mutex<Option<Bound>>,
    stations: watch::Sender<BTreeMap<String, Arc<Station>>>,
    labs: Mutex<BTreeMap<u64, Books>>,
    next_lab: AtomicU64,
    sent_away: Mutex<BTreeSet<String>>,
    tells: Option<Tells>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

/// What a door listens on, before it is served.
enum Bound {
    Socket(std::os::unix::net::UnixListener, PathBuf),
    Port(std::net::TcpListener, Word),
}

/// And while it is.
enum Listener {
    Socket(UnixListener, PathBuf),
    Port(TcpListener, Word),
}

/// Who has come.
enum Guest {
    Near(UnixStream),
    /// From another machine, from this address.
    Far(TcpStream, SocketAddr),
}

/// How a station and the runner have met over a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Met {
    /// The runner's address.
    at: IpAddr,
    /// The station's.
    from: IpAddr,
}

/// Strangers of whom is told: a flood of them is not to fill a log.
const MOST_STRANGERS: usize = 64;

/// What the servers of a lab ask.
#[derive(Clone)]
pub(crate) struct Books {
    pub(crate) ledger: Ledger,
    pub(crate) directory: Directory,
    pub(crate) names: Names,
}

impl std::fmt::Debug for Books {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Books")
    }
}

/// A station that has reported, and how the subject in it ended.
#[derive(Debug)]
pub(crate) struct Station {
    name: String,
    orders: mpsc::UnboundedSender<(Order, oneshot::Sender<Said>)>,
    ended: watch::Receiver<Option<ExitStatus>>,
    forget: watch::Sender<Option<ExitStatus>>,
    gone: CancellationToken,
    met: Option<Met>,
    /// Where what its subject writes is kept, where it sees no file of ours.
    log: Mutex<Option<PathBuf>>,
}

impl Door {
    /// What its socket is called, beside the layout.
    pub const SOCKET: &str = "door.sock";
    /// Its port. Below those that clients and servers dial from, and none that a server listens on.
    pub const PORT: u16 = 8070;

    /// Opens a door at this path.
    ///
    /// # Errors
    /// What the operating system says of binding the socket.
    pub fn open(path: &Path) -> io::Result<Door> {
        let bound = std::os::unix::net::UnixListener::bind(path)?;
        bound.set_nonblocking(true)?;
        Ok(Door::of(Bound::Socket(bound, path.to_owned()), None))
    }

    /// Opens a door at this port of every address, for those who know the word; `tells` hears of those who do not.
    ///
    /// # Errors
    /// What the operating system says of binding the port.
    pub fn open_to_network(port: u16, word: Word, tells: Tells) -> io::Result<Door> {
        let any = |ip: IpAddr| hold(SocketAddr::new(ip, port));
        // Where there is no IPv6.
        let bound = any(IpAddr::from([0u16; 8])).or_else(|_| any(IpAddr::from([0u8; 4])))?;
        bound.set_nonblocking(true)?;
        Ok(Door::of(Bound::Port(bound, word), Some(tells)))
    }

    fn of(bound: Bound, tells: Option<Tells>) -> Door {
        Door(Arc::new(Inner {
            bound: Mutex::new(Some(bound)),
            stations: watch::Sender::default(),
            labs: Mutex::default(),
            next_lab: AtomicU64::new(1),
            sent_away: Mutex::default(),
            tells,
        }))
    }

    /// The port that it is open at, until it is served.
    pub fn port(&self) -> Option<u16> {
        match lock(&self.0.bound).as_ref()? {
            Bound::Port(bound, _) => Some(bound.local_addr().ok()?.port()),
            Bound::Socket(..) => None,
        }
    }

    /// Lets stations and their servers in until `stop` is over, and joins what serves them.
    ///
    /// # Errors
    /// What the operating system says of the socket.
    pub fn serve(
        &self,
        stop: CancellationToken,
    ) -> io::Result<impl Future<Output = ()> + Send + 'static + use<>> {
        let bound = lock(&self.0.bound).take();
        let listener =
            Arc::new(Listener::of(bound.ok_or_else(|| io::Error::other("the door is open already"))?)?);
        let inner = self.0.clone();
        Ok(async move {
            let mut guests = JoinSet::new();
            loop {
                tokio::select! {
                    () = stop.cancelled() => break,
                    Some(_) = guests.join_next() => {}
                    Ok(guest) = listener.accept() => {
                        let (inner, stop, listener) = (inner.clone(), stop.clone(), listener.clone());
                        guests.spawn(async move {
                            // How it ended concerns whoever is at the other end, and that one knows.
                            tokio::select! {
                                () = stop.cancelled() => {}
                                _ = inner.receive(guest, &listener) => {}
                            }
                        });
                    }
                }
            }
            while guests.join_next().await.is_some() {}
            if let Listener::Socket(_, path) = &*listener {
                drop(std::fs::remove_file(path));
            }
        })
    }

    /// Waits until everybody of a roll has reported over the network, and says where they are. The door is served meanwhile.
    ///
    /// # Errors
    /// Who has not come within a limit, or cannot be told from another.
    pub async fn gathers(&self, roll: &Roll) -> Result<Layout, NotGathered> {
        let mut stations = self.0.stations.subscribe();
        let complete = stations.wait_for(|here| roll.names().all(|name| here.contains_key(name)));
        let within = clock::EVERYBODY_COMES;
        let come = clock::within(within, complete).await.and_then(Result::ok).map(|here| here.clone());
        let Some(here) = come else {
            let here = self.0.stations.borrow();
            let missing: Vec<String> =
                roll.names().filter(|name| !here.contains_key(*name)).map(str::to_owned).collect();
            let sent_away = lock(&self.0.sent_away).iter().cloned().collect();
            return Err(NotGathered::Missing { missing, expected: roll.names().count(), within, sent_away });
        };
        let met = |name: &str| here.get(name).and_then(|station| station.met);
        // They may have reached an address each; all of them lead here.
        let own = roll.names().find_map(|name| Some(met(name)?.at)).unwrap_or(IpAddr::from([127, 0, 0, 1]));
        roll.laid_out(own, |name| Some(met(name)?.from))
    }

    /// The station of this name, once it has reported.
    ///
    /// # Errors
    /// It does not within a limit, or has left.
    pub(crate) async fn station(&self, name: &str) -> Result<Arc<Station>, String> {
        let mut stations = self.0.stations.subscribe();
        let come =
            clock::within(clock::STATION_REPORTS, stations.wait_for(|all| all.contains_key(name))).await;
        let station = come.and_then(Result::ok).and_then(|all| all.get(name).cloned());
        match station {
            Some(station) if station.gone.is_cancelled() => Err(format!("the container of {name} has ended")),
            Some(station) => Ok(station),
            None => {
                Err(format!("the container of {name} did not report within {:?}", clock::STATION_REPORTS))
            }
        }
    }

    /// Opens the books of a lab to its servers, and says under which number.
    pub(crate) fn lays_open(&self, books: Books) -> u64 {
        let lab = self.0.next_lab.fetch_add(1, Ordering::Relaxed);
        lock(&self.0.labs).insert(lab, books);
        lab
    }

    /// Closes them again.
    pub(crate) fn closes(&self, lab: u64) {
        lock(&self.0.labs).remove(&lab);
    }
}

impl Listener {
    fn of(bound: Bound) -> io::Result<Listener> {
        Ok(match bound {
            Bound::Socket(bound, path) => Listener::Socket(UnixListener::from_std(bound)?, path),
            Bound::Port(bound, word) => Listener::Port(TcpListener::from_std(bound)?, word),
        })
    }

    async fn accept(&self) -> io::Result<Guest> {
        match self {
            Listener::Socket(listener, _) => listener.accept().await.map(|(stream, _)| Guest::Near(stream)),
            Listener::Port(listener, _) => {
                listener.accept().await.map(|(stream, from)| Guest::Far(stream, from))
            }
        }
    }
}

impl Inner {
    async fn receive(&self, guest: Guest, listener: &Listener) -> io::Result<()> {
        match (guest, listener) {
            (Guest::Far(stream, from), Listener::Port(_, word)) => {
                self.receive_stranger(stream, from, word).await
            }
            (Guest::Near(mut stream), _) => {
                let opening = line::read(&mut stream).await?;
                self.serves(opening, stream, None).await
            }
            (Guest::Far(..), Listener::Socket(..)) => Ok(()),
        }
    }

    /// Whoever comes over a network has a moment to say the word, and what it wants.
    async fn receive_stranger(&self, mut stream: TcpStream, from: SocketAddr, word: &Word) -> io::Result<()> {
        lively(&stream)?;
        let (at, from) = (stream.local_addr()?.ip().to_canonical(), from.ip().to_canonical());
        let opening = clock::within(clock::GREETING, async {
            admit(&mut stream, word).await?;
            line::read(&mut stream).await
        });
        let why = match opening.await {
            Some(Ok(opening)) => return self.serves(opening, stream, Some(Met { at, from })).await,
            Some(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                format!("the word in its {} is not ours", Word::VARIABLE)
            }
            // Whoever leaves before it has said anything wanted nothing: a server that need not ask any more.
            Some(Err(error)) if is_the_end(&error) => return Ok(()),
            Some(Err(_)) => "what it says is no greeting".to_owned(),
            None => format!("it said nothing for {:?}", clock::GREETING),
        };
        self.sends_away(format!("{from} was sent away from the door: {why}"));
        Ok(())
    }

    /// Tells of it once.
    fn sends_away(&self, says: String) {
        let mut sent_away = lock(&self.sent_away);
        if sent_away.len() < MOST_STRANGERS
            && let Some(tells) = &self.tells
            && !sent_away.contains(&says)
        {
            tells(&says);
            sent_away.insert(says);
        }
    }

    async fn serves(
        &self,
        opening: Option<Opening>,
        stream: impl Carries,
        met: Option<Met>,
    ) -> io::Result<()> {
        match opening {
            Some(Opening::Station(name)) => self.employ(name, stream, met).await,
            Some(Opening::Lab(lab)) => self.answer(lab, stream).await,
            None => Ok(()),
        }
    }

    /// Passes orders to a station for as long as it is there.
    async fn employ(&self, name: String, mut stream: impl Carries, met: Option<Met>) -> io::Result<()> {
        let before = self.stations.borrow().get(&name).and_then(|station| station.met);
        if let (Some(before), Some(now)) = (before, met)
            && before.from != now.from
        {
            // Names and certificates have been made for the address that it had.
            let why = format!("{name} reported from {} before, and now from {}", before.from, now.from);
            self.sends_away(format!("{} was sent away from the door: {why}", now.from));
            return line::write(&mut stream, &Order::Go(why)).await;
        }
        let (read, write) = tokio::io::split(stream);
        let (orders, taken) = mpsc::unbounded_channel();
        let (forget, ended) = watch::channel(None);
        let gone = CancellationToken::new();
        let _gone = gone.clone().drop_guard();
        let log = Mutex::default();
        let station = Arc::new(Station { name: name.clone(), orders, ended, forget, gone, met, log });
        self.stations.send_modify(|all| drop(all.insert(name, station.clone())));
        let waiting = Mutex::default();
        tokio::select! {
            over = pass_on(taken, write, &waiting) => over,
            over = listen(read, &waiting, &station) => over,
        }
    }

    async fn answer(&self, lab: u64, mut stream: impl Carries) -> io::Result<()> {
        let books = lock(&self.labs).get(&lab).cloned();
        let books = books.ok_or_else(|| io::Error::other("that lab is over"))?;
        while let Some(question) = line::read::<Question>(&mut stream).await? {
            let answer = tokio::select! {
                answer = books.answer(question) => answer,
                // Whoever asked has gone: nobody asks twice at once.
                _ = line::read::<Value>(&mut stream) => return Ok(()),
            };
            line::write(&mut stream, &answer).await?;
        }
        Ok(())
    }
}

impl Books {
    async fn answer(&self, question: Question) -> Value {
        match question {
            Question::Ledger(asked) => self.ledger.answer(asked).await,
            Question::Directory(asked) => self.directory.answer(asked),
            Question::Leads(host) => {
                let leads = self.names.addresses(View::Internal, &host).first().copied();
                serde_json::to_value(leads).unwrap_or_default()
            }
        }
    }
}

type Waiting = Mutex<VecDeque<oneshot::Sender<Said>>>;

async fn pass_on(
    mut taken: mpsc::UnboundedReceiver<(Order, oneshot::Sender<Said>)>,
    mut write: impl AsyncWrite + Unpin,
    waiting: &Waiting,
) -> io::Result<()> {
    while let Some((order, answer)) = taken.recv().await {
        lock(waiting).push_back(answer);
        line::write(&mut write, &order).await?;
    }
    Ok(())
}

async fn listen(mut read: impl AsyncRead + Unpin, waiting: &Waiting, station: &Station) -> io::Result<()> {
    while let Some(said) = line::read(&mut read).await? {
        match said {
            Said::Ended(status) => drop(station.forget.send_replace(Some(ExitStatus::from_raw(status)))),
            Said::Wrote(bytes) => station.keeps(&bytes.0),
            Said::Done(_) | Said::Refused(_) => {
                if let Some(answer) = lock(waiting).pop_front() {
                    // Who gave the order may have been interrupted.
                    drop(answer.send(said));
                }
            }
        }
    }
    Ok(())
}

impl Station {
    /// Gives an order, and waits until it is carried out.
    ///
    /// # Errors
    /// Why it was not: it was refused, or the container has ended.
    pub(crate) async fn does(&self, order: Order) -> Result<Option<u32>, String> {
        let lost = || format!("the container of {} has ended", self.name);
        let (answer, said) = oneshot::channel();
        self.orders.send((order, answer)).map_err(|_| lost())?;
        match said.await {
            Ok(Said::Done(process)) => Ok(process),
            Ok(Said::Refused(why)) => Err(why),
            Ok(Said::Ended(_) | Said::Wrote(_)) | Err(_) => Err(lost()),
        }
    }

    /// Gives an order of which nobody waits to see what came.
    pub(crate) fn tell(&self, order: Order) {
        let (answer, _) = oneshot::channel();
        // One that has ended needs no order.
        drop(self.orders.send((order, answer)));
    }

    /// Whether it sees no file of ours: then a subject in it is sent what it reads.
    pub(crate) fn is_apart(&self) -> bool {
        self.met.is_some()
    }

    /// Adds what a subject wrote to the log that is here. It can be written: that was tried before the subject was started.
    fn keeps(&self, bytes: &[u8]) {
        use std::io::Write as _;
        let Some(log) = &*lock(&self.log) else { return };
        let file = std::fs::File::options().append(true).open(log);
        drop(file.and_then(|mut file| file.write_all(bytes)));
    }

    /// Forgets how an earlier subject ended, and shows how the next one does; what it writes goes to this log.
    pub(crate) fn next_end(&self, log: &Path) -> watch::Receiver<Option<ExitStatus>> {
        *lock(&self.log) = Some(log.to_owned());
        self.forget.send_replace(None);
        self.ended.clone()
    }

    /// Whether its container has ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }

    /// Waits until its container has ended.
    pub(crate) async fn goes(&self) {
        self.gone.cancelled().await;
    }

    /// The name of its container.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

fn is_the_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
