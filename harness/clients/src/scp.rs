//! Service connection points as a client inside finds them: asked of the directory over LDAP, signed in as the user.

use ledger::Opener;
use model::{CaseId, SiteName, View, WebUrl};

use crate::clock::within;
use crate::ldap::{Filter, Found, Ldap, LdapError, Scope, values};
use crate::network::{Network, Person};

/// What the keywords of a service connection point say: that it holds an address, or that it points to another forest
/// (wire facts 3.5).
const URL: &str = "77378F46-2C66-4aa9-A6A6-3E7A48B19596";
const POINTER: &str = "67661d7F-8FC4-4fa7-BFAC-E1D7794C1F68";

/// The distinct addresses, those of the client's own site first (wire facts 3.5). None for a client outside, and none
/// where the directory does not answer: the lookup goes on by DNS.
pub(crate) async fn addresses(network: &Network, case: &CaseId, person: &Person) -> Vec<WebUrl> {
    if network.view != View::Internal {
        return vec![];
    }
    let found = within(network.limits.exchange, points(network, case, person)).await;
    found.and_then(Result::ok).map(|found| in_order(&found, &network.site)).unwrap_or_default()
}

async fn points(network: &Network, case: &CaseId, person: &Person) -> Result<Vec<Found>, LdapError> {
    let Some(door) = network.directory else { return Ok(vec![]) };
    let stream = network.ledger.dial(network.source, door, Opener::Client(case.clone())).await?;
    let mut ldap = Ldap::new(stream, network.limits.body_bytes);
    // The person signed in to the machine, so the password is the right one whatever Outlook is then told.
    ldap.bind(&person.account, &person.password).await?;
    let anything = Filter::Present("objectClass");
    let root = ldap.search("", Scope::Base, &anything, &["configurationNamingContext"]).await?;
    let base = root.first().and_then(|root| values(root, "configurationNamingContext").first());
    let base = base.ok_or(LdapError::NoLdap)?;
    let wanted = Filter::And(vec![
        Filter::Equal("objectClass", "serviceConnectionPoint"),
        Filter::Or(vec![Filter::Equal("keywords", POINTER), Filter::Equal("keywords", URL)]),
    ]);
    let found = ldap.search(base, Scope::Sub, &wanted, &["keywords", "serviceBindingInformation"]).await?;
    ldap.unbind().await?;
    Ok(found)
}

/// Points of the client's own site, then those of none, then those of others. Pointers lead to other forests, of which a
/// lab has none.
fn in_order(found: &[Found], site: &SiteName) -> Vec<WebUrl> {
    let mut points: Vec<(u8, WebUrl)> = found
        .iter()
        .filter(|point| values(point, "keywords").iter().any(|word| word.eq_ignore_ascii_case(URL)))
        .filter_map(|point| {
            let url = WebUrl::folded(values(point, "serviceBindingInformation").first()?).ok()?;
            Some((distance(values(point, "keywords"), site), url))
        })
        .collect();
    points.sort_by_key(|(distance, _)| *distance);
    let mut urls: Vec<WebUrl> = vec![];
    for (_, url) in points {
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

/// 1 for the client's own site, 2 for a point of no site, 3 for other sites.
fn distance(keywords: &[String], site: &SiteName) -> u8 {
    let mut sites = keywords
        .iter()
        .filter_map(|word| word.split_once('='))
        .filter_map(|(key, name)| key.eq_ignore_ascii_case("Site").then_some(name));
    match sites.next() {
        None => 2,
        Some(first) => {
            match std::iter::once(first).chain(sites).any(|name| name.eq_ignore_ascii_case(site.as_str())) {
                true => 1,
                false => 3,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(keywords: &[&str], url: &str) -> Found {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        vec![("keywords".to_owned(), own(keywords)), ("serviceBindingInformation".to_owned(), own(&[url]))]
    }

    #[test]
    fn the_own_site_comes_first_then_points_of_no_site_then_other_sites() {
        let found = [
            point(&[URL, "Site=Site2"], "https://two.contoso.com/a"),
            point(&[URL], "https://any.contoso.com/a"),
            point(&["Site=Site3", "site=SITE1", &URL.to_lowercase()], "https://one.contoso.com/a"),
            point(&[URL, "Site=Site1"], "https://ONE.contoso.com/a"),
            point(&[POINTER, "Domain=fabrikam.com"], "LDAP://dc.fabrikam.com"),
            point(&[URL, "Site=Site1"], "no address"),
        ];
        let urls = in_order(&found, &"Site1".parse().unwrap());
        let urls: Vec<String> = urls.iter().map(ToString::to_string).collect();
        assert_eq!(
            urls,
            ["https://one.contoso.com/a", "https://any.contoso.com/a", "https://two.contoso.com/a"]
        );
    }
}
