//! What is found, where, and in which pages.

use super::*;
use crate::Account;

#[tokio::test]
async fn a_search_finds_the_base_what_is_just_below_or_everything() {
    let door = door(&directory());
    let mut client = Client::signed_in(&door).await;
    let users = "CN=Users,DC=contoso,DC=com";
    let people = [
        "CN=blue,CN=Users,DC=contoso,DC=com",
        "CN=purple,CN=Users,DC=contoso,DC=com",
        "CN=red,CN=Users,DC=contoso,DC=com",
    ];
    let service = "CN=svc-proxy,CN=Users,DC=contoso,DC=com";
    for (base, scope, filter, found) in [
        (users, 0, "objectClass", vec![users]),
        (users, 1, "mail", people.to_vec()),
        (users, 2, "objectClass", [&[users][..], &people, &[service]].concat()),
        ("DC=contoso,DC=com", 2, "objectCategory=person", [&people[..], &[service]].concat()),
        (CONFIGURATION, 2, "objectClass=site", vec!["CN=Site1,CN=Sites,CN=Configuration,DC=contoso,DC=com"]),
        (users, 0, "mail", vec![]),
    ] {
        let told = client.search(&Wanted { base, scope, filter, ..Wanted::default() }).await;
        assert_eq!(names(&told), (found, 0), "{base} {scope} {filter}");
    }
}

#[tokio::test]
async fn the_configuration_is_a_naming_context_of_its_own_but_for_the_global_catalog() {
    let door = door(&directory());
    let mut client = Client::signed_in(&door).await;
    let servers = Wanted { filter: "objectClass=msExchExchangeServer", ..Wanted::default() };
    let told = client.search(&servers).await;
    assert_eq!(
        told[0],
        Told::Reference("ldap://dc1.contoso.com/CN=Configuration,DC=contoso,DC=com".to_owned())
    );
    assert_eq!(names(&told), (vec![], 0));
    assert_eq!(names(&client.search(&Wanted { base: "", ..servers }).await), (vec![], 34));

    let mut catalog = Client::on(&door, Line { catalog: true, tls: false });
    assert_eq!(catalog.bind("red@contoso.com", "pass-red").await, 0);
    for base in ["", "DC=contoso,DC=com"] {
        let told = catalog.search(&Wanted { base, ..servers }).await;
        assert_eq!(names(&told).0.len(), 5, "{told:?}");
        assert_eq!(told.len(), 6);
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_with_how_far_it_is_there() {
    let door = door(&directory());
    let mut client = Client::signed_in(&door).await;
    let told =
        client.search(&Wanted { base: "CN=x,CN=y,CN=Users,DC=contoso,DC=com", ..Wanted::default() }).await;
    let [Told::Done { code: 32, matched, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(matched, "CN=Users,DC=contoso,DC=com");
    let told = client.search(&Wanted { base: "nonsense", ..Wanted::default() }).await;
    assert_eq!(names(&told), (vec![], 34));
}

#[tokio::test]
async fn attributes_are_selected_and_may_come_without_values() {
    let door = door(&directory());
    let mut client = Client::signed_in(&door).await;
    let red = Wanted { base: "CN=red,CN=Users,DC=contoso,DC=com", scope: 0, ..Wanted::default() };
    let told = client.search(&Wanted { attributes: &["MAIL", "homeMDB", "nothing"], ..red }).await;
    let Told::Entry(_, attributes) = &told[0] else { panic!("{told:?}") };
    let listed: Vec<_> = attributes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(listed, ["mail", "homeMDB"]);
    let told = client.search(&Wanted { attributes: &["mail"], types_only: true, ..red }).await;
    assert_eq!(
        told[0],
        Told::Entry("CN=red,CN=Users,DC=contoso,DC=com".to_owned(), vec![("mail".to_owned(), vec![])])
    );
    let told = client.search(&Wanted { attributes: &["1.1"], ..red }).await;
    assert_eq!(told[0], Told::Entry("CN=red,CN=Users,DC=contoso,DC=com".to_owned(), vec![]));
    let told = client.search(&Wanted { attributes: &["*"], ..red }).await;
    assert_eq!(only(&told, "userPrincipalName"), ["red@contoso.com"]);
}

#[tokio::test]
async fn pages_follow_one_another_until_the_cookie_is_empty() {
    let door = door(&directory());
    let mut client = Client::signed_in(&door).await;
    let all = Wanted { base: "CN=Users,DC=contoso,DC=com", filter: "sAMAccountName", ..Wanted::default() };
    let (mut found, mut sizes, mut cookie) = (vec![], vec![], vec![]);
    loop {
        let told = client.search(&Wanted { page: Some((3, &cookie)), ..all }).await;
        let (page, code) = names(&told);
        assert_eq!(code, 0);
        sizes.push(page.len());
        found.extend(page.into_iter().map(str::to_owned));
        let Some(Told::Done { cookie: Some(next), .. }) = told.last() else { panic!("{told:?}") };
        if next.is_empty() {
            break;
        }
        cookie.clone_from(next);
    }
    assert_eq!(sizes, [3, 1]);
    found.sort();
    assert_eq!(
        found,
        [
            "CN=blue,CN=Users,DC=contoso,DC=com",
            "CN=purple,CN=Users,DC=contoso,DC=com",
            "CN=red,CN=Users,DC=contoso,DC=com",
            "CN=svc-proxy,CN=Users,DC=contoso,DC=com"
        ]
    );
    // The last page's cookie is used up. While a search is open, its own cookie alone goes on with it.
    assert_eq!(names(&client.search(&Wanted { page: Some((3, &cookie)), ..all }).await), (vec![], 53));
    let told = client.search(&Wanted { page: Some((3, b"")), ..all }).await;
    let Some(Told::Done { cookie: Some(cookie), .. }) = told.last() else { panic!("{told:?}") };
    assert_eq!(names(&client.search(&Wanted { page: Some((3, b"nonsense")), ..all }).await), (vec![], 53));
    let other = Wanted { filter: "mail", ..all };
    assert_eq!(names(&client.search(&Wanted { page: Some((3, cookie)), ..other }).await), (vec![], 53));
    assert_eq!(names(&client.search(&Wanted { page: Some((3, cookie)), ..all }).await).0.len(), 1);
}

#[tokio::test]
async fn a_size_limit_ends_a_search_and_an_exact_one_does_not() {
    let door = door(&directory());
    let mut client = Client::signed_in(&door).await;
    let all = Wanted { base: "CN=Users,DC=contoso,DC=com", filter: "sAMAccountName", ..Wanted::default() };
    for (limit, count, code) in [(3, 3, 4), (4, 4, 0), (0, 4, 0)] {
        let told = client.search(&Wanted { limit, ..all }).await;
        let (found, ended) = names(&told);
        assert_eq!((found.len(), ended), (count, code), "{limit}");
    }
    // Over pages the limit counts as a whole.
    let told = client.search(&Wanted { limit: 3, page: Some((2, b"")), ..all }).await;
    let Some(Told::Done { cookie: Some(cookie), code: 0, .. }) = told.last() else { panic!("{told:?}") };
    let told = client.search(&Wanted { limit: 3, page: Some((2, cookie)), ..all }).await;
    let (found, code) = names(&told);
    assert_eq!((found.len(), code), (1, 4));
}

#[tokio::test]
async fn a_search_without_pages_ends_at_a_thousand() {
    let directory = directory();
    for n in 0..1000 {
        let name = format!("many-{n}").parse().unwrap();
        let domain = "contoso.com".parse().unwrap();
        directory.add(Account::new(
            &name,
            &name,
            None,
            &domain,
            "db2010-s1".parse().unwrap(),
            "x".to_owned(),
        ));
    }
    let door = door(&directory);
    let mut client = Client::signed_in(&door).await;
    let all = Wanted { base: "CN=Users,DC=contoso,DC=com", filter: "mail", ..Wanted::default() };
    let told = client.search(&all).await;
    let (found, code) = names(&told);
    assert_eq!((found.len(), code), (1000, 4));
    let told = client.search(&Wanted { page: Some((5000, b"")), ..all }).await;
    assert_eq!(names(&told).0.len(), 1000);
}

#[tokio::test]
async fn a_failover_shows_in_the_next_search() {
    let directory = directory();
    let door = door(&directory);
    let mut client = Client::signed_in(&door).await;
    let database = format!("CN=db2010-s1,CN=Databases,{GROUP}");
    let owner =
        Wanted { base: &database, scope: 0, attributes: &["msExchOwningServer"], ..Wanted::default() };
    assert_eq!(
        only(&client.search(&owner).await, "msExchOwningServer"),
        [format!("CN=mbx2010-s1,CN=Servers,{GROUP}")]
    );
    directory.steer(|topology| {
        topology.databases.get_mut(&"db2010-s1".parse().unwrap()).unwrap().active =
            "mbx2010-s1b".parse().unwrap();
    });
    assert_eq!(
        only(&client.search(&owner).await, "msExchOwningServer"),
        [format!("CN=mbx2010-s1b,CN=Servers,{GROUP}")]
    );
    let red = Wanted {
        base: "CN=red,CN=Users,DC=contoso,DC=com",
        scope: 0,
        attributes: &["msExchHomeServerName"],
        ..Wanted::default()
    };
    assert_eq!(
        only(&client.search(&red).await, "msExchHomeServerName"),
        [
            "/o=Contoso/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/cn=mbx2010-s1b"
        ]
    );
}
