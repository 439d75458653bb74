//! What of the day's bulk allowances is used.

use crate::salesforce::fault::{Code, Fault, Outcome};

/// Batches a day, of all ingest jobs.
const BATCHES: u64 = 15_000;
/// Query jobs a day.
const QUERY_JOBS: u64 = 10_000;
/// Megabytes of query results that may be stored in a day.
const RESULT_MB: u64 = 976_562;
/// Rows that ingest jobs may carry in a day.
const ROWS: u64 = 150_000_000;

/// The use of a day.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    batches: u64,
    query_jobs: u64,
    pub(super) result_bytes: u64,
    rows: u64,
}

impl Usage {
    /// The allowances of `/limits`: name, most, left.
    pub(crate) fn limits(&self) -> [(&'static str, u64, u64); 3] {
        let stored = self.result_bytes.div_ceil(1024 * 1024);
        [
            ("DailyBulkApiBatches", BATCHES, BATCHES - self.batches),
            (
                "DailyBulkV2QueryFileStorageMB",
                RESULT_MB,
                RESULT_MB.saturating_sub(stored),
            ),
            ("DailyBulkV2QueryJobs", QUERY_JOBS, QUERY_JOBS - self.query_jobs),
        ]
    }

    /// Begins an internal batch of an ingest job.
    pub(super) fn begin_batch(&mut self) -> Result<(), String> {
        if self.batches >= BATCHES {
            return Err(format!(
                "ExceededQuota : Max batches ({BATCHES}) per 24 hrs has been reached"
            ));
        }
        self.batches += 1;
        Ok(())
    }

    /// Counts rows of an ingest job.
    pub(super) fn add_rows(&mut self, rows: u64) -> Result<(), String> {
        if self.rows + rows > ROWS {
            return Err(format!(
                "ExceededQuota : Max bulk v2 records ({ROWS}) per 24 hrs has been reached"
            ));
        }
        self.rows += rows;
        Ok(())
    }

    /// Begins a query job.
    pub(super) fn begin_query(&mut self) -> Outcome<()> {
        if self.query_jobs >= QUERY_JOBS {
            return Err(Fault::new(
                Code::LimitExceeded,
                format!("Max bulk v2 query jobs ({QUERY_JOBS}) per 24 hrs has been reached"),
            ));
        }
        self.query_jobs += 1;
        Ok(())
    }
}
