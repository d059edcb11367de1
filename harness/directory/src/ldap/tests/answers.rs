//! The facts under their names, and operations beside bind and search.

use super::*;
use crate::ldap::filter::{Filter, Pieces};

async fn attributes(base: &str) -> Vec<(String, Vec<String>)> {
    let door = door(&directory());
    let mut client = Client::signed_in(&door).await;
    let told = client.search(&Wanted { base, scope: 0, attributes: &[], ..Wanted::default() }).await;
    let [Told::Entry(_, attributes), _] = &told[..] else { panic!("{base}: {told:?}") };
    let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
    attributes.iter().map(|(name, values)| (name.clone(), values.iter().map(text).collect())).collect()
}

/// Each attribute of an object is these values; others may be there.
async fn check(base: &str, expected: &[(&str, &[&str])]) {
    let found = attributes(base).await;
    for (name, values) in expected {
        let own = found
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, values)| values.as_slice())
            .unwrap_or_default();
        assert_eq!(own, *values, "{name} of {base}");
    }
}

/// Wire facts 12.3, 11.2.
#[tokio::test]
async fn a_server_says_its_version_roles_and_site() {
    check(
        &format!("CN=cas2010-s1,CN=Servers,{GROUP}"),
        &[
            ("objectClass", &["top", "server", "msExchExchangeServer"]),
            ("networkAddress", &["ncacn_ip_tcp:cas2010-s1.contoso.com", "netbios:CAS2010-S1"]),
            ("serialNumber", &["Version 14.3 (Build 30123.4)"]),
            ("versionNumber", &["1937997947"]),
            ("msExchCurrentServerRoles", &["4"]),
            ("msExchServerSite", &["CN=Site1,CN=Sites,CN=Configuration,DC=contoso,DC=com"]),
            ("coexistIsOutOfService", &[]),
        ],
    )
    .await;
    check(&format!("CN=cas2013-s1,CN=Servers,{GROUP}"), &[("msExchCurrentServerRoles", &["16384"])]).await;
    check(&format!("CN=mbx2007-s1,CN=Servers,{GROUP}"), &[("msExchCurrentServerRoles", &["2"])]).await;
}

#[tokio::test]
async fn a_mail_service_says_what_it_is_set_to() {
    check(
        &format!("CN=1,CN=IMAP4,CN=Protocols,CN=cas2010-s1,CN=Servers,{GROUP}"),
        &[
            ("objectClass", &["top", "protocolCfg", "protocolCfgIMAP", "protocolCfgIMAPServer"]),
            (
                "msExchPOPIMAPInternalConnectionSettings",
                &["cas2010-s1.contoso.com:993:SSL", "cas2010-s1.contoso.com:143:TLS"],
            ),
            ("msExchAuthenticationFlags", &["3"]),
            ("msExchPopImapBanner", &[]),
            ("coexistServiceRuns", &["TRUE"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_virtual_directory_says_its_addresses_and_authentication() {
    let http = format!("CN=HTTP,CN=Protocols,CN=cas2010-s1,CN=Servers,{GROUP}");
    check(
        &format!("CN=owa (Default Web Site),{http}"),
        &[
            ("objectClass", &["top", "container", "msExchVirtualDirectory", "msExchOWAVirtualDirectory"]),
            ("msExchInternalHostName", &["https://internal2010-s1.contoso.com/owa/"]),
            ("msExchExternalHostName", &["https://mail.contoso.com/owa/"]),
            // Windows, Basic and, since forms are on, forms.
            ("msExchInternalAuthenticationMethods", &["21"]),
            ("msExchExternalAuthenticationMethods", &["4"]),
            ("coexistIisAuthentication", &["windows basic"]),
            ("coexistCrossSiteRedirectType", &["Manual"]),
            ("coexistLegacyRedirectType", &["Silent"]),
            ("coexistLogonFormat", &["full-domain"]),
            ("msExchMetabasePath", &["IIS://cas2010-s1.contoso.com/W3SVC/1/ROOT/owa"]),
        ],
    )
    .await;
    check(
        &format!("CN=OAB (Default Web Site),{http}"),
        &[
            ("msExchExternalHostName", &[]),
            ("msExchInternalAuthenticationMethods", &["16"]),
            ("msExchExternalAuthenticationMethods", &[]),
            ("coexistLogonFormat", &[]),
        ],
    )
    .await;
    check(
        &format!("CN=Rpc (Default Web Site),{http}"),
        &[
            ("msExchExternalHostName", &["mail.contoso.com"]),
            ("msExchExternalAuthenticationMethods", &["1"]),
            ("coexistExternalClientsRequireSsl", &["TRUE"]),
            ("coexistIisAuthentication", &["ntlm basic"]),
            ("msExchInternalHostName", &[]),
            ("coexistInternalClientsRequireSsl", &[]),
        ],
    )
    .await;
}

/// Wire facts 3.5.
#[tokio::test]
async fn a_service_connection_point_says_its_site_and_address() {
    check(
        &format!("CN=cas2010-s1,CN=Autodiscover,CN=Protocols,CN=cas2010-s1,CN=Servers,{GROUP}"),
        &[
            ("objectClass", &["top", "leaf", "connectionPoint", "serviceConnectionPoint"]),
            ("keywords", &["77378F46-2C66-4aa9-A6A6-3E7A48B19596", "Site=Site1"]),
            (
                "serviceBindingInformation",
                &["https://autodiscover.contoso.com/Autodiscover/Autodiscover.xml"],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn databases_and_address_books_say_where_they_are() {
    let oab = "CN=oab-2010,CN=Offline Address Lists,CN=Address Lists Container,CN=Contoso,CN=Microsoft Exchange,\
               CN=Services,CN=Configuration,DC=contoso,DC=com";
    check(
        &format!("CN=db2010-s1,CN=Databases,{GROUP}"),
        &[
            ("objectClass", &["top", "msExchMDB", "msExchPrivateMDB"]),
            ("msExchUseOAB", &[oab]),
            ("homeMDBBL", &["CN=blue,CN=Users,DC=contoso,DC=com", "CN=red,CN=Users,DC=contoso,DC=com"]),
            (
                "legacyExchangeDN",
                &["/o=Contoso/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/\
                   cn=outlook-s1.contoso.com/cn=Microsoft Private MDB"],
            ),
        ],
    )
    .await;
    check(
        &format!("CN=mbx2010-s1b,CN=db2010-s1,CN=Databases,{GROUP}"),
        &[("msExchHostServerLink", &[&format!("CN=mbx2010-s1b,CN=Servers,{GROUP}")])],
    )
    .await;
    let points = format!("CN=OAB (Default Web Site),CN=HTTP,CN=Protocols,CN=cas2010-s1,CN=Servers,{GROUP}");
    check(oab, &[("msExchOABVirtualDirectoriesLink", &[&points])]).await;
    let store = format!("CN=First Storage Group,CN=InformationStore,CN=mbx2007-s1,CN=Servers,{GROUP}");
    let database = format!("CN=db2007-s1,{store}");
    check(&database, &[("homeMDBBL", &["CN=purple,CN=Users,DC=contoso,DC=com"])]).await;
    check(
        "CN=purple,CN=Users,DC=contoso,DC=com",
        &[("homeMDB", &[&database]), ("msExchVersion", &["4535486012416"])],
    )
    .await;
}

#[tokio::test]
async fn identifiers_are_octets_and_are_found_by_them() {
    let directory = directory();
    let red = directory.find("red").unwrap();
    let door = door(&directory);
    let tree = door.tree();
    let at = tree.find("cn=red,cn=users,dc=contoso,dc=com").unwrap();
    let entry = &tree.entries()[at];
    let sid = entry.values("objectSid")[0].clone();
    assert_eq!(sid.len(), 28);
    assert_eq!(sid[..12], [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0]);
    assert_eq!(entry.values("objectGUID")[0].len(), 16);
    let guid = entry.values("msExchMailboxGuid")[0].clone();
    // The eighth to tenth groups of digits stand as they are written.
    let last: String = guid[10..].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(red.guid.rsplit('-').next(), Some(last.as_str()));
    for (filter, fits) in [
        (Filter::Equal("objectSid".to_owned(), sid), true),
        (Filter::Equal("objectSid".to_owned(), red.sid.clone().into_bytes()), true),
        (Filter::Equal("msExchMailboxGuid".to_owned(), guid), true),
        (Filter::Equal("msExchMailboxGuid".to_owned(), red.guid.clone().into_bytes()), false),
    ] {
        assert_eq!(filter.fits(entry), Some(fits), "{filter:?}");
    }
}

#[tokio::test]
async fn filters_fit_as_rfc_4511_says() {
    let door = door(&directory());
    let tree = door.tree();
    let owa = format!("CN=owa (Default Web Site),CN=HTTP,CN=Protocols,CN=cas2010-s1,CN=Servers,{GROUP}")
        .to_lowercase();
    let entry = &tree.entries()[tree.find(&owa).unwrap()];
    let own = |text: &str| text.to_owned();
    let equal = |name: &str, value: &str| Filter::Equal(own(name), value.as_bytes().to_vec());
    let rule = |rule: &str, value: &str| Filter::Rule {
        rule: Some(own(rule)),
        attribute: Some(own("msExchInternalAuthenticationMethods")),
        value: value.as_bytes().to_vec(),
    };
    let at_least =
        |value: &str| Filter::AtLeast(own("msexchinternalauthenticationmethods"), value.as_bytes().to_vec());
    let at_most =
        |value: &str| Filter::AtMost(own("msExchInternalAuthenticationMethods"), value.as_bytes().to_vec());
    let like = |initial: Option<&str>, any: &[&str], last: Option<&str>| {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let any = any.iter().map(|piece| bytes(piece)).collect();
        Filter::Substrings(
            own("msExchExternalHostName"),
            Pieces { initial: initial.map(bytes), any, last: last.map(bytes) },
        )
    };
    const AND: &str = "1.2.840.113556.1.4.803";
    const OR: &str = "1.2.840.113556.1.4.804";
    for (filter, fits) in [
        (equal("CN", "OWA (default web site)"), Some(true)),
        (equal("cn", "owa"), Some(false)),
        (equal("objectCategory", "msExchOWAVirtualDirectory"), Some(true)),
        (equal("objectCategory", "person"), Some(false)),
        (
            equal(
                "objectCategory",
                "cn=ms-exch-owa-virtual-directory,CN=Schema,CN=Configuration,DC=contoso,DC=com",
            ),
            Some(true),
        ),
        (equal("distinguishedName", &owa.replace(',', ", ")), Some(true)),
        // The methods are 21: 16, 4 and 1.
        (rule(AND, "5"), Some(true)),
        (rule(AND, "6"), Some(false)),
        (rule(OR, "6"), Some(true)),
        (rule(OR, "10"), Some(false)),
        (rule("1.2.3", "1"), None),
        (at_least("21"), Some(true)),
        // As numbers, not as text.
        (at_least("3"), Some(true)),
        (at_least("100"), Some(false)),
        (at_most("100"), Some(true)),
        (at_most("20"), Some(false)),
        (at_most("many"), None),
        (like(Some("HTTPS://"), &[".contoso."], Some("/owa/")), Some(true)),
        (like(Some("https://mail"), &["mail"], None), Some(false)),
        (like(None, &["contoso", "mail"], None), Some(false)),
        (like(None, &["mail", "contoso"], None), Some(true)),
        (like(None, &[], Some("/ecp/")), Some(false)),
        (Filter::Present(own("msExchExternalHostName")), Some(true)),
        (Filter::Present(own("mail")), Some(false)),
        (Filter::And(vec![]), Some(true)),
        (Filter::Or(vec![]), Some(false)),
        (Filter::And(vec![Filter::Present(own("cn")), equal("cn", "x")]), Some(false)),
        (Filter::Or(vec![Filter::Present(own("mail")), Filter::Present(own("cn"))]), Some(true)),
        (Filter::Not(Box::new(Filter::Present(own("mail")))), Some(true)),
        // What cannot be said is not turned round.
        (Filter::Not(Box::new(rule("1.2.3", "1"))), None),
        (Filter::And(vec![rule("1.2.3", "1"), Filter::Present(own("mail"))]), Some(false)),
        (Filter::Or(vec![rule("1.2.3", "1"), Filter::Present(own("cn"))]), Some(true)),
    ] {
        assert_eq!(filter.fits(entry), fits, "{filter:?}");
    }
}

#[tokio::test]
async fn nothing_is_changed_through_the_door() {
    let door = door(&directory());
    let mut client = Client::signed_in(&door).await;
    for (asked, answered) in [(0x66, 0x67), (0x68, 0x69), (0x4a, 0x6b), (0x6c, 0x6d)] {
        client.send(|message| message.octets(asked, b"CN=red,CN=Users,DC=contoso,DC=com")).await;
        let told = client.all().await;
        let [Told::Done { tag, code: 50, .. }] = &told[..] else { panic!("{told:?}") };
        assert_eq!(*tag, answered);
    }
}

#[tokio::test]
async fn a_comparison_is_true_false_or_of_nothing() {
    let door = door(&directory());
    let mut client = Client::signed_in(&door).await;
    let red = "CN=red,CN=Users,DC=contoso,DC=com";
    for (dn, name, value, code) in [
        (red, "mail", "RED@contoso.com", 6),
        (red, "mail", "blue@contoso.com", 5),
        (red, "pager", "1", 16),
        ("CN=x,DC=contoso,DC=com", "mail", "1", 32),
    ] {
        client
            .send(|message| {
                message.within(0x6e, |compare| {
                    compare.octets(OCTETS, dn.as_bytes());
                    compare.within(SEQUENCE, |assertion| {
                        assertion.octets(OCTETS, name.as_bytes());
                        assertion.octets(OCTETS, value.as_bytes());
                    });
                });
            })
            .await;
        assert_eq!(client.code().await, code, "{dn} {name} {value}");
    }
}

#[tokio::test]
async fn an_unknown_control_ends_what_it_is_critical_for() {
    let door = door(&directory());
    let mut client = Client::signed_in(&door).await;
    for (critical, code) in [(true, 12), (false, 0)] {
        let wanted = Wanted { base: "CN=red,CN=Users,DC=contoso,DC=com", scope: 0, ..Wanted::default() };
        client
            .send(|message| {
                message.within(0x63, |search| wanted.write(search));
                message.within(0xa0, |controls| {
                    controls.within(SEQUENCE, |control| {
                        control.octets(OCTETS, b"1.2.3.4");
                        control.octets(BOOLEAN, &[u8::from(critical) * 255]);
                    });
                });
            })
            .await;
        assert_eq!(client.code().await, code);
    }
}

#[tokio::test]
async fn extended_operations_are_answered_or_refused() {
    let door = door(&directory());
    let mut client = Client::signed_in(&door).await;
    client.send(|message| message.within(0x77, |extended| extended.octets(0x80, b"1.2.3.4"))).await;
    assert_eq!(client.code().await, 2);
    client
        .send(|message| message.within(0x77, |extended| extended.octets(0x80, b"1.3.6.1.4.1.1466.20037")))
        .await;
    assert_eq!(client.code().await, 0);
    assert_eq!(client.served.await.unwrap().unwrap(), End::StartTls);
}
