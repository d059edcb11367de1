//! A 2010 front end ends Outlook Anywhere: it unwraps the RPC of both channels, and passes it on over TCP (PRE-OA-1 to 3).

use http::{Request, Response, StatusCode};
use protocols::{iis, rpch};
use tokio::net::TcpStream;

use crate::answers;
use crate::clock;
use crate::decide::{Account, Target};
use crate::ports::{Asked, Flow};
use crate::request::FrontEnd;

/// RPC_S_CALL_FAILED, [MS-ERREF] 2.2: the virtual connection of an IN channel has ended.
const CALL_FAILED: u32 = 0x6BE;

impl FrontEnd {
    /// Takes one channel. An OUT channel is answered with what the server says; an IN channel when it has ended.
    pub(crate) async fn unwrap(
        &self,
        asked: &Asked,
        account: Option<&Account>,
        to: &[Target],
        request: Request<Flow>,
    ) -> Response<Flow> {
        let length = request.headers().get(http::header::CONTENT_LENGTH);
        let length: Option<u64> = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let inward = match asked.verb.as_str() {
            "RPC_IN_DATA" => true,
            "RPC_OUT_DATA" => false,
            _ => return self.own(iis::status(StatusCode::METHOD_NOT_ALLOWED)),
        };
        match length {
            Some(length) if length <= rpch::LONGEST_ECHO => return self.own(rpch::echo()),
            Some(_) => {}
            None => return self.own(iis::status(StatusCode::LENGTH_REQUIRED)),
        }
        let body = request.into_body();
        if inward {
            let served = self.channels.serve_in(body, self.open_rpc(asked, account, to)).await;
            return self.own(rpch::error(served.err().unwrap_or(CALL_FAILED)));
        }
        match self.channels.serve_out(body).await {
            Ok(body) => {
                let head = self.own(rpch::success().map(|()| protocols::answer::Body::empty()));
                head.map(|_| answers::flow(body))
            }
            Err(code) => self.own(rpch::error(code)),
        }
    }

    async fn open_rpc(&self, asked: &Asked, account: Option<&Account>, to: &[Target]) -> Option<TcpStream> {
        let Target { host, port } = self.ports.choose.choose(asked, account, to)?;
        let opening = async {
            let address = self.ports.back.address(asked.client, &host, port).await?;
            self.dial.connect(asked.client, &host, address).await
        };
        match clock::within(clock::MAILBOX, opening).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                eprintln!("{} {}: {error}", asked.verb, asked.target);
                None
            }
            Err(late) => {
                eprintln!("{} {}: {host}: {late}", asked.verb, asked.target);
                None
            }
        }
    }
}
