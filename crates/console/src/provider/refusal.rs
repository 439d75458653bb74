//! Why nobody was signed in.

use axum::http::StatusCode;

/// Why nobody was signed in.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// What happened, as a sentence.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) advice: &'static str,
}

/// What helps against whatever came back otherwise than it left.
const AGAIN: &str =
    "Begin anew. If it happens again, somebody may have led you here: tell whoever runs this Tandem.";

impl Refusal {
    /// The provider does not answer, or not with anything to go by.
    pub(crate) fn away(why: impl std::fmt::Display) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            what: format!("The provider cannot be asked: {why}."),
            advice: "Try again later. Tokens and the links of `tandem console` sign in meanwhile.",
        }
    }

    /// The configuration does not fit the provider.
    pub(crate) fn unfit(why: impl std::fmt::Display) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            what: format!("The provider and the configuration do not fit: {why}."),
            advice: "Correct `console: { sign_in: .. }`, or what the provider knows of Tandem. Tokens and the links of \
                     `tandem console` sign in meanwhile.",
        }
    }

    /// What came back does not hold.
    pub(crate) fn untrue(why: impl std::fmt::Display) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            what: format!("What came back from the provider does not hold: {why}."),
            advice: AGAIN,
        }
    }

    /// The browser that comes back is not known to have left.
    pub(crate) fn not_begun() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            what:
                "This sign-in was not begun in this browser, was used already, or took more than ten minutes."
                    .to_owned(),
            advice: AGAIN,
        }
    }

    /// The provider itself says no.
    pub(crate) fn by_provider(error: &str) -> Self {
        // What stands in an address may be anybody's words: only a word of the protocol is shown.
        let word = error.len() <= 40
            && error
                .bytes()
                .all(|sign| sign.is_ascii_lowercase() || sign == b'_');
        Self {
            status: StatusCode::FORBIDDEN,
            what: match word {
                true => format!("The provider signed nobody in (`{error}`)."),
                false => "The provider signed nobody in.".to_owned(),
            },
            advice: "Begin anew, or ask whoever runs the provider.",
        }
    }

    /// Too many came to nothing.
    pub(crate) fn too_many() -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            what: "Too many sign-ins came to nothing within a minute.".to_owned(),
            advice: "Wait a minute, then begin anew.",
        }
    }

    /// The provider knows somebody, the configuration does not.
    pub(crate) fn no_role(name: &str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            what: format!("{name} has signed in at the provider, and has no role here."),
            advice: "Ask whoever runs this Tandem for one: `console: { sign_in: { roles: .. } }` names groups and e-mail \
                     addresses. An address counts only where the provider says that it is verified.",
        }
    }
}
