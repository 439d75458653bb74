//! What every connector must do, run against each.
//!
//! [`every_law`] lists the laws, [`suites`] the systems that they are tried on. A system is tried by all of them, but for those that
//! it names with the reason why it has no means for them; so a law that is added is tried on every system at once.

mod reading;
mod writing;

/// All laws, each in its room.
macro_rules! every_law {
    ($tried:ident) => {
        $tried!(reading says_who_it_is_and_what_it_has);
        $tried!(reading says_what_is_unique_and_what_refers);
        $tried!(reading tells_users_apart);
        $tried!(reading shows_every_change_once);
        $tried!(reading shows_what_changed_again_within_the_overlap);
        $tried!(reading goes_on_from_any_page);
        $tried!(reading shows_deletions);
        $tried!(reading says_when_a_record_was_deleted);
        $tried!(reading shows_deletions_however_late);
        $tried!(reading lists_what_is_alive);
        $tried!(reading says_who_made_a_record_and_when);
        $tried!(reading answers_every_id);
        $tried!(reading tells_what_was_deleted_from_what_never_was);
        $tried!(reading finds_by_value);
        $tried!(reading finds_a_number_however_it_is_written);
        $tried!(writing carries_out_writes_and_says_what_is_there_now);
        $tried!(writing a_moved_record_is_stale);
        $tried!(writing a_deleted_record_is_gone);
        $tried!(writing refusals_name_kind_property_and_advice);
        $tried!(writing a_reference_to_nobody_is_refused);
        $tried!(writing a_lost_reply_is_unknown_and_creates_nothing_twice);
        $tried!(writing an_update_with_a_lost_reply_is_unknown);
        $tried!(writing a_system_that_is_down_is_not_sent_to);
        $tried!(writing secrets_show_nowhere);
    };
}

macro_rules! law {
    ([$($also:tt)*] $room:ident $law:ident $scene:path) => {
        #[tokio::test]
        $($also)*
        async fn $law() {
            crate::conformance::$room::$law(&$scene().await).await;
        }
    };
}

/// The systems: a name, the kind of connection, where it comes from, and what it has no means for.
macro_rules! suites {
    ($d:tt $(
        $(#[$also:meta])*
        $name:ident is $kind:literal at $scene:path { $($room:ident::$law:ident: $why:literal,)* }
    )*) => {
        $(mod $name {
            macro_rules! tried {
                $(($d of:ident $law) => {
                    // It is a law, and one that cannot be kept here.
                    const _: &str = { let _ = crate::conformance::$room::$law; $why };
                };)*
                ($d of:ident $d law:ident) => { law! { [$(#[$also])*] $d of $d law $scene } };
            }
            every_law!(tried);
        })*

        /// The kinds of connections that some suite stands for.
        const TRIED: &[&str] = &[$($kind),*];

        /// What is named as beyond a system is named with a law that there is.
        const EXCEPTED: &[(&str, &str)] = &[$($((stringify!($name), stringify!($law)),)*)*];
    };
}

#[test]
fn every_kind_of_connection_is_tried_and_only_laws_are_excepted() {
    let kinds = tandem_connector::kinds::KINDS.kinds.lines().skip(1);
    let kinds = kinds.filter_map(|line| line.split(',').next());
    let untried: std::collections::BTreeSet<&str> = kinds.filter(|kind| !TRIED.contains(kind)).collect();
    assert!(untried.is_empty(), "no suite tries {untried:?}");
    let mut laws = Vec::new();
    macro_rules! named {
        ($room:ident $law:ident) => {
            laws.push(stringify!($law));
        };
    }
    every_law!(named);
    let unknown = EXCEPTED.iter().find(|(_, law)| !laws.contains(law));
    assert_eq!(unknown, None);
}

suites! { $
    of_customerp is "customerp" at crate::rest::scene {}
    of_salesforce is "salesforce" at crate::salesforce::scene {}
    #[ignore = "wants a server: ./test --long, or clients/with-postgres"]
    of_postgres is "sql" at crate::sql::postgres::scene {}
    #[ignore = "wants a server: ./test --long, or clients/with-mariadb"]
    of_mariadb is "sql" at crate::sql::mysql::scene {
        reading::shows_deletions_however_late: "nobody can move the clock of a whole server",
    }
    of_sqlite is "sql" at crate::sql::sqlite::scene {
        reading::tells_users_apart: "a file knows no users",
        reading::shows_deletions_however_late: "it has no clock but that of the machine",
        writing::a_lost_reply_is_unknown_and_creates_nothing_twice: "no answer of a file gets lost",
        writing::an_update_with_a_lost_reply_is_unknown: "no answer of a file gets lost",
        writing::secrets_show_nowhere: "nobody signs in to a file",
    }
    of_folder is "folder" at crate::folder::scene::scene {
        reading::tells_users_apart: "a file knows no users",
        reading::shows_what_changed_again_within_the_overlap: "a file is read whole whenever it is another, so nothing is late",
        reading::shows_deletions_however_late: "it has no clock but that of the machine, and a row that came and went between two looks was never seen",
        reading::says_who_made_a_record_and_when: "a description names no columns for these",
        reading::tells_what_was_deleted_from_what_never_was: "a row that is not there says nothing of what was",
        writing::a_reference_to_nobody_is_refused: "references are for the ERP to weigh that takes the file",
        writing::a_lost_reply_is_unknown_and_creates_nothing_twice: "no answer of a file gets lost",
        writing::an_update_with_a_lost_reply_is_unknown: "no answer of a file gets lost",
        writing::secrets_show_nowhere: "nobody signs in to a folder",
    }
    of_folder_by_results is "folder" at crate::folder::scene::by_results {
        reading::tells_users_apart: "a file knows no users",
        reading::shows_what_changed_again_within_the_overlap: "a file is read whole whenever it is another, so nothing is late",
        reading::shows_deletions_however_late: "it has no clock but that of the machine, and a row that came and went between two looks was never seen",
        reading::says_who_made_a_record_and_when: "a description names no columns for these",
        reading::tells_what_was_deleted_from_what_never_was: "a row that is not there says nothing of what was",
        writing::a_reference_to_nobody_is_refused: "references are for the ERP to weigh that takes the file",
        writing::a_lost_reply_is_unknown_and_creates_nothing_twice: "no answer of a file gets lost",
        writing::an_update_with_a_lost_reply_is_unknown: "no answer of a file gets lost",
        writing::secrets_show_nowhere: "nobody signs in to a folder",
    }
    of_program is "program" at crate::program::scene::scene {
        reading::shows_what_changed_again_within_the_overlap: "it numbers its changes in the transaction that makes them",
        reading::finds_a_number_however_it_is_written: "it compares letter by letter, so nothing is found that it would not take for equal",
        writing::a_system_that_is_down_is_not_sent_to: "a program that cannot be started is no connector: what_is_no_program_of_ours_is_said_clearly",
        writing::secrets_show_nowhere: "whom it lets in is up to the program: a_secret_shows_nowhere",
    }
    of_odata_v4 is "rest" at crate::rest::lab::v4 {
        reading::tells_users_apart: "the service has no resource that names the user",
        reading::shows_every_change_once: "its records show the time of the machine, which nobody moves",
        reading::shows_deletions: "a listing since a moment tells none: a comparison does",
        reading::says_when_a_record_was_deleted: "404 has no time",
        reading::shows_deletions_however_late: "a listing since a moment tells none: a comparison does",
        reading::tells_what_was_deleted_from_what_never_was: "404 says the same of both",
        writing::a_deleted_record_is_gone: "412 says of one that is gone what it says of one that moved",
        writing::refusals_name_kind_property_and_advice: "it takes whatever it is given",
        writing::a_reference_to_nobody_is_refused: "it takes whatever it is given",
        writing::a_lost_reply_is_unknown_and_creates_nothing_twice: "it makes two records of a create that comes twice",
    }
    of_odata_v4_by_links is "rest" at crate::rest::lab::v4_by_links {
        reading::tells_users_apart: "the service has no resource that names the user",
        reading::shows_what_changed_again_within_the_overlap: "a link goes on where the last one ended",
        reading::says_when_a_record_was_deleted: "404 has no time",
        reading::tells_what_was_deleted_from_what_never_was: "404 says the same of both",
        writing::a_deleted_record_is_gone: "412 says of one that is gone what it says of one that moved",
        writing::refusals_name_kind_property_and_advice: "it takes whatever it is given",
        writing::a_reference_to_nobody_is_refused: "it takes whatever it is given",
        writing::a_lost_reply_is_unknown_and_creates_nothing_twice: "it makes two records of a create that comes twice",
    }
    of_odata_v2 is "rest" at crate::rest::lab::v2 {
        reading::tells_users_apart: "the service has no resource that names the user",
        reading::shows_every_change_once: "its records show the time of the machine, which nobody moves",
        reading::shows_deletions: "a listing since a moment tells none: a comparison does",
        reading::says_when_a_record_was_deleted: "404 has no time",
        reading::shows_deletions_however_late: "a listing since a moment tells none: a comparison does",
        reading::tells_what_was_deleted_from_what_never_was: "404 says the same of both",
        writing::a_deleted_record_is_gone: "412 says of one that is gone what it says of one that moved",
        writing::refusals_name_kind_property_and_advice: "it takes whatever it is given",
        writing::a_reference_to_nobody_is_refused: "it takes whatever it is given",
        writing::a_lost_reply_is_unknown_and_creates_nothing_twice: "it makes two records of a create that comes twice",
    }
    of_odoo is "rest" at crate::ready::odoo::scene {
        reading::shows_deletions: "it keeps nothing of what was deleted: a comparison finds it",
        reading::says_when_a_record_was_deleted: "it keeps nothing of what was deleted",
        reading::shows_deletions_however_late: "it keeps nothing of what was deleted",
        reading::tells_what_was_deleted_from_what_never_was: "it keeps nothing of what was deleted",
        writing::a_moved_record_is_stale: "its writes take no condition, which its capabilities say",
        writing::refusals_name_kind_property_and_advice: "it names the field within a sentence alone",
        writing::a_reference_to_nobody_is_refused: "it names the field within a sentence alone",
    }
    of_xero is "rest" at crate::ready::xero::scene {
        reading::says_who_it_is_and_what_it_has: "its contacts are all that it has of the scene",
        reading::says_what_is_unique_and_what_refers: "its contacts refer to nothing",
        reading::tells_users_apart: "its connections name no users",
        reading::says_who_made_a_record_and_when: "its records do not say",
        writing::carries_out_writes_and_says_what_is_there_now: "its contacts have no day of birth and no description",
        writing::a_moved_record_is_stale: "its writes take no condition, which its capabilities say",
        writing::a_deleted_record_is_gone: "what is archived can be written",
        writing::refusals_name_kind_property_and_advice: "it names the field within a sentence alone",
        writing::a_reference_to_nobody_is_refused: "its contacts refer to nothing",
    }
    of_netsuite is "rest" at crate::ready::netsuite::scene {
        reading::says_what_is_unique_and_what_refers: "its fields of a company's own are not unique",
        reading::tells_users_apart: "its tokens name no users",
        reading::says_who_made_a_record_and_when: "its records do not say",
        writing::a_moved_record_is_stale: "its writes take no condition, which its capabilities say",
        writing::refusals_name_kind_property_and_advice: "its fields of a company's own are not unique",
    }
    of_erpnext is "rest" at crate::ready::erpnext::scene {
        reading::tells_what_was_deleted_from_what_never_was: "404 says the same of both",
        writing::refusals_name_kind_property_and_advice: "it names the field within a sentence alone",
        writing::a_reference_to_nobody_is_refused: "it names the field within a sentence alone",
    }
}
