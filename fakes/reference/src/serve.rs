//! A 2010 front end serves the mailboxes of its own site: it reads the Mailbox server by MS-RPC and answers itself.

use http::{Method, Request, StatusCode};
use model::{HostName, Protocol};
use protocols::answer::Answer;
use protocols::mailbox::Unreachable;
use protocols::msrpc::Session;
use protocols::{eas, ews, iis, oab, owa};
use tokio::net::TcpStream;

use crate::clock;
use crate::decide::{Account, MS_RPC, Question};
use crate::ports::{Client, Flow};
use crate::request::{FrontEnd, read};

/// The longest request that is served here, in bytes.
const LONGEST: usize = 4 * 1024 * 1024;

impl FrontEnd {
    /// Serves a request out of this mailbox, read at this Mailbox server.
    pub(crate) async fn serve(
        &self,
        question: &Question,
        account: &Account,
        mailbox_server: &HostName,
        request: Request<Flow>,
    ) -> Answer {
        let (head, body) = request.into_parts();
        let request = match read(body, LONGEST).await {
            Ok(body) => Request::from_parts(head, body),
            Err(code) => return iis::status(code),
        };
        if question.protocol == Protocol::Oab {
            return match question.oab_named(account) {
                Some((name, guid)) => oab::serve(&request, name, guid),
                None => iis::not_found(),
            };
        }
        let Some(build) = self.own_server().map(|server| server.build) else { return iis::unavailable() };
        if question.protocol == Protocol::Eas && request.method() == Method::OPTIONS {
            // What a server speaks is no mailbox's affair.
            return eas::options(self.version, build);
        }
        let mailbox = match self.open_mailbox(question.client, account, mailbox_server).await {
            Ok(mailbox) => mailbox,
            Err(why) => {
                eprintln!("{}: {mailbox_server} cannot be read: {why}", account.address);
                return iis::unavailable();
            }
        };
        match question.protocol {
            Protocol::Owa | Protocol::Ecp => owa::serve(self.version, build, &request, mailbox).await,
            Protocol::Eas => eas::serve(self.version, build, &request, mailbox, &self.devices).await,
            Protocol::Ews => ews::serve(self.version, build, &request, mailbox, &self.subscriptions).await,
            _ => iis::status(StatusCode::NOT_IMPLEMENTED),
        }
    }

    async fn open_mailbox(
        &self,
        client: Client,
        account: &Account,
        server: &HostName,
    ) -> anyhow::Result<Session<TcpStream>> {
        let opening = async {
            let to = self.ports.back.address(client, server, MS_RPC).await?;
            let stream = self.dial.connect(client, server, to).await?;
            Ok::<_, anyhow::Error>(
                Session::connect(stream, &account.legacy_dn).await.map_err(|error: Unreachable| error)?,
            )
        };
        clock::within(clock::MAILBOX, opening).await?
    }
}
