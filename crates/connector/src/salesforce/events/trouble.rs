//! What a broken subscription means.

use tonic::{Code, Status};

/// What to do after a subscription ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Open it again after a pause.
    Broken(String),
    /// Sign in again first.
    SignedOut,
    /// The position is too old or not one of this stream: begin afresh, after a complete comparison.
    Lost,
    /// The org will not have it; the reason, for people.
    Refused(String),
}

/// Reads the org's word. Salesforce names the case in the metadata `error-code`.
pub(super) fn ending(status: &Status) -> Ending {
    let code = status.metadata().get("error-code");
    let code = code.and_then(|code| code.to_str().ok()).unwrap_or_default();
    let said = format!("{code} {}", status.message()).to_lowercase();
    let about = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match status.code() {
        Code::Unauthenticated => Ending::SignedOut,
        Code::InvalidArgument | Code::OutOfRange | Code::NotFound | Code::FailedPrecondition
            if about(&["replay"]) =>
        {
            Ending::Lost
        }
        Code::PermissionDenied => {
            let why = "Tandem's user may not read these events: give it access to the object and its fields";
            Ending::Refused(why.to_owned())
        }
        Code::NotFound | Code::InvalidArgument | Code::Unimplemented => {
            let why = "the org sends no change events of this object: choose it in the org's setup, under Change Data \
                       Capture (five objects without the add-on)";
            Ending::Refused(why.to_owned())
        }
        Code::ResourceExhausted if about(&["deliver", "limit", "usage", "allocation"]) => {
            Ending::Refused("the day's deliveries of events are used up".to_owned())
        }
        _ => Ending::Broken(format!("{:?}", status.code())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tonic::metadata::MetadataMap;

    fn of(code: Code, error_code: &str) -> Ending {
        let mut metadata = MetadataMap::new();
        metadata.insert("error-code", error_code.parse().unwrap());
        ending(&Status::with_metadata(code, "", metadata))
    }

    #[test]
    fn a_position_that_expired_or_was_corrupted_is_lost() {
        for code in [
            "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.corrupted",
            "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.validation.failed",
        ] {
            assert_eq!(of(Code::InvalidArgument, code), Ending::Lost);
        }
    }

    #[test]
    fn limits_and_permissions_are_refusals_and_breaks_are_none() {
        let refused = |ending| matches!(ending, Ending::Refused(_));
        assert!(refused(of(Code::PermissionDenied, "")));
        assert!(refused(of(
            Code::NotFound,
            "sfdc.platform.eventbus.grpc.topic.not.found"
        )));
        assert!(refused(of(
            Code::ResourceExhausted,
            "sfdc.platform.eventbus.grpc.subscription.limit.exceeded"
        )));
        assert!(matches!(of(Code::Unavailable, ""), Ending::Broken(_)));
        assert!(matches!(of(Code::Internal, ""), Ending::Broken(_)));
        assert_eq!(of(Code::Unauthenticated, ""), Ending::SignedOut);
    }
}
