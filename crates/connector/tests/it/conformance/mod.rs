//! What every connector must do, run against each.

mod reading;
mod writing;

macro_rules! law {
    ([$($also:tt)*] $room:ident $law:ident $scene:expr) => {
        #[tokio::test]
        $($also)*
        async fn $law() {
            super::$room::$law(&$scene.await).await;
        }
    };
}

macro_rules! conformance {
    (everywhere { $($room:ident::$law:ident)* } by_a_server { $($far_room:ident::$far:ident)* }
        by_its_clock { $($clock_room:ident::$clock:ident)* }) => {
        mod of_customerp {
            $(law! { [] $room $law crate::rest::scene() })*
            $(law! { [] $far_room $far crate::rest::scene() })*
            $(law! { [] $clock_room $clock crate::rest::scene() })*
        }
        mod of_salesforce {
            $(law! { [] $room $law crate::salesforce::scene() })*
            $(law! { [] $far_room $far crate::salesforce::scene() })*
            $(law! { [] $clock_room $clock crate::salesforce::scene() })*
        }
        mod of_postgres {
            $(law! { [#[ignore = "wants a server: ./test --long, or clients/with-postgres"]]
                $room $law crate::sql::postgres::scene() })*
            $(law! { [#[ignore = "wants a server: ./test --long, or clients/with-postgres"]]
                $far_room $far crate::sql::postgres::scene() })*
            $(law! { [#[ignore = "wants a server: ./test --long, or clients/with-postgres"]]
                $clock_room $clock crate::sql::postgres::scene() })*
        }
        // Nobody can move the clock of a whole server.
        mod of_mariadb {
            $(law! { [#[ignore = "wants a server: ./test --long, or clients/with-mariadb"]]
                $room $law crate::sql::mysql::scene() })*
            $(law! { [#[ignore = "wants a server: ./test --long, or clients/with-mariadb"]]
                $far_room $far crate::sql::mysql::scene() })*
        }
        // A file has no line that could be cut, no users who could be told apart, and no clock but that of the machine.
        mod of_sqlite {
            $(law! { [] $room $law crate::sql::sqlite::scene() })*
        }
    };
}

/// Laws for a service whose replies tell another time than its records, that knows deletions by 404 and 412 alone, has no users, and
/// makes a create twice that is sent twice.
macro_rules! by_odata {
    ($($scene:ident)*) => { $(
        mod $scene {
            law! { [] reading says_who_it_is_and_what_it_has crate::rest::lab::$scene() }
            law! { [] reading goes_on_from_any_page crate::rest::lab::$scene() }
            law! { [] reading lists_what_is_alive crate::rest::lab::$scene() }
            law! { [] reading finds_by_value crate::rest::lab::$scene() }
            law! { [] writing carries_out_writes_and_says_what_is_there_now crate::rest::lab::$scene() }
            law! { [] writing a_moved_record_is_stale crate::rest::lab::$scene() }
            law! { [] writing a_system_that_is_down_is_not_sent_to crate::rest::lab::$scene() }
            law! { [] writing secrets_show_nowhere crate::rest::lab::$scene() }
        }
    )* };
}

by_odata! { v4 v4_by_links v2 }

mod lost_replies_of_odata {
    law! { [] writing an_update_with_a_lost_reply_is_unknown crate::rest::lab::v4() }
}

conformance! {
    everywhere {
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
    }
    by_a_server {
        reading::tells_users_apart
        writing::a_lost_reply_is_unknown_and_creates_nothing_twice
        writing::an_update_with_a_lost_reply_is_unknown
        writing::a_system_that_is_down_is_not_sent_to
        writing::secrets_show_nowhere
    }
    by_its_clock {
        reading::shows_deletions_however_late
    }
}

/// Ready descriptions of ERPs that have no means for some of the laws: each keeps those for which it has.
macro_rules! as_far_as_it_can {
    ($($name:ident at $scene:path { $($room:ident::$law:ident)* })*) => {
        $(mod $name { $(law! { [] $room $law $scene() })* })*
    };
}

as_far_as_it_can! {
    of_odoo at crate::ready::odoo::scene {
        reading::says_who_it_is_and_what_it_has
        reading::tells_users_apart
        reading::shows_every_change_once_and_again_within_the_overlap
        reading::goes_on_from_any_page
        reading::lists_what_is_alive
        reading::answers_every_id_and_shows_nothing_that_is_not_there
        reading::finds_by_value
        writing::carries_out_writes_and_says_what_is_there_now
        writing::a_deleted_record_is_gone
        writing::a_lost_reply_is_unknown_and_creates_nothing_twice
        writing::an_update_with_a_lost_reply_is_unknown
        writing::a_system_that_is_down_is_not_sent_to
        writing::secrets_show_nowhere
    }
    of_xero at crate::ready::xero::scene {
        reading::shows_every_change_once_and_again_within_the_overlap
        reading::goes_on_from_any_page
        reading::shows_deletions
        reading::shows_deletions_however_late
        reading::answers_every_id
        reading::finds_by_value
        writing::a_lost_reply_is_unknown_and_creates_nothing_twice
        writing::an_update_with_a_lost_reply_is_unknown
        writing::a_system_that_is_down_is_not_sent_to
        writing::secrets_show_nowhere
    }
    of_netsuite at crate::ready::netsuite::scene {
        reading::shows_every_change_once_and_again_within_the_overlap
        reading::goes_on_from_any_page
        reading::shows_deletions
        reading::shows_deletions_however_late
        reading::answers_every_id
        reading::finds_by_value
        writing::carries_out_writes_and_says_what_is_there_now
        writing::a_deleted_record_is_gone
        writing::a_lost_reply_is_unknown_and_creates_nothing_twice
        writing::an_update_with_a_lost_reply_is_unknown
        writing::a_system_that_is_down_is_not_sent_to
        writing::secrets_show_nowhere
    }
    of_erpnext at crate::ready::erpnext::scene {
        reading::says_who_it_is_and_what_it_has
        reading::tells_users_apart
        reading::shows_every_change_once_and_again_within_the_overlap
        reading::shows_deletions
        reading::shows_deletions_however_late
        reading::lists_what_is_alive
        reading::answers_every_id_and_shows_nothing_that_is_not_there
        reading::finds_by_value
        writing::a_moved_record_is_stale
        writing::a_deleted_record_is_gone
        writing::a_lost_reply_is_unknown_and_creates_nothing_twice
        writing::an_update_with_a_lost_reply_is_unknown
        writing::a_system_that_is_down_is_not_sent_to
        writing::secrets_show_nowhere
    }
}
