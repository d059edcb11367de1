//! A hostile client, against the reference in the seat and against a server behind it: an answer, never a hang.
//!
//! ```text
//!   own ground:  curl ──> mail.contoso.com       cas2013-s1, the reference
//!                curl ──> cas2010-s1.contoso.com a fake of Exchange 2010
//! ```
//!
//! A foreign client on purpose: ours could not write most of this. Where there is no own network or no curl, a line says so.

use std::process::{Command, Stdio};

use rstest::rstest;

use crate::scratch::Scratch;

/// Seconds that one request may take; all of them together stay below the limit of a run.
const SECONDS: &str = "4";

/// Each line of output: a name, the last status (0 where there was none), curl's own exit code. `$h` is the server.
/// A limit of 64 KiB on heads is found between two reads (hyper): what must be refused is longer than twice that.
const SCRIPT: &str = r#"
p() { name=$1; shift; s=$(curl -s -o "$BODY" -w '%{http_code}' --max-time $LIMIT "$@" 2>/dev/null); echo "$name $s $? $(tr -d '\r\n' <"$BODY" | head -c 900)"; : >"$BODY"; }
as='-u CONTOSO\red:pass-red'; xml='Content-Type: text/xml'; wbxml='Content-Type: application/vnd.ms-sync.wbxml'
eas="https://$h/Microsoft-Server-ActiveSync"; ews="https://$h/EWS/Exchange.asmx"; ad="https://$h/autodiscover/autodiscover.xml"
long=$(head -c 102400 /dev/zero | tr '\0' a)
p long-header -H "X-Long: $long" -H "X-Longer: $long" "https://$h/owa/"
p many-headers $(seq -f '-H X-%g:1' 1 3000) "https://$h/owa/"
p long-target "https://$h/owa/?$long"
yes | p endless-body $as -H "$xml" -X POST -T - "$ews"
yes | p endless-form -H 'Content-Type: application/x-www-form-urlencoded' -X POST -T - "https://$h/owa/auth.owa"
p broken-pox $as -H "$xml" -d '<Autodiscover><Request' "$ad"
p deep-pox $as -H "$xml" -d "$(yes '<a>' | head -20000 | tr -d '\n')" "$ad"
p broken-soap $as -H "$xml" -d '<soap:Envelope' "$ews"
p no-soap $as -H "$xml" -d '' "$ews"
p entities $as -H "$xml" -d '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>' "$ews"
p broken-wbxml $as -H "$wbxml" -H 'MS-ASProtocolVersion: 14.1' -d 'no wbxml' "$eas?Cmd=FolderSync&User=red&DeviceId=a1&DeviceType=iPhone"
p broken-query $as -H "$wbxml" -d x "$eas?%%%%"
p broken-basic -H 'Authorization: Basic !!!!' -H "$xml" -d '' "$ews"
p broken-ticket -H 'Authorization: Negotiate !!!!' -H "$xml" -d '' "$ews"
p strange-verb -X BREW "https://$h/owa/"
p forged-cookie -H 'Cookie: cadata=zzzz; sessionid=../../..' "https://$h/owa/"
p still-serves $as -H "$wbxml" -X OPTIONS "$eas"
"#;

/// A status that refuses what the client did, or one that sends it to sign in.
const REFUSED: std::ops::RangeInclusive<u32> = 400..=499;

#[rstest]
#[case::reference("mail.contoso.com")]
#[case::exchange_2010("cas2010-s1.contoso.com")]
fn whatever_a_client_sends_is_answered_or_cut_off_in_time(#[case] server: &str) {
    let Some(answers) = answers(server) else { return };
    assert_eq!(
        answers.len(),
        SCRIPT.matches("\np ").count() + SCRIPT.matches("| p ").count(),
        "{answers:#?}"
    );
    for Answer { name, status, curl, body } in &answers {
        let said = format!("{name}: status {status}, curl {curl}\n{body}");
        // curl(1): 28 is its time limit; 0 an answer; 52, 55, 56 and 92 a connection that was closed on it.
        assert_ne!(*curl, 28, "it hangs: {said}");
        let closed = matches!(curl, 52 | 55 | 56 | 92);
        let fits = match name.as_str() {
            "long-header" | "many-headers" | "long-target" | "endless-body" | "endless-form" => {
                closed || REFUSED.contains(status)
            }
            // MS-OXDSCLI 2.2.4: an Autodiscover error is an answer with a code; 600 is an invalid request.
            "broken-pox" | "deep-pox" => *status == 200 && body.contains("<ErrorCode>600</ErrorCode>"),
            // SOAP 1.1, section 6.2: a fault is told with 500.
            "broken-soap" | "no-soap" | "entities" => *status == 500 && body.contains("Fault>"),
            "broken-wbxml" | "broken-query" => *status == 400,
            "broken-basic" | "broken-ticket" => *status == 401,
            "strange-verb" => REFUSED.contains(status),
            "forged-cookie" => *status == 302,
            "still-serves" => *status == 200,
            _ => false,
        };
        assert!(fits, "{said}");
    }
}

#[derive(Debug)]
struct Answer {
    name: String,
    status: u32,
    curl: u32,
    body: String,
}

fn answers(server: &str) -> Option<Vec<Answer>> {
    let has = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !has("curl", &["--version"]) {
        println!("skipped: there is no curl");
        return None;
    }
    if !has("unshare", &["--user", "--map-root-user", "--net", "--mount", "true"]) {
        println!("skipped: there is no network of our own to be had here");
        return None;
    }
    let scratch = Scratch::new();
    let script = format!("h={server}; LIMIT={SECONDS}; BODY={}; : >$BODY\n{SCRIPT}", scratch.path("body"));
    let script = scratch.write("script.sh", &script);
    let ended = scratch.run(&["exec", "--ground", "own", "--view", "internal", "--", "sh", &script]);
    ended.check(0, &[]);
    let lines = ended.out.lines().map(|line| {
        let mut words = line.splitn(4, ' ').map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        Answer { name: next(), status: next().parse().unwrap(), curl: next().parse().unwrap(), body: next() }
    });
    Some(lines.collect())
}
