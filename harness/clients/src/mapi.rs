//! MAPI over HTTP as Outlook speaks it ([MS-OXCMAPIHTTP]; wire facts 5): a session by cookies that are nobody's business
//! but the server's, ROPs in it, and a request that stays open until something happens.

mod body;

use bytes::BytesMut;
use http::Method;
use http_body_util::BodyExt;
use model::WebUrl;
use model::case::{Action, Told};

use crate::clock::within;
use crate::cookies::Jar;
use crate::ews::address_in;
use crate::legs::{Ending, Leg, mailbox_read};
use crate::network::Person;
use crate::outlook::USER_AGENT;
use crate::rop::{self, Held, Logon};
use crate::session::Stored;
use crate::wire::{Opened, Reply, Request, Wire};
use body::{Fields, Reading};

/// The most of an answer that is read while waiting for its end.
const MOST_WAITED_BYTES: usize = 64 * 1024;
/// PidTagEmailAddress (the DN) and PidTagSmtpAddress, [MS-OXPROPS].
const EMAIL_ADDRESS: u32 = 0x3003_001F;
const SMTP_ADDRESS: u32 = 0x39FE_001F;
/// UnbindSuccess, [MS-OXNSPI] 3.1.4.1.2.
const UNBOUND: u32 = 1;
const SUBJECT: &str = "Put by Outlook";

/// The addresses of a mailbox and of the address book, and the mailbox's name where it is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Endpoints {
    pub(crate) mail_store: WebUrl,
    pub(crate) address_book: WebUrl,
    pub(crate) legacy_dn: Option<String>,
}

impl Endpoints {
    /// Those of a virtual directory that somebody typed: nobody said which mailbox it is.
    pub(crate) fn typed(url: &WebUrl) -> Endpoints {
        let folder = format!("/{}", url.path.trim_start_matches('/').split('/').next().unwrap_or_default());
        Endpoints {
            mail_store: url.at(&format!("{folder}/emsmdb/")),
            address_book: url.at(&format!("{folder}/nspi/")),
            legacy_dn: None,
        }
    }
}

/// One client at those addresses.
pub(crate) struct Mapi<'e, 'n> {
    pub(crate) wire: &'e mut Wire<'n>,
    pub(crate) stored: &'e mut Stored,
    pub(crate) leg: &'e mut Leg,
    pub(crate) endpoints: &'e Endpoints,
    pub(crate) person: &'e Person,
    /// How many requests it has made: each has its number.
    pub(crate) asked: u32,
}

/// A session: where it is, and the cookies that name it.
struct Session {
    url: WebUrl,
    jar: Jar,
}

impl Session {
    fn at(url: &WebUrl) -> Session {
        Session { url: url.clone(), jar: Jar::default() }
    }
}

impl Mapi<'_, '_> {
    /// Does it, and says whose mailbox or entry was read.
    pub(crate) async fn act(&mut self, action: Action) -> Result<Ending, Ending> {
        if action == Action::MapiAddressBook {
            let (address, _) = self.look_up().await?;
            return Ok(mailbox_read(&address, self.person));
        }
        let dn = match &self.endpoints.legacy_dn {
            Some(dn) => dn.clone(),
            None => self.look_up().await?.1,
        };
        let mut session = Session::at(&self.endpoints.mail_store);
        let logon = self.connect(&mut session, &dn).await?;
        if action == Action::MapiNotificationWait {
            self.wait(&mut session, logon).await?;
        }
        let held = self.read(&mut session, logon).await?;
        if action == Action::MapiNotificationWait && !held.subjects.iter().any(|subject| subject == SUBJECT) {
            return Err(Ending::useless(200, "the inbox does not show the message that ended the wait"));
        }
        self.call(&mut session, "PING", vec![]).await?;
        let left = self.call(&mut session, "Disconnect", Fields::default().done()).await?;
        Reading(&left).codes("Disconnect", 0).map_err(useless)?;
        self.whose(&held)
    }

    async fn connect(&mut self, session: &mut Session, dn: &str) -> Result<Logon, Ending> {
        // Flags; DefaultCodePage 1252; LcidSort and LcidString en-US.
        let asked = Fields::default().ascii(dn).long(0).long(1252).long(0x0409).long(0x0409).done();
        let connected = self.call(session, "Connect", asked).await?;
        Reading(&connected).codes("Connect", 0).map_err(useless)?;
        let answer = self.execute(session, rop::log_on(dn)).await?;
        rop::logged_on(&answer).map_err(useless)
    }

    async fn read(&mut self, session: &mut Session, logon: Logon) -> Result<Held, Ending> {
        let answer = self.execute(session, rop::read(logon)).await?;
        rop::was_read(&answer).map_err(useless)
    }

    /// Owner and content must say the same.
    fn whose(&self, held: &Held) -> Result<Ending, Ending> {
        let domain = self.person.domain.as_str();
        let named = held.subjects.iter().find_map(|subject| address_in(subject, domain));
        match named {
            Some(named) if named.eq_ignore_ascii_case(&held.owner) => {
                Ok(mailbox_read(&held.owner, self.person))
            }
            Some(named) => Err(Ending::useless(
                200,
                format!("the mailbox is {}'s and its content {named}'s", held.owner),
            )),
            None => Err(Ending::useless(200, "the inbox names no owner")),
        }
    }

    /// The wait is seen to be pending before the message is put that ends it: a proxy that holds the answer back until its
    /// end is noticed here.
    async fn wait(&mut self, session: &mut Session, logon: Logon) -> Result<(), Ending> {
        let answer = self.execute(session, rop::ask_to_be_told(logon)).await?;
        rop::will_be_told(&answer).map_err(useless)?;
        let request = self.request(session, "NotificationWait", Fields::default().long(0).done());
        let mut open = self.open(request).await?;
        let limit = self.wire.network.limits.exchange;
        let mut read = BytesMut::new();
        let pending = within(limit, until(&mut open, &mut read, |begun| begun.pending > 0)).await;
        if pending != Some(true) {
            let begun = body::begun(&read);
            self.wire.finish(self.leg, open);
            let said = if begun.processing { "PROCESSING alone" } else { "nothing" };
            let why =
                if pending.is_none() { format!("within {limit:?}") } else { "before its end".to_owned() };
            return Err(Ending::useless(0, format!("of a wait that is pending, {said} came {why}")));
        }
        if body::begun(&read).done {
            self.wire.finish(self.leg, open);
            return Err(Ending::useless(200, "the wait was over before anything had happened"));
        }
        let put = self.execute(session, rop::put(logon, SUBJECT, &self.person.address)).await;
        let ended = within(limit, until(&mut open, &mut read, |_| false)).await;
        self.wire.finish(self.leg, open);
        rop::was_put(&put?).map_err(useless)?;
        if ended.is_none() {
            return Err(Ending::useless(0, format!("the wait did not end within {limit:?} of the message")));
        }
        let mut told = Reading(body::whole(&read).map_err(useless)?);
        told.codes("NotificationWait", 0).map_err(useless)?;
        match told.long().map_err(useless)? {
            1 => Ok(()),
            other => Err(Ending::useless(200, format!("NotificationWait says EventPending {other}"))),
        }
    }

    /// Binds, reads the list of lists, resolves the user's address and then the DN behind it; gives both as the book has them.
    async fn look_up(&mut self) -> Result<(String, String), Ending> {
        let mut session = Session::at(&self.endpoints.address_book);
        // STAT: unsorted, from the beginning, in Unicode and US English.
        let state = [0, 0, 0, 0, 0, 0, 1200_u32, 0x0409, 0x0409].map(u32::to_le_bytes).concat();
        let stat = |fields: Fields| fields.there(true).bytes(&state);
        let bound = self.call(&mut session, "Bind", stat(Fields::default().long(0)).done()).await?;
        Reading(&bound).codes("Bind", 0).map_err(useless)?;
        let tables = stat(Fields::default().long(0)).there(false).done();
        let tables = self.call(&mut session, "GetSpecialTable", tables).await?;
        special_table(&tables).map_err(useless)?;
        let names = stat(Fields::default().long(0))
            .there(true)
            .long(2)
            .long(SMTP_ADDRESS)
            .long(EMAIL_ADDRESS)
            .there(true)
            .long(1)
            .wide(&self.person.address)
            .done();
        let names = self.call(&mut session, "ResolveNames", names).await?;
        let (address, dn) = resolved(&names).map_err(useless)?;
        let ids = Fields::default().long(0).there(true).long(1).ascii(&dn).done();
        let ids = self.call(&mut session, "DNToMId", ids).await?;
        known(&ids).map_err(useless)?;
        let left = self.call(&mut session, "Unbind", Fields::default().long(0).done()).await?;
        Reading(&left).codes("Unbind", UNBOUND).map_err(useless)?;
        Ok((address, dn))
    }

    /// The ROP buffer that answers another.
    async fn execute(&mut self, session: &mut Session, buffer: Vec<u8>) -> Result<Vec<u8>, Ending> {
        let size = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let asked = Fields::default().long(3).long(size).bytes(&buffer).long(0x8008).done();
        let answer = self.call(session, "Execute", asked).await?;
        let rops = || {
            let mut read = Reading(&answer);
            read.codes("Execute", 0)?;
            let (_flags, size) = (read.long()?, read.long()?);
            read.take(usize::try_from(size).map_err(|error| error.to_string())?).map(<[u8]>::to_vec)
        };
        rops().map_err(useless)
    }

    /// One request and the binary body of its answer; the cookies are taken as they come.
    async fn call(&mut self, session: &mut Session, kind: &str, body: Vec<u8>) -> Result<Vec<u8>, Ending> {
        let request = self.request(session, kind, body);
        let number = self.number();
        let reply = self.stored.ask(self.wire, self.leg, request).await?;
        session.jar.take(&session.url, &reply.headers, false);
        check(kind, &number, &reply)?;
        body::whole(&reply.body).map(<[u8]>::to_vec).map_err(|why| useless(format!("{kind}: {why}")))
    }

    /// The head of an answer that is still to end, on a connection of its own.
    async fn open(&mut self, request: Request) -> Result<Opened, Ending> {
        let request = self.stored.numbered(request);
        let request = match self.stored.header_for(&request.url.host, request.url.tls) {
            Some(value) => request.header("authorization", &value),
            None => request,
        };
        let open = self.wire.open(self.leg, request).await?;
        match open.status {
            200 => Ok(open),
            status => {
                self.wire.finish(self.leg, open);
                Err(Ending::told(Told::Failed(status)))
            }
        }
    }

    fn request(&mut self, session: &Session, kind: &str, body: Vec<u8>) -> Request {
        self.asked += 1;
        let number = self.number();
        let info = format!("{{{}}}-1", self.person.request_id);
        let request = Request::new(Method::POST, session.url.clone())
            .header("content-type", "application/mapi-http")
            .header("user-agent", USER_AGENT)
            .header("x-requesttype", kind)
            .header("x-clientinfo", &info)
            .header("x-requestid", &number)
            .header("x-clientapplication", "Outlook/15.00.4420.1017");
        // A line each, as [MS-OXCMAPIHTTP] 4.2 shows them.
        let cookies = session.jar.header_for(&session.url).unwrap_or_default();
        let cookies = cookies.split("; ").filter(|cookie| !cookie.is_empty());
        cookies.fold(request, |request, cookie| request.line("cookie", cookie)).with(body)
    }

    fn number(&self) -> String {
        format!("{{{}}}:{}", self.person.request_id, self.asked)
    }
}

fn useless(why: impl Into<String>) -> Ending {
    Ending::useless(200, why)
}

/// What an answer says of itself must be of this request, and that all is well.
fn check(kind: &str, number: &str, reply: &Reply) -> Result<(), Ending> {
    match reply.status {
        200 => {}
        403 => return Err(Ending::told(Told::Refused(403))),
        status => return Err(Ending::told(Told::Failed(status))),
    }
    let said = |name: &str| reply.header(name).unwrap_or_default();
    let code = said("x-responsecode");
    if code != "0" {
        return Err(useless(format!("{kind} was answered with X-ResponseCode `{code}`")));
    }
    for (name, expected) in
        [("content-type", "application/mapi-http"), ("x-requesttype", kind), ("x-requestid", number)]
    {
        if said(name) != expected {
            return Err(useless(format!(
                "{kind} was answered with {name} `{}`, not `{expected}`",
                said(name)
            )));
        }
    }
    Ok(())
}

/// Reads on until the meta-tags are such, or the answer ends; false where they never were.
async fn until(open: &mut Opened, read: &mut BytesMut, such: impl Fn(body::Begun) -> bool) -> bool {
    loop {
        if such(body::begun(read)) {
            return true;
        }
        let Some(Ok(frame)) = open.body.frame().await else { return false };
        if let Some(data) = frame.data_ref() {
            read.extend_from_slice(data);
        }
        if read.len() > MOST_WAITED_BYTES {
            return false;
        }
    }
}

/// The list of lists has a row at least.
fn special_table(answer: &[u8]) -> Result<(), String> {
    let mut read = Reading(answer);
    read.codes("GetSpecialTable", 0)?;
    read.long()?;
    if read.there()? {
        read.long()?;
    }
    match read.there()? && read.long()? > 0 {
        true => Ok(()),
        false => Err("GetSpecialTable names no address list".to_owned()),
    }
}

/// Address and DN of the one entry that a name stands for.
fn resolved(answer: &[u8]) -> Result<(String, String), String> {
    let mut read = Reading(answer);
    read.codes("ResolveNames", 0)?;
    read.long()?;
    let ids = longs(&mut read)?;
    if ids != [2] {
        return Err(format!("ResolveNames resolved one name as {ids:?}"));
    }
    let tags = longs(&mut read)?;
    if tags != [SMTP_ADDRESS, EMAIL_ADDRESS] || read.long()? != 1 || read.take(1)? != [0] {
        return Err("ResolveNames gave other columns, or not one whole row".to_owned());
    }
    let mut value = || match read.there()? {
        true => read.wide(),
        false => Err("ResolveNames gave a row without its values".to_owned()),
    };
    Ok((value()?, value()?))
}

/// A DN stands for one entry.
fn known(answer: &[u8]) -> Result<(), String> {
    let mut read = Reading(answer);
    read.codes("DNToMId", 0)?;
    match longs(&mut read)?[..] {
        [id] if id >= 0x10 => Ok(()),
        ref ids => Err(format!("DNToMId gave {ids:?} for one DN")),
    }
}

/// A counted array, where there is one.
fn longs(read: &mut Reading<'_>) -> Result<Vec<u32>, String> {
    if !read.there()? {
        return Ok(vec![]);
    }
    let count = read.long()?;
    (0..count).map(|_| read.long()).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn reply(lines: &[(&'static str, &'static str)]) -> Reply {
        let lines = lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Reply { status: 200, headers: lines.collect::<HeaderMap>(), body: Bytes::new() }
    }

    #[test]
    fn an_answer_of_another_request_or_with_another_code_is_useless() {
        let right = [
            ("content-type", "application/mapi-http"),
            ("x-requesttype", "Execute"),
            ("x-requestid", "{1}:2"),
            ("x-responsecode", "0"),
        ];
        assert_eq!(check("Execute", "{1}:2", &reply(&right)), Ok(()));
        for wrong in [("x-requesttype", "Connect"), ("x-requestid", "{1}:1"), ("x-responsecode", "10")] {
            let lines = right.map(|line| if line.0 == wrong.0 { wrong } else { line });
            let said = check("Execute", "{1}:2", &reply(&lines)).unwrap_err().note.unwrap();
            assert!(said.contains(wrong.1), "{said}");
        }
        assert!(check("Execute", "{1}:2", &reply(&right[..3])).is_err());
        let away = Reply { status: 503, ..reply(&right) };
        assert_eq!(check("Execute", "{1}:2", &away), Err(Ending::told(Told::Failed(503))));
    }

    /// [MS-OXCMAPIHTTP] 2.2.5.14.2: StatusCode, ErrorCode, CodePage, ids, tags, rows, an empty auxiliary buffer.
    #[test]
    fn one_resolved_name_is_read_and_every_shorter_answer_refused() {
        let text = |text: &str| text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let answer = [
            vec![0; 8],
            vec![0xB0, 4, 0, 0, 0xFF, 1, 0, 0, 0, 2, 0, 0, 0, 0xFF, 2, 0, 0, 0],
            vec![0x1F, 0, 0xFE, 0x39, 0x1F, 0, 3, 0x30, 1, 0, 0, 0, 0],
            [vec![0xFF], text("green@contoso.com"), vec![0xFF], text("/o=x")].concat(),
        ]
        .concat();
        assert_eq!(resolved(&answer), Ok(("green@contoso.com".to_owned(), "/o=x".to_owned())));
        for end in 0..answer.len() {
            assert!(resolved(&answer[..end]).is_err(), "{end}");
        }
        let mut unresolved = answer;
        unresolved[17] = 0;
        assert!(resolved(&unresolved).unwrap_err().contains("[0]"));
        // As many as there are not.
        assert!(known(&[vec![0; 8], vec![0xFF; 5]].concat()).is_err());
        assert!(special_table(&[0; 14]).is_err());
    }

    #[test]
    fn a_typed_address_has_both_endpoints_beside_each_other() {
        let typed = |path: &str| {
            let url = WebUrl::folded(&format!("https://mail.contoso.com{path}")).unwrap();
            let Endpoints { mail_store, address_book, .. } = Endpoints::typed(&url);
            (mail_store.path, address_book.path)
        };
        for path in ["/mapi", "/mapi/", "/mapi/emsmdb/?MailboxId=1"] {
            assert_eq!(typed(path), ("/mapi/emsmdb/".to_owned(), "/mapi/nspi/".to_owned()));
        }
    }
}
