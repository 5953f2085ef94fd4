//! What every backend must do, and what the journal must do over any of them. A new backend is one more line at the
//! bottom of this file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod dead_letters;
mod devices;
mod documents;
mod executions;
mod gate;
mod journal;
mod queries;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod transitions;

use dragoman_store::sqlite::{SqliteBackend, SqliteOptions};
use dragoman_store::{Backend, Durability, Journal, JournalOptions, Write};
use std::sync::Arc;

/// A place where one store is, empty at first.
pub trait Place: Default {
    /// Opens the store as it was left. One at a time.
    fn open(&self) -> Arc<dyn Backend>;
}

/// A journal over a fresh backend.
/// Commits as soon as there is something, so that as many commits as possible fall between what a test does.
pub fn journal(place: &impl Place) -> Journal {
    Journal::start(place.open(), JournalOptions { linger_ms: 0, ..JournalOptions::default() }).unwrap()
}

/// Commits past the journal.
pub fn commit(backend: &Arc<dyn Backend>, writes: impl IntoIterator<Item = Write>) {
    backend.commit(&writes.into_iter().collect::<Vec<_>>(), Durability::Committed).unwrap();
}

/// A folder with an SQLite file.
struct SqliteFolder(tempfile::TempDir);

impl Default for SqliteFolder {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Place for SqliteFolder {
    fn open(&self) -> Arc<dyn Backend> {
        Arc::new(SqliteBackend::open(self.0.path().join("store.db"), &SqliteOptions::default()).unwrap())
    }
}

/// The same without readers of its own: every read goes over the connection that writes.
#[derive(Default)]
struct LoneSqlite(SqliteFolder);

impl Place for LoneSqlite {
    fn open(&self) -> Arc<dyn Backend> {
        let options = SqliteOptions { readers: 0, ..SqliteOptions::default() };
        Arc::new(SqliteBackend::open(self.0.0.path().join("store.db"), &options).unwrap())
    }
}

/// One test per case and backend.
macro_rules! conformance {
    ($backend:ident: $place:ty; $($module:ident { $($case:ident)* })*) => {
        mod $backend {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let place = <$place>::default();
                    crate::$module::$case(&place).await;
                })*
            })*
        }
    };
}

macro_rules! every_case_on {
    ($backend:ident: $place:ty) => {
        conformance! { $backend: $place;
            executions {
                an_execution_comes_back_whole
                a_newer_version_replaces_the_older
                of_several_versions_in_one_commit_the_last_stays
                history_is_in_order_and_a_line_is_there_once
                lines_of_an_unknown_execution_are_left_out
                the_alias_is_per_origin_and_device
                the_newest_execution_has_the_alias_and_the_key
                a_correlation_names_execution_and_attempt
                the_newest_execution_has_the_correlation
                correlations_that_gave_way_are_forgotten
                open_executions_are_loaded_in_order_of_creation
                the_outbox_holds_what_was_put_and_not_removed
                numbers_at_their_ends_come_back
                text_that_needs_escaping_comes_back
                a_commit_is_all_or_nothing
                an_empty_commit_is_fine
                labels_of_an_execution_may_change
                pruning_forgets_the_earliest_ended_with_all_of_theirs
                pruning_leaves_what_is_open
                everything_is_there_after_reopening
            }
            queries {
                pages_go_through_all_in_both_orders
                a_page_says_when_it_is_the_last
                pages_stay_in_place_when_executions_are_added
                each_filter_and_any_two_together
                counts_match_pages_and_stop
                a_place_that_no_page_gave_is_refused
                a_limit_is_kept_within_bounds
            }
            devices {
                a_device_comes_back_by_id_and_by_every_alias
                an_alias_moves_when_it_was_given_up
                a_taken_alias_names_its_device
                names_are_compared_byte_for_byte
                removal_takes_aliases_labels_and_profiles_along
                a_name_given_up_is_gone_during_commits
                a_device_made_anew_has_no_old_profile
                pages_go_in_id_order_and_by_labels
                labels_follow_the_record
                an_alias_is_added_later
                a_removed_device_leaves_documents
                children_hang_below_their_gateway
                profiles_are_per_device_and_dialect
                checked_appends_look_at_each_other
                checked_appends_see_what_waits
                a_refused_append_writes_nothing
                two_writers_of_one_alias_one_wins
                import_then_read
                import_names_the_taken_alias
                readers_never_see_an_older_device_after_a_newer
            }
            documents {
                a_document_comes_back_and_is_replaced_and_removed
                documents_and_counters_are_seen_at_once
                documents_go_in_key_order
                documents_are_found_by_their_fields
                a_field_without_an_index_is_refused
                indexes_follow_what_is_declared
                indexes_are_built_in_steps
                documents_are_written_with_the_rest_or_not_at_all
                documents_and_profiles_are_read_from_memory
                readers_never_see_an_older_document_after_a_newer
            }
            transitions {
                lines_come_by_position_over_all_histories
                lines_are_found_by_label
                lines_are_found_by_time
                positions_are_not_given_again
                cursors_are_seen_at_once
                followers_miss_nothing_and_get_nothing_twice
            }
            accounts {
                a_credential_comes_back_by_account_and_by_token
                only_tokens_are_found_by_hash
                credentials_are_replaced_removed_and_listed
                a_revoked_token_is_refused_at_once
                tokens_are_read_from_memory_until_a_credential_is_written
                a_revoked_token_is_refused_during_commits
                mqtt_sessions_are_kept_replaced_and_removed
            }
            requests {
                a_request_comes_back_whole
                requests_are_replaced_removed_and_in_order
                requests_are_counted_by_target
                a_number_that_does_not_fit_is_refused
            }
            dead_letters {
                a_dead_letter_comes_back_whole
                dead_letters_are_replaced_removed_and_paged_by_plugin
                a_dead_letter_whose_number_does_not_fit_is_refused
            }
            journal {
                appends_are_visible_at_once
                committed_means_in_the_backend
                many_appenders_keep_their_order
                one_commit_takes_what_waits
                what_nobody_waits_for_goes_along
                what_nobody_waits_for_is_committed_in_its_time
                much_does_not_wait_for_company
                past_the_bound_an_append_is_refused_and_room_comes_back
                a_failed_commit_poisons_it
                relaxed_writes_are_synced_soon
                mixed_groups_are_durable
                closing_commits_what_is_left
                dropping_the_last_handle_commits_what_is_left
                devices_must_be_checked
                queries_see_what_was_appended
                history_joins_disk_and_memory
                removal_is_visible_at_once
                readers_during_commits_always_find_it
                a_reopened_journal_has_everything
                load_open_hands_over_more_than_a_batch
            }
        }
    };
}

every_case_on! { sqlite: crate::SqliteFolder }
every_case_on! { sqlite_without_readers: crate::LoneSqlite }
