//! RPC over TCP: the endpoint mapper says on which port a server's mailboxes are had, then a connection to it.

use bytes::{Bytes, BytesMut};
use model::HostName;
use model::case::Told;

use super::http::{Line, Open};
use super::pdu::{self, ENDPOINT_MAPPER, Pdu};
use super::{Carrier, bind, call, calls};
use crate::legs::{Ending, Leg};
use crate::wire::Wire;

const ENDPOINT_MAPPER_PORT: u16 = 135;

/// A connection to a server, first to its endpoint mapper.
pub(super) struct Tcp<'t, 'n> {
    wire: &'t mut Wire<'n>,
    leg: &'t mut Leg,
    host: &'t HostName,
    open: Option<Open>,
}

impl<'t, 'n> Tcp<'t, 'n> {
    pub(super) fn new(wire: &'t mut Wire<'n>, leg: &'t mut Leg, host: &'t HostName) -> Tcp<'t, 'n> {
        Tcp { wire, leg, host, open: None }
    }

    /// Asks where mailboxes are, and connects there.
    pub(super) async fn find(&mut self) -> Result<(), Ending> {
        self.dial("ept_map", ENDPOINT_MAPPER_PORT).await?;
        let useless = |why| Ending::because(Told::Failed(0), why);
        bind(self, &ENDPOINT_MAPPER).await.map_err(useless)?;
        let answer = call(self, calls::MAP, calls::map()).await;
        let port = answer.and_then(|stub| calls::mapped(&stub)).map_err(useless)?;
        self.close_open();
        self.dial("connect", port).await
    }

    async fn dial(&mut self, verb: &str, port: u16) -> Result<(), Ending> {
        let mut exchange = self.wire.entry_of(verb, &format!("{}:{port}", self.host));
        let (stream, to, heard) = self.wire.reach(self.host, port, &mut exchange).await?;
        self.open = Some(Open { line: Line { stream, to, heard, read: BytesMut::new() }, exchange });
        Ok(())
    }

    /// Lets the connection go, and writes it down.
    pub(super) fn close(mut self) {
        self.close_open();
    }

    fn close_open(&mut self) {
        if let Some(Open { line, mut exchange }) = self.open.take() {
            drop(line);
            exchange.ended = self.wire.network.ledger.mark();
            self.leg.add(exchange);
        }
    }
}

impl Carrier for Tcp<'_, '_> {
    async fn send(&mut self, pdu: Bytes) -> Result<(), String> {
        match &mut self.open {
            Some(open) => open.line.say(&pdu).await,
            None => Err("there is no connection".to_owned()),
        }
    }

    async fn next(&mut self) -> Result<Pdu, String> {
        let Some(open) = &mut self.open else { return Err("there is no connection".to_owned()) };
        loop {
            if let Some(pdu) = pdu::take(&mut open.line.read)? {
                // HTTP's word for it, though there is none here.
                open.exchange.status = 200;
                return Ok(pdu);
            }
            if !open.line.more().await? {
                return Err("the server ended the connection".to_owned());
            }
        }
    }
}
