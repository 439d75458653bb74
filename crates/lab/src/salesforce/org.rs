//! The state of the org: its tables, clock, users and books, behind one lock of the server.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::tz::TimeZone;
use ring::rand::{SecureRandom, SystemRandom};

use crate::machine;

use super::audit::{Audit, Change};
use super::bulk::Jobs;
use super::calls::Calls;
use super::cursor::Cursors;
use super::deploy::Deployments;
use super::events::{Before, Event, Events};
use super::fault::{Code, Fault, Outcome};
use super::faults::{Faults, Veil};
use super::id::RecordId;
use super::oauth::Grants;
use super::options::Options;
use super::schema::{Field, FieldIndex, Object, ObjectIndex, Schema, Source};
use super::session::Sessions;
use super::shape::Views;
use super::table::{Row, Table};
use super::validation;
use super::value::Value;
use super::write::RecycleBin;

/// Who acts, and through what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Actor {
    pub(crate) user: RecordId,
    /// Whether the user may do everything (the profile System Administrator).
    pub(crate) admin: bool,
    pub(crate) origin: Origin,
}

/// What a change came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Api,
    Browser,
    /// The org itself: its seed, a cascade.
    System,
}

impl Origin {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Origin::Api => "api",
            Origin::Browser => "browser",
            Origin::System => "system",
        }
    }
}

/// What something was before a change of the running transaction.
enum Undo {
    Row {
        object: ObjectIndex,
        id: RecordId,
        before: Option<Row>,
    },
    PendingEmails(Vec<(RecordId, String)>),
}

/// A point of the running transaction to fall back to.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    undo: usize,
    changes: usize,
}

/// Whether the running transaction created users, or wrote anything else: it may not do both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touched {
    Setup,
    Records,
}

/// The org.
pub(crate) struct Org {
    pub(crate) options: Options,
    pub(crate) schema: Arc<Schema>,
    pub(crate) sessions: Sessions,
    pub(crate) grants: Grants,
    pub(crate) cursors: Cursors,
    pub(crate) calls: Calls,
    pub(crate) audit: Audit,
    pub(crate) jobs: Jobs,
    pub(crate) deployments: Deployments,
    pub(crate) events: Events,
    pub(crate) time_zone: TimeZone,
    pub(crate) licenses: u32,
    /// E-mail addresses of users that wait for their owner's confirmation.
    pub(crate) pending_emails: Vec<(RecordId, String)>,
    pub(crate) touched: Option<Touched>,
    pub(crate) rules: Vec<validation::Bound>,
    /// What locks records that wait for approval.
    pub(crate) locks: Vec<super::features::BoundLock>,
    pub(crate) faults: Faults,
    pub(crate) veil: Veil,
    pub(crate) bin: RecycleBin,
    pub(crate) views: Views,
    /// Events that wait until their rows are in sight, with the second of that.
    pub(crate) late_events: Vec<(i64, Event)>,
    /// Who has it may ask for faults.
    pub(crate) admin_token: String,
    tables: Vec<Table>,
    /// Every reference but those to users: (target, object, field, record that refers).
    referrers: BTreeSet<(RecordId, ObjectIndex, FieldIndex, RecordId)>,
    pub(crate) pod: [u8; 3],
    clock_offset: i64,
    /// When objects, fields or their visibility last changed.
    shaped: i64,
    undo: Vec<Undo>,
    changes: Vec<Change>,
}

impl Org {
    /// An org without a record; `seed.rs` fills in what every org has.
    pub(crate) fn empty(options: Options) -> Org {
        let schema = Arc::new(Schema::new(&options));
        let seed = options.seed.unwrap_or_else(nanos);
        let clock_offset = -i64::from(options.clock_behind_seconds);
        Org {
            tables: schema.objects.iter().map(Table::new).collect(),
            sessions: Sessions::new(seed, i64::from(options.token_lifetime_seconds)),
            grants: Grants::new(seed, options.rotate_refresh_tokens),
            cursors: Cursors::new(seed),
            calls: Calls::new(options.daily_api_requests),
            audit: Audit::new(options.audit_entries),
            jobs: Jobs::new(seed),
            deployments: Deployments::default(),
            events: Events::new(&options, seed),
            time_zone: TimeZone::get(&options.time_zone).unwrap_or(TimeZone::UTC),
            licenses: options.licenses,
            pending_emails: Vec::new(),
            touched: None,
            rules: Vec::new(),
            locks: Vec::new(),
            faults: Faults::new(seed, Vec::new()),
            veil: Veil::default(),
            bin: RecycleBin::default(),
            views: Views::default(),
            late_events: Vec::new(),
            admin_token: options.admin_token.clone().unwrap_or_else(secret),
            referrers: BTreeSet::new(),
            pod: pod(seed),
            clock_offset,
            shaped: machine::now().as_second() + clock_offset,
            undo: Vec::new(),
            changes: Vec::new(),
            schema,
            options,
        }
    }

    /// The org's clock in whole seconds since 1970 UTC.
    pub(crate) fn now(&self) -> i64 {
        machine::now().as_second() + self.clock_offset
    }

    /// The org's clock in milliseconds since 1970 UTC.
    pub(crate) fn now_milliseconds(&self) -> i64 {
        machine::now().as_millisecond() + self.clock_offset * 1_000
    }

    /// The second in which objects, fields or their visibility last changed.
    pub(crate) fn shaped(&self) -> i64 {
        self.shaped
    }

    /// Notes that they change now.
    pub(crate) fn reshape(&mut self) {
        self.shaped = self.now();
    }

    /// Moves the clock forward, never back.
    pub(crate) fn advance(&mut self, seconds: u32) {
        self.clock_offset += i64::from(seconds);
    }

    /// The object called so.
    pub(crate) fn object_named(&self, name: &str) -> Outcome<ObjectIndex> {
        self.schema.find(name).ok_or_else(Fault::not_found)
    }

    /// The object of this name in an org that is known to have it, or none.
    pub(crate) fn optional(&self, name: &str) -> Option<ObjectIndex> {
        self.schema.find(name)
    }

    pub(crate) fn table(&self, object: ObjectIndex) -> &Table {
        &self.tables[object]
    }

    pub(crate) fn table_mut(&mut self, object: ObjectIndex) -> &mut Table {
        &mut self.tables[object]
    }

    /// Gives every object a table, and every unique field an index.
    pub(crate) fn fit_tables(&mut self) {
        let known = self.tables.len();
        let added = self.schema.objects.iter().skip(known).map(Table::new);
        self.tables.extend(added);
        for (table, object) in self.tables.iter_mut().zip(&self.schema.objects) {
            table.fit(object);
        }
    }

    /// The row behind an id of any object, deleted or not.
    pub(crate) fn row(&self, id: RecordId) -> Option<(ObjectIndex, &Row)> {
        let object = self.schema.by_prefix(id.prefix())?;
        Some((object, self.tables[object].get(id)?))
    }

    /// A value of a record by field name; blank where anything on the way is missing.
    pub(crate) fn value_of(&self, id: RecordId, field: &str) -> Option<Value> {
        let (object, row) = self.row(id)?;
        let field = self.schema.object(object).named(field)?;
        self.cell(self.schema.object(object), field, row)
            .map(Cow::into_owned)
    }

    /// The text of a field of a record.
    pub(crate) fn text_of(&self, id: RecordId, field: &str) -> Option<String> {
        self.value_of(id, field)
            .and_then(|value| value.as_text().map(str::to_owned))
    }

    /// The value of one field of a row. A checkbox is never blank.
    pub(crate) fn cell<'r>(&self, object: &Object, field: &Field, row: &'r Row) -> Option<Cow<'r, Value>> {
        let value = match field.source {
            Source::Stored => {
                let stored = object.find(&field.name).and_then(|at| row.values.get(at));
                return cell_or_false(field, stored);
            }
            Source::Id => Value::Reference(row.id),
            Source::CreatedDate => Value::Moment(row.created),
            Source::CreatedBy => Value::Reference(row.created_by),
            Source::ModifiedDate => Value::Moment(row.modified),
            Source::ModifiedBy => Value::Reference(row.modified_by),
            Source::Stamp => Value::Moment(row.stamp),
            Source::Deleted => Value::Bool(row.deleted),
            Source::Compound => return None,
        };
        Some(Cow::Owned(value))
    }

    /// Like [`Org::cell`], where the place of the field is known: no look-up by name.
    pub(crate) fn cell_at<'r>(
        &self,
        object: &Object,
        at: FieldIndex,
        row: &'r Row,
    ) -> Option<Cow<'r, Value>> {
        let field = object.field(at);
        match field.source {
            Source::Stored => cell_or_false(field, row.values.get(at)),
            _ => self.cell(object, field, row),
        }
    }

    /// Whether this actor sees the row: a Contact without an Account is seen by its owner and administrators only.
    pub(crate) fn sees(&self, actor: Actor, object: &Object, row: &Row) -> bool {
        if actor.admin || object.name != "Contact" {
            return true;
        }
        let reference = |name: &str| {
            object
                .find(name)
                .and_then(|at| row.values.get(at))
                .and_then(Value::as_reference)
        };
        reference("AccountId").is_some() || reference("OwnerId") == Some(actor.user)
    }

    /// A fresh id for the object.
    pub(crate) fn draw_id(&mut self, object: ObjectIndex) -> RecordId {
        let number = self.tables[object].draw_id();
        RecordId::numbered(&self.schema.object(object).prefix, self.pod, number)
    }

    /// The `number`-th id with this prefix, of what is no record of a table.
    pub(crate) fn numbered(&self, prefix: &str, number: u64) -> RecordId {
        RecordId::numbered(prefix, self.pod, number)
    }

    /// Writes a row, to be undone with the transaction it belongs to.
    pub(crate) fn put(&mut self, object: ObjectIndex, row: Row) {
        let id = row.id;
        self.refer(object, &row, true);
        let before = self.tables[object].replace(id, Some(row));
        if let Some(old) = &before {
            self.unrefer_gone(object, old);
        }
        self.undo.push(Undo::Row { object, id, before });
    }

    /// Notes a change for the log, to be forgotten with the transaction it belongs to.
    pub(crate) fn note(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// A point to fall back to.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            undo: self.undo.len(),
            changes: self.changes.len(),
        }
    }

    /// Takes back everything since the mark.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        while self.undo.len() > mark.undo {
            match self.undo.pop() {
                Some(Undo::Row { object, id, before }) => self.take_back(object, id, before),
                Some(Undo::PendingEmails(before)) => self.pending_emails = before,
                None => break,
            }
        }
        self.changes.truncate(mark.changes);
    }

    fn take_back(&mut self, object: ObjectIndex, id: RecordId, before: Option<Row>) {
        if let Some(old) = &before {
            self.refer(object, old, true);
        }
        if let Some(now) = self.tables[object].replace(id, before) {
            self.unrefer_gone(object, &now);
        }
    }

    /// Keeps a user's new e-mail address until its owner confirms it.
    pub(crate) fn hold_email(&mut self, user: RecordId, email: String) {
        let before = self.pending_emails.clone();
        self.pending_emails.retain(|(known, _)| *known != user);
        self.pending_emails.push((user, email));
        self.undo.push(Undo::PendingEmails(before));
    }

    /// Ends the transaction: nothing before this can be taken back.
    pub(crate) fn commit(&mut self) {
        if self.veil_matters() {
            let written = self.written();
            self.draw_veil(written);
        }
        self.make_events();
        self.undo.clear();
        self.audit.extend(self.changes.drain(..));
        self.touched = None;
    }

    /// The rows of the running transaction, as they were before it.
    fn written(&self) -> Vec<(ObjectIndex, RecordId, Option<Row>)> {
        let mut known = BTreeSet::new();
        let rows = self.undo.iter().filter_map(|undo| match undo {
            Undo::Row { object, id, before } => Some((*object, *id, before.clone())),
            Undo::PendingEmails(_) => None,
        });
        rows.filter(|(object, id, _)| known.insert((*object, *id)))
            .collect()
    }

    /// Makes the change events of the transaction that ends.
    fn make_events(&mut self) {
        if self.changes.is_empty() || !self.events.open() {
            return;
        }
        let schema = Arc::clone(&self.schema);
        let commit = self.events.begin(&schema, self.now_milliseconds());
        let mut before = Before::new();
        for undo in &self.undo {
            if let Undo::Row {
                object,
                id,
                before: row,
            } = undo
            {
                before.entry((*object, *id)).or_insert(row.as_ref());
            }
        }
        let made = self.capture(&commit, &self.changes, &before);
        let made = self.befall_events(made);
        let now = self.now();
        self.events.publish(now, made);
    }

    /// The records that refer to this one: object, field and id of each.
    pub(crate) fn referrers(&self, id: RecordId) -> Vec<(ObjectIndex, FieldIndex, RecordId)> {
        self.referrers
            .range((id, 0, 0, RecordId::MIN)..)
            .take_while(|(target, ..)| *target == id)
            .map(|(_, object, field, source)| (*object, *field, *source))
            .collect()
    }

    /// The live records of one object that refer to this one through one field.
    pub(crate) fn children(&self, id: RecordId, object: &str, field: &str) -> Vec<RecordId> {
        let Some(child) = self.schema.find(object) else {
            return Vec::new();
        };
        let Some(field) = self.schema.object(child).find(field) else {
            return Vec::new();
        };
        self.referrers
            .range((id, child, field, RecordId::MIN)..)
            .take_while(|(target, o, f, _)| (*target, *o, *f) == (id, child, field))
            .map(|(.., source)| *source)
            .filter(|source| self.tables[child].get_live(*source).is_some())
            .collect()
    }

    fn refer(&mut self, object: ObjectIndex, row: &Row, enter: bool) {
        for (field, value) in row.values.iter() {
            if let Some(target) = value.as_reference().filter(|target| target.prefix() != "005") {
                let entry = (target, object, field, row.id);
                if enter {
                    self.referrers.insert(entry);
                } else {
                    self.referrers.remove(&entry);
                }
            }
        }
    }

    /// Forgets the references of a former row that the present one no longer has.
    fn unrefer_gone(&mut self, object: ObjectIndex, former: &Row) {
        self.refer(object, former, false);
        if let Some(present) = self.tables[object].get(former.id).cloned() {
            self.refer(object, &present, true);
        }
    }

    /// Whether the user may log in and own records.
    pub(crate) fn is_active(&self, user: RecordId) -> bool {
        self.value_of(user, "IsActive") == Some(Value::Bool(true))
    }

    /// Whether the user's profile is System Administrator.
    pub(crate) fn is_admin(&self, user: RecordId) -> bool {
        let profile = self
            .value_of(user, "ProfileId")
            .and_then(|value| value.as_reference());
        profile.and_then(|id| self.text_of(id, "Name")).as_deref() == Some("System Administrator")
    }

    /// The actor behind a user.
    pub(crate) fn actor(&self, user: RecordId, origin: Origin) -> Actor {
        Actor {
            user,
            admin: self.is_admin(user),
            origin,
        }
    }

    /// Refuses a transaction that creates users and writes other records.
    pub(crate) fn touch(&mut self, kind: Touched, object: &str) -> Outcome<()> {
        if self.touched.is_some_and(|before| before != kind) {
            return Err(Fault::new(
                Code::MixedDml,
                format!(
                    "DML operation on setup object is not permitted after you have updated a non-setup object \
                     (or vice versa): {object}"
                ),
            ));
        }
        self.touched = Some(kind);
        Ok(())
    }
}

fn cell_or_false<'r>(field: &Field, stored: Option<&'r Value>) -> Option<Cow<'r, Value>> {
    match stored {
        Some(value) => Some(Cow::Borrowed(value)),
        None if field.kind == super::schema::Kind::Boolean => Some(Cow::Owned(Value::Bool(false))),
        None => None,
    }
}

/// A token that nobody guesses.
fn secret() -> String {
    let mut bytes = [0_u8; 24];
    // Without the system's randomness the start's nanosecond has to do: the org is on loopback alone.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        bytes[..8].copy_from_slice(&nanos().to_be_bytes());
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

fn nanos() -> u64 {
    let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(age.as_nanos() & u128::from(u64::MAX)).unwrap_or_default() ^ u64::from(std::process::id())
}

/// Three characters that set the ids of one org apart from those of the next.
fn pod(seed: u64) -> [u8; 3] {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefgh";
    let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    [59, 54, 49].map(|shift| LETTERS[((mixed >> shift) & 31) as usize])
}

/// Entries that are kept up to a number, the oldest dropped first.
pub(crate) fn keep_latest<T>(queue: &mut VecDeque<T>, limit: usize) -> u64 {
    let mut dropped = 0;
    while queue.len() > limit {
        queue.pop_front();
        dropped += 1;
    }
    dropped
}
