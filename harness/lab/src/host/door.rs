//! The runner's door: stations report there and are given orders, and their servers ask there.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::unix::net::UnixListener as Bound;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use directory::Directory;
use ledger::{Ledger, line};
use model::View;
use serde_json::Value;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::orders::{Opening, Order, Question, Said};
use crate::clock;
use crate::dns::Names;

/// A door while it is open.
#[derive(Debug)]
pub struct Door(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Held from the start, so that nobody comes to a closed door; taken by who serves it.
    bound: Mutex<Option<Bound>>,
    stations: watch::Sender<BTreeMap<String, Arc<Station>>>,
    labs: Mutex<BTreeMap<u64, Books>>,
    next_lab: AtomicU64,
}

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
}

impl Door {
    /// What its socket is called, beside the layout.
    pub const SOCKET: &str = "door.sock";

    /// Opens a door at this path.
    ///
    /// # Errors
    /// What the operating system says of binding the socket.
    pub fn open(path: &Path) -> io::Result<Door> {
        let bound = Bound::bind(path)?;
        bound.set_nonblocking(true)?;
        Ok(Door(Arc::new(Inner {
            path: path.to_owned(),
            bound: Mutex::new(Some(bound)),
            stations: watch::Sender::default(),
            labs: Mutex::default(),
            next_lab: AtomicU64::new(1),
        })))
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
            UnixListener::from_std(bound.ok_or_else(|| io::Error::other("the door is open already"))?)?;
        let inner = self.0.clone();
        Ok(async move {
            let mut guests = JoinSet::new();
            loop {
                tokio::select! {
                    () = stop.cancelled() => break,
                    Some(_) = guests.join_next() => {}
                    Ok((stream, _)) = listener.accept() => {
                        let (inner, stop) = (inner.clone(), stop.clone());
                        guests.spawn(async move {
                            // How it ended concerns whoever is at the other end, and that one knows.
                            tokio::select! {
                                () = stop.cancelled() => {}
                                _ = inner.receive(stream) => {}
                            }
                        });
                    }
                }
            }
            while guests.join_next().await.is_some() {}
            drop(std::fs::remove_file(&inner.path));
        })
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

impl Inner {
    async fn receive(&self, mut stream: UnixStream) -> io::Result<()> {
        match line::read(&mut stream).await? {
            Some(Opening::Station(name)) => self.employ(name, stream).await,
            Some(Opening::Lab(lab)) => self.answer(lab, stream).await,
            None => Ok(()),
        }
    }

    /// Passes orders to a station for as long as it is there.
    async fn employ(&self, name: String, stream: UnixStream) -> io::Result<()> {
        let (read, write) = stream.into_split();
        let (orders, taken) = mpsc::unbounded_channel();
        let (forget, ended) = watch::channel(None);
        let gone = CancellationToken::new();
        let _gone = gone.clone().drop_guard();
        let station = Station { name: name.clone(), orders, ended, forget, gone };
        let ends = station.forget.clone();
        self.stations.send_modify(|all| drop(all.insert(name, Arc::new(station))));
        let waiting = Mutex::default();
        tokio::select! {
            over = pass_on(taken, write, &waiting) => over,
            over = listen(read, &waiting, &ends) => over,
        }
    }

    async fn answer(&self, lab: u64, mut stream: UnixStream) -> io::Result<()> {
        let books = lock(&self.labs).get(&lab).cloned();
        let books = books.ok_or_else(|| io::Error::other("that lab is over"))?;
        let (mut read, mut write) = stream.split();
        while let Some(question) = line::read::<Question>(&mut read).await? {
            let answer = tokio::select! {
                answer = books.answer(question) => answer,
                // Whoever asked has gone: nobody asks twice at once.
                _ = line::read::<Value>(&mut read) => return Ok(()),
            };
            line::write(&mut write, &answer).await?;
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
    mut write: OwnedWriteHalf,
    waiting: &Waiting,
) -> io::Result<()> {
    while let Some((order, answer)) = taken.recv().await {
        lock(waiting).push_back(answer);
        line::write(&mut write, &order).await?;
    }
    Ok(())
}

async fn listen(
    mut read: OwnedReadHalf,
    waiting: &Waiting,
    ended: &watch::Sender<Option<ExitStatus>>,
) -> io::Result<()> {
    while let Some(said) = line::read(&mut read).await? {
        if let Said::Ended(status) = said {
            ended.send_replace(Some(ExitStatus::from_raw(status)));
        } else if let Some(answer) = lock(waiting).pop_front() {
            // Who gave the order may have been interrupted.
            drop(answer.send(said));
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
            Ok(Said::Ended(_)) | Err(_) => Err(lost()),
        }
    }

    /// Gives an order of which nobody waits to see what came.
    pub(crate) fn tell(&self, order: Order) {
        let (answer, _) = oneshot::channel();
        // One that has ended needs no order.
        drop(self.orders.send((order, answer)));
    }

    /// Forgets how an earlier subject ended, and shows how the next one does.
    pub(crate) fn next_end(&self) -> watch::Receiver<Option<ExitStatus>> {
        self.forget.send_replace(None);
        self.ended.clone()
    }

    /// Whether its container has ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }

    /// The name of its container.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
