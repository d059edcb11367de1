//! Sign-in that is bound to a client's connection: NTLM in three legs, or a ticket with the first request. It ends here, as
//! at an Exchange 2013 front end (wire facts 4.5); behind, a ticket speaks for the user.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::HostName;
use model::topology::Authentication;
use protocols::iis::ntlm::{self, Named, Says, Token};

use super::{Identity, Met, form};
use crate::decide::SignIn;
use crate::discover::Directory;
use crate::ports::{Bound, Client, DirectoryDown};

/// The domain's NetBIOS name, as accounts are written with it.
const DOMAIN: &str = "CONTOSO";

/// How far the sign-in of each client connection has come.
#[derive(Default)]
pub(crate) struct Connections(Mutex<HashMap<u64, State>>);

#[derive(Clone)]
enum State {
    /// A challenge was given; it is good for one response.
    Challenged([u8; 8]),
    /// This user signed in.
    Known { user: String, bound: Bound },
}

impl Connections {
    /// Who signed in on the client's connection.
    pub(crate) fn who(&self, client: Client) -> Identity {
        match self.change(|known| known.get(&client.connection).cloned()) {
            Some(State::Known { user, .. }) => known(user),
            Some(State::Challenged(_)) | None => Identity::None,
        }
    }

    /// How it was signed in.
    pub(crate) fn how(&self, client: Client) -> Option<Bound> {
        match self.change(|known| known.get(&client.connection).cloned())? {
            State::Known { bound, .. } => Some(bound),
            State::Challenged(_) => None,
        }
    }

    /// Nobody is known on it any more.
    pub(crate) fn forget(&self, client: Client) {
        self.change(|known| known.remove(&client.connection));
    }

    /// The next leg. Each token begins anew: whoever signed in before is forgotten.
    pub(crate) async fn goes_on(
        &self,
        directory: &Directory,
        own: &HostName,
        client: Client,
        token: Token,
        offers: &[Authentication],
    ) -> Result<Met, DirectoryDown> {
        let before = self.change(|known| known.remove(&client.connection));
        if !takes(offers, token.scheme) {
            return Ok(Met::Is(Identity::None));
        }
        let (user, challenged) = match token.says {
            Says::Hello => {
                let challenge = fresh();
                self.change(|known| known.insert(client.connection, State::Challenged(challenge)));
                let computer = own.as_str().split('.').next().unwrap_or_default().to_ascii_uppercase();
                let message = ntlm::challenge(Named { domain: DOMAIN, computer: &computer }, challenge);
                return Ok(Met::Challenged(ntlm::challenged(token.scheme, &message)));
            }
            Says::Proof(response) => match before {
                Some(State::Challenged(challenge)) => (directory.ntlm(challenge, &response).await?, true),
                Some(State::Known { .. }) | None => (None, true),
            },
            Says::Other(_) if token.scheme == "NTLM" => (None, false),
            Says::Other(ticket) => (directory.redeem(&ticket, own).await?, false),
        };
        let Some(user) = user else { return Ok(Met::Is(Identity::None)) };
        let bound = Bound { scheme: token.written, challenged };
        self.change(|known| known.insert(client.connection, State::Known { user: user.clone(), bound }));
        Ok(Met::Is(known(user)))
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<u64, State>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whoever a connection knows; there is no password to hand on.
fn known(user: String) -> Identity {
    Identity::Known { form: form(&user, ""), user, how: SignIn::Bound }
}

fn takes(offers: &[Authentication], scheme: &str) -> bool {
    offers.iter().any(|method| match method {
        Authentication::Windows => scheme != "Nego2",
        Authentication::Ntlm => scheme == "NTLM",
        Authentication::Negotiate => scheme == "Negotiate",
        Authentication::Nego2 => scheme == "Nego2",
        Authentication::Basic | Authentication::Fba | Authentication::Anonymous => false,
    })
}

/// A challenge that nobody can foresee.
fn fresh() -> [u8; 8] {
    let mut challenge = [0; 8];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut challenge).expect("the system has random bytes, or TLS would not run either");
    challenge
}
