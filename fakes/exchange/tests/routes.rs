//! What the servers that are not in the seat do, held against literals: the rows of the rule book that speak of them.
//!
//! ```text
//! Site1: cas2007-s1 (legacy), cas2010-s1, mbx2013-s1, mbx2013-s1b    red purple green
//! Site2: cas2010-s2 (mail-region)                                    orange
//! Site3: cas2010-s3, cas2007-s3 (nothing published)                  blue violet
//! ```

use std::path::Path;

use directory::Directory;
use exchange::route::{Route, route, table};
use model::problem::Source;
use model::topology::TopologyFiles;

fn directory() -> Directory {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/topologies");
    let read = |name: &str| Source::new(name, std::fs::read_to_string(folder.join(name)).unwrap());
    let files = TopologyFiles::base(read("coexistence.toml"))
        .with_overlay("+site3-2007", read("+site3-2007.toml"))
        .unwrap();
    Directory::new(files.build(&Default::default()).unwrap())
}

/// One verb, one check: at a server, for a protocol and a mailbox, with what a device speaks.
fn check(at: &str, protocol: &str, mailbox: &str, device: &str, expected: &str) {
    let directory = directory();
    let facts = directory.facts(mailbox).unwrap();
    let came = route(
        &table(),
        &directory.topology(),
        &at.parse().unwrap(),
        protocol.parse().unwrap(),
        &facts,
        device.parse().ok(),
    );
    let says = match came {
        Route::Serve => "serves".to_owned(),
        Route::Write => "writes".to_owned(),
        Route::Distribute => "distributes".to_owned(),
        Route::PassOn(to, url) => format!("passes on to {to} by {}", url.host),
        Route::Unwrap(to) => format!("unwraps RPC to {to}"),
        Route::Silent(to, url) => format!("moves silently to {to} at {url}"),
        Route::Manual(url) => format!("shows {url}"),
        Route::Found(url) => format!("302 {url}"),
        Route::Http451(url) => format!("451 {}", url.map(|url| url.to_string()).unwrap_or_default()),
        Route::Refuse(status) => format!("refuses {status}"),
    };
    assert_eq!(says, expected, "{at} {protocol} {mailbox}");
}

#[test]
fn a_cas2007_serves_its_site_and_passes_violet_on() {
    check("cas2007-s1", "owa", "purple", "", "serves");
    check("cas2007-s1", "eas", "purple", "12.1", "serves");
    check("cas2007-s1", "ews", "purple", "", "serves");
    check("cas2007-s1", "oab", "purple", "", "distributes");
    check("cas2007-s1", "owa", "violet", "", "passes on to cas2007-s3 by internal2007-s3.contoso.com");
    check("cas2007-s1", "ews", "violet", "", "passes on to cas2007-s3 by internal2007-s3.contoso.com");
    check("cas2007-s3", "ews", "violet", "", "serves");
}

#[test]
fn a_cas2007_sends_newer_mailboxes_away() {
    let newer = "451 https://mail.contoso.com/Microsoft-Server-ActiveSync";
    check("cas2007-s1", "eas", "red", "14.1", newer);
    check("cas2007-s1", "eas", "red", "12.1", newer);
    check("cas2007-s1", "eas", "red", "12.0", "refuses 403");
    check("cas2007-s1", "eas", "green", "14.0", newer);
    let autodiscover = "302 https://autodiscover.contoso.com/autodiscover/autodiscover.xml";
    check("cas2007-s1", "autodiscover", "red", "", autodiscover);
    check("cas2007-s1", "autodiscover", "purple", "", "writes");
    check("cas2007-s1", "owa", "red", "", "refuses 403");
}

#[test]
fn a_cas2010_serves_its_site_and_passes_on_to_sites_that_are_not_published() {
    check("cas2010-s1", "owa", "red", "", "serves");
    check("cas2010-s2", "owa", "orange", "", "serves");
    check("cas2010-s3", "ews", "blue", "", "serves");
    check("cas2010-s1", "owa", "blue", "", "passes on to cas2010-s3 by internal2010-s3.contoso.com");
    check("cas2010-s1", "eas", "orange", "14.1", "passes on to cas2010-s2 by internal2010-s2.contoso.com");
    check("cas2010-s1", "owa", "orange", "", "shows https://mail-region.contoso.com/owa/");
    check(
        "cas2010-s1",
        "owa",
        "purple",
        "",
        "moves silently to cas2007-s1 at https://legacy.contoso.com/owa/",
    );
    check("cas2010-s1", "eas", "purple", "12.1", "passes on to cas2007-s1 by internal2007-s1.contoso.com");
    check("cas2010-s3", "autodiscover", "blue", "", "writes");
    check("cas2010-s1", "ews", "purple", "", "refuses 500");
}

#[test]
fn an_mbx2013_serves_its_active_copies_and_passes_2007_devices_on_by_internal_url() {
    check("mbx2013-s1b", "owa", "green", "", "serves");
    check("mbx2013-s1", "owa", "green", "", "refuses 503");
    check("mbx2013-s1b", "autodiscover", "green", "", "writes");
    check("mbx2013-s1", "autodiscover", "green", "", "refuses 503");
    check("mbx2013-s1", "autodiscover", "purple", "", "writes");
    check("mbx2013-s1", "eas", "purple", "12.1", "passes on to cas2007-s1 by internal2007-s1.contoso.com");
    check("mbx2013-s1", "eas", "violet", "12.1", "passes on to cas2007-s3 by internal2007-s3.contoso.com");
    check("mbx2013-s1", "owa", "red", "", "refuses 503");
}

#[test]
fn a_legacy_server_unwraps_rpc_and_a_2013_one_answers_it() {
    let check = |at, mailbox, expected| check(at, "outlook-anywhere", mailbox, "", expected);
    check("cas2007-s1", "purple", "unwraps RPC to mbx2007-s1");
    check("cas2007-s3", "violet", "unwraps RPC to mbx2007-s3");
    check("cas2007-s1", "red", "refuses 503");
    check("cas2010-s1", "red", "unwraps RPC to mbx2010-s1");
    check("cas2010-s1", "purple", "unwraps RPC to mbx2007-s1");
    check("cas2010-s1", "blue", "unwraps RPC to cas2010-s3");
    check("cas2010-s3", "blue", "unwraps RPC to mbx2010-s3");
    check("cas2010-s1", "green", "refuses 503");
    check("mbx2013-s1b", "green", "serves");
    check("mbx2013-s1", "green", "refuses 503");
    check("mbx2013-s1", "red", "refuses 503");
}
