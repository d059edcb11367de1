//! The directory's door as its contract describes it, played by wiremock.

use model::Version;
use serde_json::json;
use wiremock::matchers::{basic_auth, body_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

async fn directory(server: &MockServer) -> Directory {
    let lab = json!({
        "contract": 1,
        "seat": {
            "server": "cas2013-s1", "fqdn": "cas2013-s1.contoso.com", "site": "Site1", "role": "front-end-2013",
            "listen": { "https": "127.0.0.1:1", "http": "127.0.0.1:2" },
            "certificate": { "chain": "/c", "key": "/k", "pem": "/p" }
        },
        "ca": "/ca", "directory": server.uri(), "source": "127.0.0.1", "dns": { "internal": "127.0.0.1:53" },
        "service-account": { "user": "CONTOSO\\svc-proxy", "password": "s" }
    });
    Directory::new(&serde_json::from_value(lab).unwrap()).unwrap()
}

fn purple() -> serde_json::Value {
    json!({
        "name": "purple-1a2b3c", "address": "purple-1a2b3c@contoso.com", "upn": "purple-1a2b3c@contoso.com",
        "account": "CONTOSO\\purple-1a2b3c", "legacy-dn": "/o=Contoso/cn=purple-1a2b3c", "guid": "g", "sid": "S-1-5-21-1",
        "display-name": "purple", "database": "db2007-s1", "server": "mbx2007-s1", "version": "Exchange2007", "site": "Site1"
    })
}

#[tokio::test]
async fn a_user_is_found_by_what_was_typed_and_a_wrong_password_is_no_error() {
    let server = MockServer::start().await;
    let given = json!({ "user": "CONTOSO\\purple-1a2b3c", "password": "right" });
    Mock::given(method("POST"))
        .and(path("/v1/authenticate"))
        .and(body_json(given))
        .respond_with(ResponseTemplate::new(200).set_body_json(purple()))
        .mount(&server)
        .await;
    Mock::given(path("/v1/authenticate"))
        .respond_with(ResponseTemplate::new(401).set_body_json(json!({ "error": "wrong" })))
        .mount(&server)
        .await;
    let directory = directory(&server).await;
    let found = directory.authenticate("CONTOSO\\purple-1a2b3c", "right").await.unwrap().unwrap();
    assert_eq!((found.version, found.server.as_str()), (Version::Exchange2007, "mbx2007-s1"));
    assert_eq!(directory.authenticate("CONTOSO\\purple-1a2b3c", "wrong").await.unwrap(), None);
}

#[tokio::test]
async fn right_credentials_are_asked_about_once_and_wrong_ones_each_time() {
    let server = MockServer::start().await;
    let given = |password: &str| body_json(json!({ "user": "purple-1a2b3c", "password": password }));
    let right = ResponseTemplate::new(200).set_body_json(purple());
    let door = || Mock::given(path("/v1/authenticate"));
    door().and(given("right")).respond_with(right).expect(1).mount(&server).await;
    door().and(given("wrong")).respond_with(ResponseTemplate::new(401)).expect(2).mount(&server).await;
    let directory = directory(&server).await;
    for _ in 0..2 {
        let address = directory.signs_in("purple-1a2b3c", "right").await.unwrap();
        assert_eq!(address.as_deref(), Some("purple-1a2b3c@contoso.com"));
        assert_eq!(directory.signs_in("purple-1a2b3c", "wrong").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_name_is_one_segment_of_the_path_whatever_is_in_it() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/mailboxes/%2Fo=Contoso%2Fcn=purple"))
        .respond_with(ResponseTemplate::new(200).set_body_json(purple()))
        .mount(&server)
        .await;
    let directory = directory(&server).await;
    assert!(directory.mailbox("/o=Contoso/cn=purple").await.unwrap().0.is_some());
    assert!(directory.mailbox("nobody").await.unwrap().0.is_none());
}

#[tokio::test]
async fn a_ticket_is_asked_for_once_and_by_the_service_account() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/tickets"))
        .and(basic_auth("CONTOSO\\svc-proxy", "s"))
        .and(body_json(json!({ "for": "red@contoso.com", "to": "HTTP/cas2010-s1.contoso.com" })))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "ticket": "dGlja2V0" })))
        .expect(1)
        .mount(&server)
        .await;
    let directory = directory(&server).await;
    let host = "cas2010-s1.contoso.com".parse().unwrap();
    for _ in 0..2 {
        assert_eq!(directory.ticket("red@contoso.com", &host).await.unwrap(), "dGlja2V0");
    }
    let refused = directory.ticket("nobody@contoso.com", &host).await.unwrap_err();
    assert!(refused.to_string().contains("for a ticket"), "{refused}");
}
