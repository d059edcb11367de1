//! A browser and the person before it: follows redirects, keeps cookies, fills in logon pages, submits what submits
//! itself.

use http::Method;
use model::WebUrl;
use model::case::{Computer, Opens, Reached, SignsIn, Told, When};
use model::journal::ClientLeg;

use crate::cookies::Jar;
use crate::html::{Form, Page};
use crate::legs::{Ending, Leg, mailbox_read};
use crate::network::Person;
use crate::session::{basic, password, urlencoded};
use crate::wire::{Reply, Request, Wire};

const MOST_LEGS: usize = 10;
const MOST_REQUESTS: usize = 20;
const USER_AGENT: &str = "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko";

/// Opens the address until a mailbox is read, or somebody gives up. The jar holds the cookies that it has, then and after.
pub(crate) async fn play(wire: &mut Wire<'_>, when: &When, person: &Person, jar: &mut Jar) -> Vec<ClientLeg> {
    let Opens::Url(url) = &when.opens else {
        let leg = Leg::new(&person.domain, Reached::Typed);
        return vec![leg.tells_because(Told::Failed(0), "a browser opens an address")];
    };
    let left = usize::from(when.times.max(1));
    let mut browser = Browser { when, person, password: password(when, person), jar, left };
    let mut legs = vec![];
    let mut next = Some((Ask::Get(url.clone()), Reached::Typed));
    while let Some((ask, reached)) = next.take().filter(|_| legs.len() < MOST_LEGS) {
        let leg = Leg::new(&ask.url().host, reached);
        let (leg, after) = browser.converse(wire, leg, ask).await;
        legs.push(leg);
        next = after.map(|ask| (ask, Reached::Told));
    }
    legs
}

/// What a browser asks for next.
#[derive(Debug, Clone)]
enum Ask {
    Get(WebUrl),
    /// A form, filled in.
    Post(WebUrl, Vec<(String, String)>),
}

impl Ask {
    fn url(&self) -> &WebUrl {
        match self {
            Ask::Get(url) | Ask::Post(url, _) => url,
        }
    }
}

/// What an answer leads to.
enum Turn {
    /// Another request of the same leg.
    On(Ask),
    /// The end of the leg, a sentence on why, and the leg after it.
    End(Ending, Option<Ask>),
}

fn end(told: Told) -> Turn {
    Turn::End(Ending::told(told), None)
}

fn end_because(told: Told, note: impl Into<String>) -> Turn {
    Turn::End(Ending::because(told, note), None)
}

struct Browser<'a> {
    when: &'a When,
    person: &'a Person,
    password: Option<String>,
    jar: &'a mut Jar,
    /// How often the mailbox is still to be seen.
    left: usize,
}

/// What has been typed in a leg so far.
#[derive(Default)]
struct Typed {
    form: bool,
    basic: Option<String>,
}

impl Browser<'_> {
    async fn converse(&mut self, wire: &mut Wire<'_>, mut leg: Leg, first: Ask) -> (ClientLeg, Option<Ask>) {
        // A form that submitted itself brought the person here: whoever signs them in now does it without a prompt.
        if let Ask::Post(_, fields) = &first {
            leg.signed_in = SignsIn::Silent;
            leg.computer = Some(said_of_the_computer(fields));
        }
        let mut typed = Typed::default();
        let mut ask = first;
        for _ in 0..MOST_REQUESTS + self.left {
            let request = self.request(&ask, &typed);
            let reply = match wire.exchange(&mut leg, request).await {
                Ok(reply) => reply,
                Err(broken) => return (leg.ends(broken.into()), None),
            };
            self.jar.take(ask.url(), &reply.headers, matches!(ask, Ask::Post(..)));
            match self.turn(&mut leg, &mut typed, &ask, &reply) {
                Turn::On(next) => ask = next,
                Turn::End(ending, next) => return (leg.ends(ending), next),
            }
        }
        let note = format!("{MOST_REQUESTS} requests led nowhere: the browser stops, as at a redirect loop");
        (leg.tells_because(Told::Failed(0), note), None)
    }

    fn request(&self, ask: &Ask, typed: &Typed) -> Request {
        let verb = if matches!(ask, Ask::Post(..)) { Method::POST } else { Method::GET };
        let mut request = Request::new(verb, ask.url().clone())
            .header("accept", "text/html, application/xhtml+xml, */*")
            .header("accept-language", "en-US")
            .header("user-agent", USER_AGENT);
        if let Ask::Post(_, fields) = ask {
            request =
                request.header("content-type", "application/x-www-form-urlencoded").with(urlencoded(fields));
        }
        if let Some(value) = typed.basic.as_ref().filter(|_| ask.url().tls) {
            request = request.header("authorization", value);
        }
        request.cookies_of_others = self.jar.of_others(ask.url());
        match self.jar.header_for(ask.url()) {
            Some(cookies) => request.header("cookie", &cookies),
            None => request,
        }
    }

    fn turn(&mut self, leg: &mut Leg, typed: &mut Typed, ask: &Ask, reply: &Reply) -> Turn {
        match reply.status {
            301 | 302 | 303 | 307 | 308 => redirected(leg, ask, reply),
            401 => self.challenged(leg, typed, ask, reply),
            200 => self.shown(leg, typed, ask, &Page::read(&reply.text())),
            status => end(Told::Failed(status)),
        }
    }

    fn challenged(&mut self, leg: &mut Leg, typed: &mut Typed, ask: &Ask, reply: &Reply) -> Turn {
        if typed.basic.is_some() {
            return end(Told::Refused(401));
        }
        if !reply.offers("Basic") || !ask.url().tls {
            return end_because(Told::Refused(401), "the 401 offers no Basic over TLS");
        }
        let Some(password) = &self.password else { return end(Told::Refused(401)) };
        leg.asks_for_credentials();
        leg.signed_in = SignsIn::Basic;
        typed.basic = Some(basic(&self.person.account, password));
        Turn::On(ask.clone())
    }

    /// A page is there: the mailbox, something to click, something to fill in, or something that goes on by itself.
    fn shown(&mut self, leg: &mut Leg, typed: &mut Typed, ask: &Ask, page: &Page) -> Turn {
        let here = ask.url();
        if let Some(mark) = page.marked("mailbox") {
            let ending = mailbox_read(&mark.text, self.person);
            self.left = self.left.saturating_sub(1);
            return match self.left == 0 || ending.note.is_some() {
                true => Turn::End(ending, None),
                false => Turn::On(Ask::Get(here.virtual_directory())),
            };
        }
        if let Some(form) = page.form_that_submits_itself() {
            return submitted(leg, here, form);
        }
        if let Some(href) = page.marked("redirectUrl").and_then(|mark| mark.href.as_deref()) {
            return match resolve(here, href) {
                Some(url) => {
                    let next = self.when.follows_link.then(|| Ask::Get(url.clone()));
                    Turn::End(Ending::told(Told::ManualRedirect(url.virtual_directory())), next)
                }
                None => end_because(Told::Failed(200), format!("the page links to no web address: {href}")),
            };
        }
        match page.logon_form() {
            Some(form) => self.asked_to_sign_in(leg, typed, here, form),
            None => end_because(Told::Failed(200), "the page is no mailbox, no logon page and no redirect"),
        }
    }

    fn asked_to_sign_in(&mut self, leg: &mut Leg, typed: &mut Typed, here: &WebUrl, form: &Form) -> Turn {
        leg.computer = Some(taken_for(form));
        let page = Told::LogonPage(reason(here));
        let Some(password) = self.password.clone().filter(|_| !typed.form) else { return end(page) };
        // 1.1: an empty action is the endpoint of 2010 and later.
        let action = if form.action.is_empty() { "/owa/auth.owa" } else { &form.action };
        let Some(target) = resolve(here, action).filter(|target| target.host == here.host) else {
            return end_because(page, format!("the logon form goes to another host: {action}"));
        };
        if !target.tls {
            return end_because(page, format!("the logon form goes over plain HTTP: {target}"));
        }
        leg.asks_for_credentials();
        leg.signed_in = SignsIn::Forms;
        typed.form = true;
        if !target.path.to_ascii_lowercase().ends_with("owaauth.dll") {
            // Wire facts 1.1: the script of the logon page of 2010 and later sets it.
            self.jar.set(here, "PBack=0; path=/");
        }
        Turn::On(Ask::Post(target, self.filled_in(form, &password)))
    }

    fn filled_in(&self, form: &Form, password: &str) -> Vec<(String, String)> {
        let secret = form.inputs.iter().find(|input| input.kind == "password").map(|input| &input.name);
        let mut fields = form.fields();
        for (name, value) in &mut fields {
            if Some(&*name) == secret {
                *value = password.to_owned();
            } else if name == "username" {
                value.clone_from(&self.person.account);
            }
        }
        fields
    }
}

fn redirected(leg: &mut Leg, ask: &Ask, reply: &Reply) -> Turn {
    let location = reply.location().unwrap_or_default();
    let Some(target) = resolve(ask.url(), location) else {
        return end_because(Told::Failed(reply.status), format!("Location is no web address: `{location}`"));
    };
    let keeps_body = matches!(reply.status, 307 | 308);
    let ask = match ask {
        Ask::Post(_, fields) if keeps_body => Ask::Post(target.clone(), fields.clone()),
        _ => Ask::Get(target.clone()),
    };
    let posts = matches!(ask, Ask::Post(..));
    if target.host == leg.dials {
        return match posts && !target.tls {
            true => end_because(Told::Failed(reply.status), "a form is sent on over plain HTTP"),
            false => Turn::On(ask),
        };
    }
    let told = match posts {
        true => Told::SilentRedirect(target.virtual_directory()),
        false => Told::Found(target.virtual_directory()),
    };
    leave(told, &target, ask)
}

fn submitted(leg: &mut Leg, here: &WebUrl, form: &Form) -> Turn {
    let Some(target) = resolve(here, &form.action) else {
        return end_because(Told::Failed(200), format!("a form goes to no web address: `{}`", form.action));
    };
    let ask = Ask::Post(target.clone(), form.fields());
    match target.host == leg.dials && target.tls {
        true => Turn::On(ask),
        false => leave(Told::SilentRedirect(landing(form, &target)), &target, ask),
    }
}

/// Where a form that submits itself leads in the end: the destination it names at its own host (`/ecp/` signs in at
/// `/owa/auth.owa` too), else the virtual directory it is posted to.
fn landing(form: &Form, target: &WebUrl) -> WebUrl {
    let destination = form.fields().into_iter().find(|(name, _)| name == "destination");
    destination
        .and_then(|(_, url)| WebUrl::folded(&url).ok())
        .filter(|url| url.host == target.host)
        .unwrap_or_else(|| target.clone())
        .virtual_directory()
}

/// To another host; what was typed travels over TLS alone.
fn leave(told: Told, target: &WebUrl, ask: Ask) -> Turn {
    match ask {
        Ask::Post(..) if !target.tls => end_because(told, "what the user typed would travel over plain HTTP"),
        ask => Turn::End(Ending::told(told), Some(ask)),
    }
}

/// Whose computer a logon page takes this for: it asks where there is something to choose (wire facts 1.1: `trusted`).
fn taken_for(form: &Form) -> Computer {
    let choices = form.inputs.iter().filter(|input| input.kind == "radio" && input.name == "trusted").count();
    if choices > 1 { Computer::Asked } else { said_of_the_computer(&form.fields()) }
}

/// What a form says of the computer that it is posted from; private where it says nothing (rule CX-OWA-8).
fn said_of_the_computer(fields: &[(String, String)]) -> Computer {
    match fields.iter().find(|(name, _)| name == "trusted") {
        Some((_, value)) if value == "0" => Computer::Public,
        _ => Computer::Private,
    }
}

/// The `reason` of a logon page's address (wire facts 1.2), 0 where it names none.
fn reason(url: &WebUrl) -> u8 {
    let query = url.path.split_once('?').map_or("", |(_, query)| query);
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("reason"))
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0)
}

/// A reference as a page or a Location holds it, seen from an address (RFC 3986, section 5.2, without dot segments).
pub(crate) fn resolve(from: &WebUrl, written: &str) -> Option<WebUrl> {
    let written = written.trim();
    if written.is_empty() {
        return None;
    }
    let has_scheme = written.split(['/', '?', '#']).next().is_some_and(|start| start.contains(':'));
    let whole = if has_scheme {
        written.to_owned()
    } else if written.starts_with("//") {
        format!("{}:{written}", if from.tls { "https" } else { "http" })
    } else if written.starts_with('/') {
        from.at(written).to_string()
    } else {
        let path = from.path.split(['?', '#']).next().unwrap_or("/");
        match written.starts_with('?') {
            true => from.at(&format!("{path}{written}")).to_string(),
            false => {
                let directory = &path[..=path.rfind('/').unwrap_or(0)];
                from.at(&format!("{directory}{written}")).to_string()
            }
        }
    };
    WebUrl::folded(&whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_seen_from_where_it_stands() {
        let from = WebUrl::folded("https://mail.contoso.com/owa/auth/logon.aspx?reason=2").unwrap();
        let seen = |written: &str| resolve(&from, written).map(|url| url.to_string());
        assert_eq!(seen("owaauth.dll").as_deref(), Some("https://mail.contoso.com/owa/auth/owaauth.dll"));
        assert_eq!(seen("/owa/").as_deref(), Some("https://mail.contoso.com/owa/"));
        assert_eq!(seen("//legacy.contoso.com/owa").as_deref(), Some("https://legacy.contoso.com/owa"));
        assert_eq!(seen("HTTPS://legacy.contoso.com").as_deref(), Some("https://legacy.contoso.com/"));
        assert_eq!(
            seen("logon.aspx?url=https://x/").as_deref(),
            Some("https://mail.contoso.com/owa/auth/logon.aspx?url=https://x/")
        );
        assert_eq!(seen("javascript:alert(1)"), None);
        assert_eq!(reason(&from), 2);
    }
}
