//! What every connector must do, run against each.

mod reading;
mod writing;

macro_rules! conformance {
    ($($room:ident::$law:ident)*) => {
        mod of_customerp {
            $(#[tokio::test]
            async fn $law() {
                super::$room::$law(&crate::customerp::scene().await).await;
            })*
        }
        mod of_rest {
            $(#[tokio::test]
            async fn $law() {
                super::$room::$law(&crate::rest::scene().await).await;
            })*
        }
        mod of_salesforce {
            $(#[tokio::test]
            async fn $law() {
                super::$room::$law(&crate::salesforce::scene().await).await;
            })*
        }
    };
}

conformance! {
    reading::says_who_it_is_and_what_it_has
    reading::shows_every_change_once_and_again_within_the_overlap
    reading::goes_on_from_any_page
    reading::shows_deletions
    reading::lists_what_is_alive
    reading::answers_every_id
    reading::finds_by_value
    writing::carries_out_writes_and_says_what_is_there_now
    writing::a_moved_record_is_stale
    writing::a_deleted_record_is_gone
    writing::refusals_name_kind_property_and_advice
    writing::a_lost_reply_is_unknown_and_creates_nothing_twice
    writing::an_update_with_a_lost_reply_is_unknown
    writing::a_system_that_is_down_is_not_sent_to
    writing::secrets_show_nowhere
}
