//! Who signs in, and what nobody may read.

use super::*;

#[tokio::test]
async fn each_form_of_a_name_signs_in_with_the_right_password() {
    let directory = directory();
    let red = directory.find("red").unwrap();
    let door = door(&directory);
    let mut client = Client::of(&door);
    for form in [
        "CONTOSO\\red",
        "contoso\\RED",
        "red@contoso.com",
        "CN=red,CN=Users,DC=contoso,DC=com",
        "cn=Red, cn=users, dc=contoso, dc=com",
        &format!("{{{}}}", red.guid),
        &red.sid,
    ] {
        assert_eq!(client.bind(form, "pass-red").await, 0, "{form}");
        assert_eq!(client.bind(form, "pass-blue").await, 49, "{form}");
    }
    for form in ["CONTOSO\\svc-proxy", "svc-proxy@contoso.com", "CN=svc-proxy,CN=Users,DC=contoso,DC=com"] {
        assert_eq!(client.bind(form, "delegate-0f3b").await, 0, "{form}");
        assert_eq!(client.bind(form, "delegate-0f3c").await, 49, "{form}");
    }
}

#[tokio::test]
async fn what_is_asked_at_the_door_is_counted() {
    let directory = directory();
    let door = door(&directory);
    let _signed_in = Client::signed_in(&door).await;
    assert_eq!(directory.asked(), 1);
}

#[tokio::test]
async fn what_names_nobody_does_not_sign_in() {
    let directory = directory();
    let red = directory.find("red").unwrap();
    let door = door(&directory);
    let mut client = Client::of(&door);
    // A bare name, and names that mean the mailbox elsewhere, are no names for signing in.
    for form in [
        "red",
        &red.device_id,
        &red.legacy_dn,
        "CN=Users,DC=contoso,DC=com",
        "FABRIKAM\\red",
        "é@contoso.com",
        "",
    ] {
        assert_eq!(client.bind(form, "pass-red").await, 49, "{form}");
    }
}

#[tokio::test]
async fn a_name_without_a_password_is_nobody_and_whoever_fails_is_nobody_again() {
    let door = door(&directory());
    let mut client = Client::signed_in(&door).await;
    assert_eq!(
        names(
            &client
                .search(&Wanted { base: "CN=Users,DC=contoso,DC=com", scope: 0, ..Wanted::default() })
                .await
        )
        .1,
        0
    );
    assert_eq!(client.bind("CONTOSO\\red", "").await, 0);
    let told = client.search(&Wanted::default()).await;
    let [Told::Done { tag: 0x65, code: 1, says, .. }] = &told[..] else { panic!("{told:?}") };
    assert!(says.starts_with("000004DC: "), "{says}");
    assert_eq!(client.bind("CONTOSO\\red", "pass-red").await, 0);
    assert_eq!(client.bind("CONTOSO\\red", "wrong").await, 49);
    assert_eq!(names(&client.search(&Wanted::default()).await), (vec![], 1));
}

#[tokio::test]
async fn nobody_reads_the_root_alone() {
    let door = door(&directory());
    let mut client = Client::of(&door);
    let told = client.search(&Wanted { base: "", scope: 0, attributes: &[], ..Wanted::default() }).await;
    let expected: &[(&str, &[&str])] = &[
        ("defaultNamingContext", &["DC=contoso,DC=com"]),
        ("configurationNamingContext", &["CN=Configuration,DC=contoso,DC=com"]),
        ("supportedLDAPVersion", &["3"]),
        ("dnsHostName", &["dc1.contoso.com"]),
        ("supportedControl", &["1.2.840.113556.1.4.319", "1.2.840.113556.1.4.1339"]),
        ("supportedExtension", &["1.3.6.1.4.1.1466.20037", "1.3.6.1.4.1.4203.1.11.3"]),
        ("serverName", &["CN=DC1,CN=Servers,CN=Site1,CN=Sites,CN=Configuration,DC=contoso,DC=com"]),
    ];
    for (attribute, values) in expected {
        assert_eq!(only(&told, attribute), *values, "{attribute}");
    }
}

#[tokio::test]
async fn another_version_or_way_of_signing_in_is_refused_by_its_code() {
    let door = door(&directory());
    let mut client = Client::of(&door);
    for (version, method, code) in [(2, 0x80, 2), (3, 0xa3, 7)] {
        client
            .send(|message| {
                message.within(0x60, |bind| {
                    bind.number(INTEGER, version);
                    bind.octets(OCTETS, b"CONTOSO\\red");
                    bind.octets(method, b"");
                });
            })
            .await;
        assert_eq!(client.code().await, code);
    }
}
