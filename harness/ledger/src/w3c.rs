//! Arrivals as IIS writes them into its own log: W3C extended, with the fields and their order as the article shows them.

use std::fmt::Write as _;
use std::sync::Arc;

use time::OffsetDateTime;
use time::macros::format_description;

use crate::Arrival;

/// The fields of a line (wire facts 9).
pub const FIELDS: &str = "date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip \
cs-version cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken";

/// What stands at the beginning of a log, and again where the service was started again. `iis` is its version.
pub fn head(iis: &str, at: OffsetDateTime) -> String {
    let at = stamp(at);
    format!(
        "#Software: Microsoft Internet Information Services {iis}\n#Version: 1.0\n#Date: {at}\n#Fields: {FIELDS}\n"
    )
}

/// A request's line, given where and when it came; none where no answer stands on the wire.
pub fn line(arrival: &Arrival, s_ip: &str, at: OffsetDateTime) -> Option<String> {
    let answer = arrival.answer?;
    let (stem, query) = stem(arrival);
    let (computer, port) = (arrival.server.as_str().to_ascii_uppercase(), port(arrival));
    Some(format!(
        "{} W3SVC1 {computer} {s_ip} {} {stem} {query} {port} {} {} {} {} {} {} {}",
        stamp(at),
        word(&arrival.verb),
        user(arrival),
        arrival.peer.ip(),
        said(arrival),
        status(arrival),
        answer.sent,
        answer.received,
        answer.took
    ))
}

/// The part of that line which is the same whenever and wherever the request comes: verb, stem, query, port, user, version,
/// user agent, cookie, referer, host, and the three numbers of the status.
pub fn short(arrival: &Arrival) -> String {
    let (stem, query) = stem(arrival);
    let verb = word(&arrival.verb);
    format!("{verb} {stem} {query} {} {} {} {}", port(arrival), user(arrival), said(arrival), status(arrival))
}

/// A whole log: a head, and the lines of what was answered.
pub fn log(iis: &str, arrivals: &[Arc<Arrival>], s_ip: &str, began: OffsetDateTime) -> String {
    let mut text = head(iis, began);
    for arrival in arrivals {
        let at = began + std::time::Duration::from_millis(arrival.time);
        if let Some(line) = line(arrival, s_ip, at) {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

fn stamp(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    at.format(&form).unwrap_or_default()
}

fn stem(arrival: &Arrival) -> (String, String) {
    let (stem, query) = arrival.target.split_once('?').unwrap_or((&arrival.target, ""));
    (word(stem), word(query))
}

fn port(arrival: &Arrival) -> u16 {
    if arrival.tls { 443 } else { 80 }
}

fn user(arrival: &Arrival) -> String {
    let user = arrival.identity.believed_to_be.as_ref();
    user.map_or("-".to_owned(), |user| format!("CONTOSO\\{user}"))
}

/// Version, user agent, cookie, referer, host. Of cookies the names alone: what they hold is as good as a password.
fn said(arrival: &Arrival) -> String {
    let version = arrival.head.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap_or_default();
    let names = |cookies: String| {
        let pairs =
            cookies.split(';').map(|pair| pair.split('=').next().unwrap_or_default().trim().to_owned());
        pairs.filter(|name| !name.is_empty()).map(|name| format!("{name}=...")).collect::<Vec<_>>().join(";+")
    };
    let [agent, cookie, referer] = ["user-agent", "cookie", "referer"].map(|name| header(arrival, name));
    let host = arrival.host.clone().unwrap_or_default();
    [version.to_owned(), agent, names(cookie), referer, host].map(|value| word(&value)).join(" ")
}

fn status(arrival: &Arrival) -> String {
    arrival.answer.map_or("- - -".to_owned(), |answer| {
        format!("{} {} {}", answer.status, answer.substatus, answer.win32)
    })
}

fn header(arrival: &Arrival, name: &str) -> String {
    let lines = arrival.head.split("\r\n").filter_map(|line| line.split_once(':'));
    let of_name = lines.filter(|(known, _)| known.trim().eq_ignore_ascii_case(name));
    of_name.map(|(_, value)| value.trim()).collect::<Vec<_>>().join(";")
}

/// A value as one word: a blank is a plus, what would end the line is left out, and nothing is a dash.
fn word(value: &str) -> String {
    let word: String =
        value.chars().filter(|c| !c.is_control()).map(|c| if c.is_whitespace() { '+' } else { c }).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use model::Protocol;
    use model::journal::Order;

    use super::*;
    use crate::{Answered, Claim, Conveyed, Identity};

    fn pinged(head: &str, target: &str) -> Arrival {
        Arrival {
            order: Order(0),
            time: 1_000,
            server: "df-c14-02".parse().unwrap(),
            protocol: Protocol::Eas,
            verb: "HEAD".to_owned(),
            target: target.to_owned(),
            host: Some("coe-e14-1.coe.lab".to_owned()),
            sni: None,
            tls: true,
            starttls: false,
            peer: "192.168.1.29:40000".parse().unwrap(),
            identity: Identity { asked_by: None, believed_to_be: None, conveyed: Conveyed::Nothing },
            head: head.to_owned(),
            body: None,
            connection: 0,
            request: 1,
            parent: None,
            case: None,
            claimed_by: Claim::Nobody,
            answer: Some(Answered {
                status: 401,
                substatus: 2,
                win32: 5,
                sent: 293,
                received: 194,
                took: 31,
            }),
        }
    }

    /// The fifth line of the article's log.
    #[test]
    fn a_ping_is_logged_as_the_article_shows_it() {
        let target = "/Microsoft-Server-ActiveSync/default.eas";
        let head =
            format!("HEAD {target} HTTP/1.1\r\nUser-Agent: HttpProxy.ClientAccessServer2010Ping\r\n\r\n");
        let began = time::macros::datetime!(2014-03-11 14:00:00 UTC);
        let log = log("7.5", &[Arc::new(pinged(&head, target))], "157.54.7.76", began);
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines[2], "#Date: 2014-03-11 14:00:00");
        assert_eq!(
            lines[4],
            "2014-03-11 14:00:01 W3SVC1 DF-C14-02 157.54.7.76 HEAD /Microsoft-Server-ActiveSync/default.eas - 443 - \
             192.168.1.29 HTTP/1.1 HttpProxy.ClientAccessServer2010Ping - - coe-e14-1.coe.lab 401 2 5 293 194 31"
        );
        assert_eq!(lines[3].split(' ').count() - 1, lines[4].split(' ').count(), "a field for each word");
    }

    #[test]
    fn what_a_stranger_wrote_stays_one_word_and_a_cookie_holds_nothing() {
        let head = "HEAD /OAB?a%20b c HTTP/1.1\r\nuser-agent: a b\tc\r\nCookie: cadata=secret; b=2\r\n\r\n";
        let short = short(&pinged(head, "/OAB?a\u{7}b"));
        assert_eq!(short, "HEAD /OAB ab 443 - HTTP/1.1 a+bc cadata=...;+b=... - coe-e14-1.coe.lab 401 2 5");
    }
}
