//! Reads: what the database has, listings, records by their keys and by their values.

use super::catalogue::{Kind, Relation};
use super::description::{Changes, Record, TableName};
use super::driver::{Dialect, Rows, Statement};
use super::schema::Misfit;
use super::statement::PAGE;
use super::table::{Surroundings, Table};
use super::value::{Cell, text};
use super::{AT_ONCE, Error, Sql, Tables};
use crate::ListPage;
use crate::http::clock;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, PoisonError};
use tandem_merge::record::{Observation, RecordType};
use tandem_merge::value::Value;

impl Sql {
    /// Asks the database what its tables are like.
    pub(super) async fn ask(&self) -> Result<Arc<Tables>, Error> {
        let description = &self.config.description;
        let tables = |record: &Record| {
            [
                record.table.clone(),
                record.write_to.clone().unwrap_or(record.table.clone()),
            ]
        };
        let all: BTreeSet<TableName> = description.records.values().flat_map(tables).collect();
        let all: Vec<TableName> = all.into_iter().collect();
        let found = self
            .relations(&all)
            .await
            .map_err(|trouble| self.trouble(trouble))?;
        let known: BTreeMap<&TableName, Relation> = all
            .iter()
            .zip(found)
            .filter_map(|(name, found)| Some((name, found?)))
            .collect();
        let relations: BTreeMap<String, Relation> = description
            .records
            .iter()
            .filter_map(|(name, record)| Some((name.clone(), known.get(&record.table)?.clone())))
            .collect();
        let mut tables = Tables::default();
        for (name, record) in &description.records {
            match self.put_together(name, record, &known, &relations).await? {
                Ok(table) => drop(tables.served.insert(name.clone(), Arc::new(table))),
                Err(misfit) => drop(
                    tables
                        .missing
                        .insert(name.clone(), record.told(&description.file, misfit)),
                ),
            }
        }
        Ok(Arc::new(tables))
    }

    async fn put_together(
        &self,
        name: &str,
        record: &Record,
        known: &BTreeMap<&TableName, Relation>,
        relations: &BTreeMap<String, Relation>,
    ) -> Result<Result<Table, Misfit>, Error> {
        let target = record.write_to.as_ref().unwrap_or(&record.table);
        for wanted in [&record.table, target] {
            if !known.contains_key(wanted) {
                return Ok(Err(Misfit {
                    sentence: format!("{} has no table or view {wanted} for {name}", self.config.name),
                    name: Some(wanted.to_string()),
                }));
            }
        }
        let (relation, target) = (&known[&record.table], &known[target]);
        let around = Surroundings {
            system: &self.config.name,
            description: &self.config.description,
            dialect: self.driver.dialect(),
            relations,
            samples: &self.samples(&record.table, relation).await?,
            used: self.config.fields.get(name),
            read_only: self.config.read_only,
        };
        Ok(Table::new(name, record, relation, target, &around))
    }

    /// How SQLite's dates with a time are written in a table, by column.
    async fn samples(
        &self,
        name: &TableName,
        relation: &Relation,
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut samples = BTreeMap::new();
        if self.driver.dialect() != Dialect::Sqlite {
            return Ok(samples);
        }
        let dated = |kind: Kind| matches!(kind, Kind::Civil | Kind::Moment);
        for column in relation.columns.iter().filter(|column| dated(column.kind)) {
            let quoted = Dialect::Sqlite.quoted(&column.name);
            let from = Dialect::Sqlite.table(name);
            let sql = format!("SELECT {quoted} FROM {from} WHERE {quoted} IS NOT NULL LIMIT 1");
            let statement = Statement {
                sql,
                ..Statement::default()
            };
            if let Some(Cell::Text(sample)) = self.read(&statement).await?.cells.first() {
                samples.insert(column.name.clone(), sample.clone());
            }
        }
        Ok(samples)
    }

    pub(super) async fn read(&self, statement: &Statement) -> Result<Rows, Error> {
        self.driver
            .read(statement)
            .await
            .map_err(|trouble| self.trouble(trouble))
    }

    /// What a row shows that is known to stand so at a moment. Its texts are moved out of it.
    pub(super) fn seen_at(
        &self,
        table: &Table,
        row: &mut [Cell],
        began: Timestamp,
        moment: Timestamp,
    ) -> Option<Observation> {
        let Some(mut seen) = table.observation(row, began, moment) else {
            let system = &self.config.name;
            tracing::warn!(
                system,
                "{system}: a {} without a whole key is passed over",
                table.name
            );
            return None;
        };
        if table.modified.is_none() {
            let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
            moments.place(&mut seen);
        }
        if let Some(computed) = self.config.computed.get(&table.name) {
            crate::shown::compute(&mut seen, computed);
        }
        Some(seen)
    }

    /// What rows show.
    pub(super) fn all_seen(&self, table: &Table, mut rows: Rows, began: Timestamp) -> Vec<Observation> {
        let moment = self.there(began);
        let each = rows.cells.chunks_exact_mut(rows.width.max(1));
        each.filter_map(|row| self.seen_at(table, row, began, moment))
            .collect()
    }
}

/// The key of the last row of a page.
pub(super) fn last_key(table: &Table, rows: &Rows) -> Option<Vec<Cell>> {
    let row = rows.iter().next_back()?;
    Some(table.key.iter().map(|place| row[place.at].clone()).collect())
}

/// A page of all live records, in the order of their keys.
pub(super) async fn list(erp: &Sql, of: &RecordType, resume: Option<&[u8]>) -> Result<ListPage, Error> {
    let table = erp.table(of).await?;
    let after: Option<Vec<Cell>> = resume.and_then(|resume| serde_json::from_slice(resume).ok());
    let after = after.filter(|after| after.len() == table.key.len());
    let began = clock::now();
    let rows = erp.read(&table.by_key(after.as_deref(), false)).await?;
    let next = if rows.len() < PAGE {
        None
    } else {
        last_key(&table, &rows)
    };
    Ok(ListPage {
        observations: erp.all_seen(&table, rows, began),
        resume: next.map(|next| serde_json::to_vec(&next).unwrap_or_default()),
    })
}

/// Records by id. Every id is answered.
pub(super) async fn fetch(erp: &Sql, of: &RecordType, ids: &[String]) -> Result<Vec<Observation>, Error> {
    let table = erp.table(of).await?;
    let mut all = Vec::with_capacity(ids.len());
    for pack in ids.chunks(AT_ONCE) {
        let began = clock::now();
        let mut found = by_ids(erp, &table, pack, began).await?;
        let known: HashSet<&str> = found.iter().map(|seen| seen.key.id.as_str()).collect();
        let absent: Vec<&String> = pack.iter().filter(|id| !known.contains(id.as_str())).collect();
        let deleted = deleted(erp, &table, &absent).await?;
        let moment = erp.there(began);
        let absent = absent
            .iter()
            .map(|id| table.absent(id, deleted.contains(id.as_str()), began, moment));
        let absent: Vec<Observation> = absent.collect();
        found.extend(absent);
        all.extend(found);
    }
    Ok(all)
}

/// What is there of these ids.
pub(super) async fn by_ids(
    erp: &Sql,
    table: &Table,
    ids: &[String],
    began: Timestamp,
) -> Result<Vec<Observation>, Error> {
    let keys: Vec<Vec<Cell>> = ids.iter().filter_map(|id| table.key_of(id)).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let most = table.dialect.most_given() / table.key.len().max(1);
    let mut found = Vec::with_capacity(keys.len());
    for pack in keys.chunks(most) {
        let rows = erp.read(&table.by_keys(pack)).await?;
        found.extend(erp.all_seen(table, rows, began));
    }
    // A database may take texts for equal that are not: those are other records.
    let asked: HashSet<&str> = ids.iter().map(String::as_str).collect();
    found.retain(|seen| asked.contains(seen.key.id.as_str()));
    Ok(found)
}

/// Which of the ids that are not there were deleted, as far as anything tells.
async fn deleted(erp: &Sql, table: &Table, absent: &[&String]) -> Result<BTreeSet<String>, Error> {
    let whole = absent.iter().filter(|id| table.key_of(id).is_some());
    let whole: Vec<String> = whole.map(|id| (*id).clone()).collect();
    if table.absence_is_deletion() {
        return Ok(whole.into_iter().collect());
    }
    if table.record.changes == Changes::ChangeTable && !whole.is_empty() {
        return super::told::deleted(erp, table, &whole).await;
    }
    Ok(BTreeSet::new())
}

/// Live records by their values. They are looked up by one property; the caller compares the others.
pub(super) async fn find(
    erp: &Sql,
    of: &RecordType,
    properties: &[String],
    values: &[Vec<Value>],
) -> Result<Vec<Observation>, Error> {
    let table = erp.table(of).await?;
    let unique = |name: &&String| {
        table
            .schema
            .properties
            .get(*name)
            .is_some_and(|property| property.unique)
    };
    let Some(property) = properties.iter().find(unique).or(properties.first()) else {
        return Ok(Vec::new());
    };
    if let (Some(joined), Some(at)) = (
        table.joined.get(property),
        properties.iter().position(|one| one == property),
    ) {
        let wanted = values
            .iter()
            .filter_map(|key| key.get(at))
            .filter(|value| !value.is_blank());
        let keys: Vec<Vec<Cell>> = wanted.filter_map(|value| joined.write(value)).collect();
        let mut found = BTreeMap::new();
        for pack in keys.chunks((AT_ONCE / joined.parts.len()).max(1)) {
            let began = clock::now();
            let rows = erp.read(&table.naming(&joined.places, pack)).await?;
            found.extend(
                erp.all_seen(&table, rows, began)
                    .into_iter()
                    .map(|seen| (seen.key.id.clone(), seen)),
            );
        }
        return Ok(found.into_values().collect());
    }
    let Some((item, at)) = table
        .properties
        .get(property)
        .zip(properties.iter().position(|one| one == property))
    else {
        let sentence = format!("{} has no property {property}", table.name);
        return Err(erp.error(
            crate::ErrorKind::Missing,
            sentence,
            "Correct the flow or the description",
            crate::Scope::System,
        ));
    };
    let wanted = values
        .iter()
        .filter_map(|key| key.get(at))
        .filter(|value| !value.is_blank());
    let mut cells: Vec<Cell> = wanted.filter_map(|value| item.codec.write(value).ok()).collect();
    cells.sort_by_key(text);
    cells.dedup();
    let mut found = BTreeMap::new();
    for pack in cells.chunks(AT_ONCE) {
        let began = clock::now();
        let rows = erp.read(&table.found(item, pack)).await?;
        for seen in erp.all_seen(&table, rows, began) {
            found.insert(seen.key.id.clone(), seen);
        }
    }
    Ok(found.into_values().collect())
}
