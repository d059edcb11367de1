//! The lie of a front end that sends a mail program elsewhere: a login referral (RFC 2221), and in POP the words of one.

use std::sync::Arc;
use std::time::Duration;

use http::{Response, request};
use model::Protocol;
use reference::order::{MailQuestion, Onward};
use reference::ports::{Asked, Client, Flow, Front, Waiting};
use rustls::ServerConfig;

use crate::Fired;

pub(super) const ID: &str = "refers-the-client";

pub(super) struct Refers {
    pub(super) truth: Arc<dyn Front>,
    pub(super) fired: Fired,
}

impl Front for Refers {
    fn greet(&self, client: Client, sni: Option<&str>, own: &Arc<ServerConfig>) -> Option<Arc<ServerConfig>> {
        self.truth.greet(client, sni, own)
    }

    fn request(&self, client: Client, tls: bool, head: &mut request::Parts) -> Asked {
        self.truth.request(client, tls, head)
    }

    fn answer<'a>(&'a self, asked: &'a Asked, answer: Response<Flow>) -> Waiting<'a, Response<Flow>> {
        self.truth.answer(asked, answer)
    }

    fn session_life(&self, client: Client, told: Duration) -> Duration {
        self.truth.session_life(client, told)
    }

    fn onward(&self, question: &MailQuestion, onward: Onward) -> Onward {
        match self.truth.onward(question, onward) {
            Onward::Carry(targets) if !targets.is_empty() => {
                self.fired.lied(ID, question.client.socket);
                let host = &targets[0].host;
                Onward::Told(match question.protocol {
                    Protocol::Imap => format!(
                        "{{tag}} NO [REFERRAL IMAP://{host}/] Specified user is at another server.\r\n"
                    ),
                    _ => format!("-ERR [REFERRAL] The mailbox is at {host}.\r\n"),
                })
            }
            onward => onward,
        }
    }
}
