//! What a case may say of a mail program.

use super::{Action, ClientKind, Opens, Over, Password, When};
use crate::Protocol;

/// What a mail program cannot do, or somebody else cannot.
pub(super) fn wrong(when: &When) -> Option<(&'static [&'static str], String, &'static str)> {
    const HELP: &str = "client = \"mail\"\nopens = \"imap+tls:mail.contoso.com\"\ndoes = \"read-mail\"";
    let does = matches!(when.does, Action::ReadMail | Action::PipelineStarttls | Action::Idle);
    let mail = when.client == ClientKind::Mail;
    let Opens::Mail(address) = &when.opens else {
        let says = "a mail program, and only that, opens a mail server and reads mail".to_owned();
        return (mail || does).then_some((&["when", "client"], says, HELP));
    };
    if !mail || !does || when.password == Password::None {
        let says =
            "a mail program, and only that, reads mail at a mail server, and has a password".to_owned();
        return Some((&["when", "client"], says, HELP));
    }
    if when.does == Action::Idle && address.protocol != Protocol::Imap {
        let says = format!("{address}: POP has no IDLE");
        return Some((&["when", "opens"], says, "opens = \"imap+tls:mail.contoso.com\""));
    }
    let upgrades = address.over == Over::Starttls;
    (when.does == Action::PipelineStarttls && !upgrades).then(|| {
        let says = format!("{address} has no STARTTLS behind which to write");
        (&["when", "opens"][..], says, "opens = \"imap+starttls:mail.contoso.com\"")
    })
}
