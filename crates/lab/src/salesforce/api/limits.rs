//! `/limits`: what the org allows, and what of it is left.

use serde_json::{Map, Value as Json, json};

use crate::salesforce::org::Org;

/// Megabytes of records that the org may hold.
const DATA_STORAGE: u64 = 100_000;
/// Kilobytes that a record counts, whatever it holds.
const RECORD: u64 = 2;

/// Allowances of features that are not here: nothing of them is ever used.
const UNUSED: [(&str, u64); 14] = [
    ("ConcurrentAsyncGetReportInstances", 200),
    ("ConcurrentSyncReportRuns", 20),
    ("DailyAsyncApexExecutions", 250_000),
    ("DailyAsyncApexTests", 500),
    ("DailyStreamingApiEvents", 200_000),
    ("DailyWorkflowEmails", 100_000),
    ("FileStorageMB", 100_000),
    ("HourlyAsyncReportRuns", 1_200),
    ("HourlyDashboardRefreshes", 200),
    ("HourlyODataCallout", 20_000),
    ("HourlySyncReportRuns", 500),
    ("HourlyTimeBasedWorkflow", 1_000),
    ("MassEmail", 5_000),
    ("SingleEmail", 5_000),
];

/// The reply.
pub(super) fn limits(org: &Org) -> Json {
    let mut limits = Map::new();
    let mut add = |name: &str, most: u64, left: u64| {
        limits.insert(name.to_owned(), json!({ "Max": most, "Remaining": left }));
    };
    for (name, most) in UNUSED {
        add(name, most, most);
    }
    let (allowed, left) = org.calls.left();
    add("DailyApiRequests", allowed, left);
    add(
        "DataStorageMB",
        DATA_STORAGE,
        DATA_STORAGE.saturating_sub(stored(org)),
    );
    for (name, most, left) in org.jobs.usage.limits() {
        add(name, most, left);
    }
    let deliveries = &org.events.allowance;
    add(
        "DailyDeliveredPlatformEvents",
        deliveries.allowed(),
        deliveries.left(org.now()),
    );
    Json::Object(limits)
}

/// How many records the named objects hold, or all of them; names that are unknown are passed over.
pub(super) fn record_count(org: &Org, names: Option<&str>) -> Json {
    let all = 0..org.schema.objects.len();
    let counts =
        |object: usize| json!({ "count": org.table(object).live(), "name": org.schema.object(object).name });
    let counts: Vec<Json> = match names {
        None => all.map(counts).collect(),
        Some(names) => names
            .split(',')
            .filter_map(|name| org.schema.find(name.trim()))
            .map(counts)
            .collect(),
    };
    json!({ "sObjects": counts })
}

fn stored(org: &Org) -> u64 {
    let records: usize = (0..org.schema.objects.len())
        .map(|object| org.table(object).live())
        .sum();
    (records as u64 * RECORD).div_ceil(1024)
}
