//! Autodiscover as a 2010 front end writes it, for mailboxes of 2010 and 2007 alike (PRE-AD-1).

use http::Request;
use protocols::answer::Answer;

use crate::decide::{Account, Question};
use crate::ports::Flow;
use crate::request::FrontEnd;

impl FrontEnd {
    /// Writes the answer.
    pub(crate) async fn write_autodiscover(
        &self,
        _question: &Question,
        _account: &Account,
        _request: Request<Flow>,
    ) -> Answer {
        protocols::iis::status(http::StatusCode::NOT_IMPLEMENTED)
    }
}
