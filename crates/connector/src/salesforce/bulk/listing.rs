//! Complete listings: in pages of 2,000 rows, and by one Bulk query where there are many more.

use super::query::{self, Large, Page};
use crate::salesforce::Salesforce;
use crate::salesforce::read;
use crate::salesforce::schema::Object;
use crate::salesforce::soql;
use crate::{Error, ListPage};
use serde::{Deserialize, Serialize};

/// Where a listing goes on.
#[derive(Serialize, Deserialize)]
enum Resume {
    /// Behind this id, if the rest is not too much.
    First(String),
    /// Behind this id, in pages.
    Pages(String),
    /// By a query for what is behind this id.
    Large(String, Large),
}

/// The next page of all live rows.
pub(in crate::salesforce) async fn page(
    org: &Salesforce,
    object: &Object,
    resume: Option<&[u8]>,
) -> Result<ListPage, Error> {
    let known: Option<Resume> = resume.and_then(|bytes| serde_json::from_slice(bytes).ok());
    match known {
        Some(Resume::First(after)) => {
            if let Some(large) = begin(org, object, &after).await? {
                return Ok(going_on(Vec::new(), &Resume::Large(after, large)));
            }
            pages(org, object, Some(after)).await
        }
        Some(Resume::Pages(after)) => pages(org, object, Some(after)).await,
        Some(Resume::Large(after, mut large)) => {
            let Some(ingest) = &org.ingest else {
                return pages(org, object, Some(after)).await;
            };
            let folder = ingest.folder().join("queries");
            Ok(
                match query::page(org, (&folder, ingest.files()), object, &mut large).await? {
                    Page::Waiting => going_on(Vec::new(), &Resume::Large(after, large)),
                    Page::Rows(rows) => going_on(rows, &Resume::Large(after, large)),
                    Page::Last(observations) => ListPage {
                        observations,
                        resume: None,
                    },
                    Page::Lost => going_on(Vec::new(), &Resume::Pages(after)),
                },
            )
        }
        None => {
            let page = read::page(org, object, None).await?;
            Ok(match page.resume.as_deref().map(String::from_utf8_lossy) {
                Some(last) => going_on(page.observations, &Resume::First(last.into_owned())),
                None => page,
            })
        }
    }
}

async fn pages(org: &Salesforce, object: &Object, after: Option<String>) -> Result<ListPage, Error> {
    let page = read::page(org, object, after.as_deref().map(str::as_bytes)).await?;
    Ok(match page.resume.as_deref().map(String::from_utf8_lossy) {
        Some(last) => going_on(page.observations, &Resume::Pages(last.into_owned())),
        None => page,
    })
}

/// Begins a query for the rows behind an id, where they are many.
async fn begin(org: &Salesforce, object: &Object, after: &str) -> Result<Option<Large>, Error> {
    if org.ingest.is_none() {
        return Ok(None);
    }
    let condition = format!("WHERE Id > {}", soql::quoted(after));
    let rows = format!("{} {condition}", object.schema.object);
    let counts = query::counts(org, &[(rows, false)]).await?;
    match counts.first() {
        Some(Some(count)) if *count > org.query_above() => {
            let statement = format!("{} {condition}", object.select());
            query::begin(org, &statement, false, *count).await.map(Some)
        }
        _ => Ok(None),
    }
}

fn going_on(observations: Vec<tandem_merge::record::Observation>, resume: &Resume) -> ListPage {
    ListPage {
        observations,
        resume: serde_json::to_vec(resume).ok(),
    }
}
