//! A case: given a topology, when a client opens something, then these legs. Literals; nothing here computes one.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{CaseId, HostName, MailboxName, RuleId, ServerName};
use crate::problem::{Problem, Source};
use crate::protocol::{Protocol, View, words};
use crate::subject::{Declares, Feature};
use crate::topology::Setting;

mod action;
mod each;
mod finding;
mod mail;
mod opens;
mod pings;
mod scheme;
mod steps;
mod told;
mod wire;
mod written;
pub use action::Action;
pub use finding::{FindingLevel, Finds, Listed};
pub use opens::Opens;
pub use pings::{Askers, FaultAt, Health, Pings, Status, is_failure};
pub use scheme::Scheme;
pub use steps::{Awaited, CopyMove, MailboxMove, Steering, Step};
pub use told::{Answer, Cell, Told};
pub use wire::{
    After, AnswerFraming, Answering, Arrives, Carried, CarriedAnswer, CarriedBody, CarriedRequest,
    Connection, Ends, Framing, MOST_PAYLOAD_BYTES, Payload, Send, Sent, Sni, Until, Wait, spelled_out,
};

/// One literal expectation of the rule book.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Case {
    /// Its path below `suites/cases`.
    pub id: CaseId,
    /// What it shows, in a sentence.
    pub title: String,
    /// The rules that it holds.
    pub rules: Vec<RuleId>,
    /// Where the expectation comes from.
    pub source: String,
    /// What a subject must claim for it to run.
    pub needs: Vec<Feature>,
    /// What a subject must declare for it to run, where the article has two readings.
    pub declares: Declares,
    /// The base topology, from the id: `coexistence`.
    pub topology: String,
    /// What is changed about the topology, and which servers misbehave.
    pub given: Given,
    /// What is done and what must come of it, in order.
    pub steps: Vec<Step>,
    /// Names that must resolve so (rules TOP-4, DNS-1).
    pub resolves: Vec<Resolves>,
    /// How servers must have been asked for their health (rules CX-HLT-1 to 10).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pings: Vec<Pings>,
    /// What `check` must say of its topology: then it has no client, and needs no lab.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finds: Option<Finds>,
}

/// What is changed about the base topology.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Given {
    /// Overlays, `+pairs`.
    #[serde(default)]
    pub variants: Vec<String>,
    /// Fields by path.
    #[serde(default)]
    pub settings: Setting,
    /// Scripts of misbehaviour by `server/protocol` or `pings server/protocol`, one word an answer: `503`,
    /// `451-without-location`; `...` at the end is the word before it from then on.
    #[serde(default)]
    pub faults: BTreeMap<String, Vec<String>>,
    /// What servers answer to the case's user, by `server/protocol`, one an answer.
    #[serde(default)]
    pub answers: BTreeMap<String, Vec<Answering>>,
}

/// Who does what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct When {
    /// Whose mailbox.
    pub mailbox: MailboxName,
    /// Which kind of program.
    pub client: ClientKind,
    /// Where it stands.
    pub view: View,
    /// An address, or `outlook:MAILBOX` or `device:MAILBOX`: Autodiscover first, then what it was given; or where a mail
    /// program is to go, `imap+tls:mail.contoso.com`.
    pub opens: Opens,
    /// What it does once there.
    pub does: Action,
    /// What it signs in with.
    #[serde(default)]
    pub password: Password,
    /// The scheme that it signs in by: Outlook's, and `plain` for mail; all others know Basic and forms.
    #[serde(default)]
    pub sign_in: Scheme,
    /// Whether its connections stay open, idle, until the case is over (rule X-SEC-4).
    #[serde(default)]
    pub stays: bool,
    /// Whether it is the browser of an earlier step, with the cookies that it has since: what that says of its session
    /// (rule CX-OWA-7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comes_back: Option<ComesBack>,
    /// How many such clients do it at once, each on connections of its own; the legs must be so for each (rule X-SEC-4).
    #[serde(default = "once")]
    pub at_once: u16,
    /// What the user is called and types, where the text matters (rule X-OWA-4).
    pub types: Option<Typed>,
    /// What kind of device: devices only.
    pub device: Option<Device>,
    /// What it says it can handle in Autodiscover: `X-ClientCanHandle` (rule X-AD-1).
    #[serde(default)]
    pub can_handle: Option<String>,
    /// Whether it says in Autodiscover that it speaks MAPI over HTTP: `X-MapiHttpCapability: 1` (rule X-MAPI-1). Whoever
    /// goes on to MAPI says so anyway.
    #[serde(default)]
    pub mapi_http: bool,
    /// Whether it is patched so far that it reads ExHTTP (rule CX-EXHTTP-5): Outlook only.
    #[serde(default = "patched")]
    pub knows_exhttp: bool,
    /// Steps of the Autodiscover lookup that policy switches off, as Outlook's Exclude… settings do (rule X-AD-3).
    #[serde(default)]
    pub excludes: Vec<Lookup>,
    /// Whether the user follows a link shown by a manual redirect.
    #[serde(default)]
    pub follows_link: bool,
    /// How often it does it; each time the legs must be so.
    #[serde(default = "once")]
    pub times: u16,
    /// What it sends: a raw client only.
    #[serde(default)]
    pub sends: Vec<Send>,
}

/// How many clients at once may be expected to be spread: by chance, all of them come to one of two servers in one of 32,768
/// runs, if each asks but once.
const SPREAD: u16 = 16;

fn patched() -> bool {
    true
}

fn once() -> u16 {
    1
}

words! {
    /// A kind of client.
    ClientKind, "client", "browser (or outlook, device, mail, raw)";
    /// A browser: cookies, forms, pages that submit themselves.
    Browser = "browser",
    /// Outlook's use of Autodiscover, EWS and OAB.
    Outlook = "outlook",
    /// An ActiveSync device.
    Device = "device",
    /// A mail program: IMAP or POP.
    Mail = "mail",
    /// No program that a person uses: it sends exactly what a case says, byte for byte.
    Raw = "raw",
}

words! {
    /// When a browser comes back to where it signed in before.
    ComesBack, "time to come back", "in-session (or too-late, without-session)";
    /// Its session there has not ended.
    InSession = "in-session",
    /// Its session there is over.
    TooLate = "too-late",
    /// It never had one there.
    WithoutSession = "without-session",
}

words! {
    /// Whose computer a logon page takes a browser's for (rule X-OWA-5).
    Computer, "kind of computer", "private (or asked, public)";
    /// The user's own, without asking.
    Private = "private",
    /// The user is asked.
    Asked = "asked",
    /// Anybody's, without asking.
    Public = "public",
}

words! {
    /// The password that a client uses.
    #[derive(Default)]
    Password, "password", "right (or wrong, none)";
    /// The lease's own.
    #[default]
    Right = "right",
    /// Another.
    Wrong = "wrong",
    /// No credentials at all.
    None = "none",
}

words! {
    /// A step of the Autodiscover lookup.
    Lookup, "step of the Autodiscover lookup", "scp (or https-root, https-autodiscover, http-redirect, srv)";
    /// Service connection point in Active Directory.
    Scp = "scp",
    /// `https://DOMAIN/autodiscover/…`
    HttpsRoot = "https-root",
    /// `https://autodiscover.DOMAIN/autodiscover/…`
    HttpsAutodiscover = "https-autodiscover",
    /// `GET http://autodiscover.DOMAIN/…`, answered by 302
    HttpRedirect = "http-redirect",
    /// `_autodiscover._tcp.DOMAIN`
    Srv = "srv",
}

/// What the user is called and types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Typed {
    /// Put before the leased account's name: `o'neil` makes `o'neil-1a2b3c`.
    pub user: String,
    /// The account's password.
    pub password: String,
}

/// An ActiveSync device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Device {
    /// MS-ASProtocolVersion: `14.1`.
    pub protocol: String,
    /// Its DeviceType: `iPhone`.
    pub kind: String,
    /// Whether it is on the list of devices that may be told to move (rule PRE-EAS-4B).
    pub on_451_list: bool,
    /// Whether it can run Autodiscover.
    pub autodiscover: bool,
    /// The form of its query.
    pub query: QueryForm,
}

words! {
    /// The form of an ActiveSync query.
    QueryForm, "form of query", "plain (or base64)";
    /// `?Cmd=FolderSync&User=…`
    Plain = "plain",
    /// One base64 word (protocol 12.1 and later).
    Base64 = "base64",
}

/// One conversation of the client with one namespace, as it must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Leg {
    /// The namespace that the client dials.
    pub dials: HostName,
    /// How it came to that name.
    pub reached: Reached,
    /// The servers that the last answered request passed, in order.
    pub hops: Vec<Hop>,
    /// How often a person had to act.
    pub prompts: Prompts,
    /// How the client signed in, where a rule speaks of it.
    pub signs_in: Option<SignsIn>,
    /// Whose computer the logon page took it for, where a rule speaks of it; of a form that submitted itself, what it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computer: Option<Computer>,
    /// What it was told at the end.
    pub told: Told,
    /// Whether the server that the client dialled may as well refuse, by a 4xx, by 501 or by ending the connection: then
    /// nothing may have gone further.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_refuse: bool,
    /// Whether the clients at once must not all have come to the same one of the second hop's set, which is the subject's
    /// choice: for subjects that declare to spread load so that this can be told of a few clients.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spread: bool,
    /// What must arrive as sent: one a request of a raw client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<Carried>,
}

impl Leg {
    /// The hop behind the first, where any server of several would do.
    pub fn chosen(&self) -> Option<&Hop> {
        self.hops.get(1).filter(|hop| hop.at.0.len() > 1)
    }
}

words! {
    /// How a client came to a name.
    Reached, "way to a name", "typed (or scp, dns, told)";
    /// Typed by the user, or configured.
    Typed = "typed",
    /// Named by a service connection point.
    Scp = "scp",
    /// Guessed from the address's domain, or from an SRV record.
    Dns = "dns",
    /// Named by the leg before.
    Told = "told",
}

words! {
    /// How a client signs in.
    SignsIn, "way to sign in", "forms (or basic, ntlm, negotiate, silent, none)";
    /// A logon page that a person filled in.
    Forms = "forms",
    /// Basic
    Basic = "basic",
    /// NTLM, bound to the connection.
    Ntlm = "ntlm",
    /// Negotiate or Nego2, bound to the connection.
    Negotiate = "negotiate",
    /// A form that submitted itself with what the user had typed before.
    Silent = "silent",
    /// Not at all
    None = "none",
}

/// How often a person had to act in a leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Prompts {
    /// Asked for credentials.
    pub credentials: u8,
    /// Asked about a certificate.
    pub certificate: u8,
    /// What was wrong with it: `name`, `trust`, `date`. Where one is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<CertificateFault>,
}

words! {
    /// What is wrong with a certificate, as a client says it.
    CertificateFault, "fault of a certificate", "name (or trust, date)";
    /// It names another host.
    Name = "name",
    /// Nobody trusted signed it.
    Trust = "trust",
    /// It is not valid now.
    Date = "date",
}

/// A server that must be passed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Which one, or one of which.
    pub at: Position,
    /// By which name it is reached; usual: its FQDN, and MS-RPC for a Mailbox server of 2007 or 2010.
    pub by: Option<By>,
    /// Over what; usual: TLS.
    pub over: Option<Over>,
}

/// A position of the topology, or where the rules allow, one of a set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "OneOrMany", into = "OneOrMany")]
pub struct Position(pub Vec<ServerName>);

impl Position {
    /// Whether this server is it.
    pub fn admits(&self, server: &ServerName) -> bool {
        self.0.contains(server)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [one] => write!(f, "{one}"),
            many => {
                let names: Vec<&str> = many.iter().map(ServerName::as_str).collect();
                write!(f, "one of {}", names.join(", "))
            }
        }
    }
}

words! {
    /// By which name a server is reached.
    By, "way to name a server", "fqdn (or internal-url, connection-setting, rpc, any)";
    /// The server's own DNS name.
    Fqdn = "fqdn",
    /// The host of its virtual directory's InternalUrl.
    InternalUrl = "internal-url",
    /// Its InternalConnectionSettings (IMAP, POP).
    ConnectionSetting = "connection-setting",
    /// MS-RPC over TCP.
    Rpc = "rpc",
    /// The rules do not say.
    Any = "any",
}

words! {
    /// What a hop goes over.
    Over, "transport", "tls (or starttls, plain)";
    /// TLS from the start.
    Tls = "tls",
    /// TLS after a command.
    Starttls = "starttls",
    /// No TLS.
    Plain = "plain",
}

/// A name that must lead to these servers in a view; an empty list is a name that must not resolve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Resolves {
    /// The name asked for.
    pub name: HostName,
    /// Who asks.
    pub view: View,
    /// The servers whose addresses must come back, and no others.
    pub servers: Vec<ServerName>,
}

impl Case {
    /// The protocol folder of its id: `owa` of `coexistence/owa/purple`.
    pub fn protocol(&self) -> &str {
        self.id.as_str().split('/').nth(1).unwrap_or_default()
    }

    /// The topology with its variants, `coexistence+pairs`.
    pub fn topology_name(&self) -> String {
        format!("{}{}", self.topology, self.given.variants.concat())
    }

    /// Reads a case file as all the cases that it makes: one, or one for each value of `[each]`, with the file as it is then.
    ///
    /// # Errors
    /// Whatever is wrong, with its place and a right value.
    pub fn read_each(id: &CaseId, source: &Source) -> Result<Vec<(Case, Source)>, Problem> {
        let variants = each::variants(source)?.into_iter();
        variants
            .map(|(behind, file)| {
                let id = format!("{id}{behind}").parse::<CaseId>();
                let id = id.map_err(|error| source.problem(None, error.to_string(), None))?;
                Ok((Case::read(id, &file)?, file))
            })
            .collect()
    }

    /// Reads a case file that makes one case.
    ///
    /// # Errors
    /// Whatever is wrong, with its place and a right value.
    pub fn read(id: CaseId, source: &Source) -> Result<Case, Problem> {
        let file: CaseFile = source.read("compare with suites/cases/coexistence/owa/purple.toml")?;
        let wrong = |path: &[&str], message: &str, help: &str| {
            Err(source.problem(source.locate(path), message, Some(help.to_owned())))
        };
        if file.rules.is_empty() {
            return wrong(&["rules"], "a case holds at least one rule", "rules = [\"CX-OWA-2\"]");
        }
        if file.source.trim().is_empty() {
            return wrong(
                &["source"],
                "a case states its source",
                "source = \"the article, Outlook Web App, Purple User\"",
            );
        }
        let mut steps = steps::in_order(file.step, source)?;
        match (file.when, file.then) {
            (Some(when), then) if steps.is_empty() => steps.push(Step { before: vec![], when, then }),
            (None, then) if then.is_empty() => {}
            _ => {
                return wrong(
                    &["when"],
                    "a case has one [when] with its [[then]], or [[step]]s with both",
                    "[[step]]\nwhen = { … }\nthen = [{ … }]",
                );
            }
        }
        if steps.is_empty() && file.resolves.is_empty() {
            return wrong(
                &["title"],
                "a case that does nothing checks nothing",
                "add [when] and [[then]], or [[resolves]]",
            );
        }
        if steps.iter().any(|step| step.then.is_empty()) {
            return wrong(&["when"], "no leg is expected", "[[then]]\ndials = \"mail.contoso.com\"\n…");
        }
        if let Some(at) = steps::never_there(&steps) {
            let row = steps[..=at].iter().map(|step| step.before.len() + 1).sum::<usize>() - 1;
            let place = source.locate(&["step", &row.to_string(), "when", "comes-back"]);
            let place = place.or_else(|| source.locate(&["when", "comes-back"]));
            let message =
                "a browser comes back that was never there: no earlier step is one of this mailbox, alone";
            let help = "comes-back = \"in-session\", in a step after the one in which the browser signs in";
            return Err(source.problem(place, message, Some(help.to_owned())));
        }
        for step in &steps {
            let knows = match step.when.sign_in {
                Scheme::Basic => true,
                Scheme::Plain => step.when.client == ClientKind::Mail,
                _ => step.when.client == ClientKind::Outlook,
            };
            if !knows {
                let message = format!("a {} does not sign in by {}", step.when.client, step.when.sign_in);
                return wrong(&["when", "sign-in"], &message, "client = \"outlook\"");
            }
            if let Some((path, message, help)) = mail::wrong(&step.when).or_else(|| wire::wrong(step)) {
                return wrong(path, &message, help);
            }
            if step.when.client == ClientKind::Device && step.when.device.is_none() {
                return wrong(
                    &["when", "client"],
                    "a device has a [when.device]",
                    "device = { protocol = \"14.1\", kind = \"iPhone\", on-451-list = true, autodiscover = true, query = \"plain\" }",
                );
            }
            let none_to_spread_over = |leg: &Leg| leg.spread && leg.chosen().is_none();
            let too_few = step.spreads() && step.when.at_once < SPREAD;
            if too_few || step.then.iter().any(none_to_spread_over) {
                let message = format!(
                    "at least {SPREAD} clients at once are spread, over the second hop's set of servers"
                );
                return wrong(
                    &["then"],
                    &message,
                    "at-once = 16, and in the leg hops = [\"cas2013-s1\", { any-of = [\"cas2010-s1\", \"cas2010-s1b\"] }, …]",
                );
            }
            if let Some(leg) =
                step.then.iter().find(|leg| (leg.prompts.certificate > 0) != leg.prompts.reason.is_some())
            {
                let message = format!("leg {}: a certificate prompt has a reason, and only that", leg.dials);
                return wrong(
                    &["then"],
                    &message,
                    "prompts = { credentials = 1, certificate = 1, reason = \"date\" }",
                );
            }
        }
        pings::verify(&file.pings, source)?;
        let topology = id.as_str().split('/').next().unwrap_or_default().to_owned();
        Ok(Case {
            id,
            title: file.title,
            rules: file.rules,
            source: file.source,
            needs: file.needs,
            declares: file.declares,
            topology,
            given: file.given,
            steps,
            resolves: file.resolves,
            pings: file.pings,
            finds: None,
        })
    }

    /// The client protocols that the steps touch, by what they do.
    pub fn protocols(&self) -> Vec<Protocol> {
        self.steps.iter().map(|step| step.when.protocol()).collect()
    }
}

/// A case as its file has it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct CaseFile {
    title: String,
    rules: Vec<RuleId>,
    source: String,
    needs: Vec<Feature>,
    #[serde(default)]
    declares: Declares,
    #[serde(default)]
    given: Given,
    /// Read before, by whoever made one case of many.
    #[serde(default, rename = "each")]
    _each: BTreeMap<String, toml::Value>,
    when: Option<When>,
    #[serde(default)]
    then: Vec<Leg>,
    #[serde(default)]
    step: Vec<steps::Row>,
    #[serde(default)]
    resolves: Vec<Resolves>,
    #[serde(default)]
    pings: Vec<Pings>,
}

mod hop;
use hop::OneOrMany;
