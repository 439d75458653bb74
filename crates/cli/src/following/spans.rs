//! Spans for a collector of OpenTelemetry: a trace for each change, with the look that showed it, the decisions and the writes.
//! No value is in them.

use super::became;
use super::post::Post;
use crate::failure::Failure;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer, SdkTracerProvider};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tandem_api::Trace;
use tandem_connector::Outcome;
use tandem_engine::Happening;
use tandem_merge::cluster::{Action, Intent};
use tandem_merge::config::TraceSettings;
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::{Observation, RecordKey};

/// Where a collector takes spans, behind its address.
const PATH: &str = "/v1/traces";
/// So many changes are remembered.
const LATELY: usize = 256;
/// What has no answer for so long gets no span.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3_600);

thread_local! {
    /// The change whose first span is made next.
    static ROOT: Cell<Option<Trace>> = const { Cell::new(None) };
}

/// Gives the first span of a change ids that follow from it, so that whatever comes later finds its place without being
/// remembered, after a start as well.
#[derive(Debug, Default)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        ROOT.get().map_or_else(|| self.0.new_trace_id(), trace_id)
    }

    fn new_span_id(&self) -> SpanId {
        ROOT.get().map_or_else(|| self.0.new_span_id(), root_id)
    }
}

fn trace_id(trace: Trace) -> TraceId {
    TraceId::from(u128::from(trace.number()))
}

fn root_id(trace: Trace) -> SpanId {
    SpanId::from(trace.number())
}

/// Hands spans to a collector, many at a time, beside the work: what it does not take is dropped.
pub(super) struct Spans {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    one_in: u32,
    /// Since when writes are on their way.
    sent: Mutex<BTreeMap<u64, SystemTime>>,
    /// The changes whose first span was made lately: what is decided once more is seen once more.
    seen: Mutex<VecDeque<Trace>>,
}

impl Spans {
    pub(super) fn begin(settings: &TraceSettings, headers: HashMap<String, String>) -> Result<Self, Failure> {
        let address = format!("{}{PATH}", settings.endpoint.trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Post::new()?)
            .with_endpoint(address)
            .with_protocol(Protocol::HttpBinary)
            .with_headers(headers)
            .build();
        let exporter = exporter.map_err(|error| {
            Failure::usage(
                format!("spans cannot be sent to the `endpoint` of the traces ({error})"),
                "Write the address of a collector there that takes OTLP over HTTP, such as http://127.0.0.1:4318",
            )
        })?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder()
            .with_service_name("tandem")
            .with_attribute(version);
        let provider = SdkTracerProvider::builder()
            .with_id_generator(Ids::default())
            .with_resource(resource.build())
            .with_batch_exporter(exporter)
            .build();
        Ok(Self {
            tracer: provider.tracer("tandem"),
            provider,
            one_in: settings.one_in,
            sent: Mutex::default(),
            seen: Mutex::default(),
        })
    }

    fn takes(&self, trace: Trace) -> bool {
        // The last bit says that there is one.
        !trace.is_none() && (trace.number() >> 1).is_multiple_of(u64::from(self.one_in))
    }

    pub(super) fn happened(&self, what: &Happening<'_>) {
        match what {
            Happening::Taken { seen, trace } if self.takes(*trace) => self.seen(seen, *trace),
            Happening::Decided { event } if self.takes(event.trace) => self.decided(event),
            Happening::Sending { intents, .. } => self.sending(intents),
            Happening::Answered { intent, outcome, .. } => self.answered(intent, outcome),
            _ => {}
        }
    }

    /// The first span: from when the record was saved to when a decision takes that up.
    fn seen(&self, seen: &Observation, trace: Trace) {
        if self.was_seen(trace) {
            return;
        }
        let now = SystemTime::now();
        let saved = seen.version.as_ref().map(|version| version.modified);
        let began = saved.map_or(now, SystemTime::from).min(now);
        let builder = self.tracer.span_builder("seen").with_kind(SpanKind::Consumer);
        let builder = builder.with_start_time(began).with_attributes(of(&seen.key));
        ROOT.set(Some(trace));
        let mut span = builder.start_with_context(&self.tracer, &Context::new());
        ROOT.set(None);
        span.end_with_timestamp(now);
    }

    fn was_seen(&self, trace: Trace) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.contains(&trace);
        if !known {
            seen.truncate(LATELY - 1);
            seen.push_front(trace);
        }
        known
    }

    fn decided(&self, event: &Event) {
        let mut attributes = of(&event.record);
        let named = [("tandem.property", &event.property), ("tandem.flow", &event.flow)];
        for (name, value) in named {
            attributes.extend(value.clone().map(|value| KeyValue::new(name, value)));
        }
        let builder = self.tracer.span_builder(event.what.name());
        let mut span = builder
            .with_attributes(attributes)
            .start_with_context(&self.tracer, &below(event.trace));
        if matches!(event.what, EventKind::Parked { .. }) {
            span.set_status(Status::error("parked"));
        }
        span.end();
    }

    fn sending(&self, intents: &[Intent]) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        let wanted = intents
            .iter()
            .filter(|intent| intent.traces().into_iter().any(|trace| self.takes(trace)));
        // One that was put back, and planned under another number, is never answered.
        sent.retain(|_, began| now.duration_since(*began).is_ok_and(|lasted| lasted < FORGOTTEN));
        sent.extend(wanted.map(|intent| (intent.id, now)));
    }

    /// A span for each change that a write carried: from when it was sent to its answer.
    fn answered(&self, intent: &Intent, outcome: &Outcome) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(began) = sent.get(&intent.id).copied() else {
            return;
        };
        // What was taken and is done later is answered once more.
        if !matches!(outcome, Outcome::Accepted { .. }) {
            sent.remove(&intent.id);
        }
        drop(sent);
        let (name, target) = match &intent.action {
            Action::Create { target, .. } | Action::Companion { target, .. } => ("create", target),
            Action::Update { record } => ("update", &record.record_type),
            Action::Delete { record } => ("delete", &record.record_type),
        };
        let (said, wrong) = became(outcome);
        let attributes = [
            KeyValue::new("tandem.system", target.system.clone()),
            KeyValue::new("tandem.type", target.name.clone()),
            KeyValue::new("tandem.write", i64::try_from(intent.id).unwrap_or(i64::MAX)),
            KeyValue::new("tandem.outcome", said),
        ];
        for trace in intent.traces().into_iter().filter(|trace| self.takes(*trace)) {
            let builder = self.tracer.span_builder(name).with_kind(SpanKind::Client);
            let builder = builder.with_start_time(began).with_attributes(attributes.clone());
            let mut span = builder.start_with_context(&self.tracer, &below(trace));
            if wrong {
                span.set_status(Status::error(said));
            }
            span.end();
        }
    }
}

impl Drop for Spans {
    /// What was gathered is sent; a collector that does not answer is not waited for long.
    fn drop(&mut self) {
        let _ = self.provider.shutdown_with_timeout(Duration::from_secs(2));
    }
}

/// Where what a change leads to has its place: below its first span.
fn below(trace: Trace) -> Context {
    let context = SpanContext::new(
        trace_id(trace),
        root_id(trace),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    Context::new().with_remote_span_context(context)
}

fn of(record: &RecordKey) -> Vec<KeyValue> {
    vec![
        KeyValue::new("tandem.system", record.record_type.system.clone()),
        KeyValue::new("tandem.type", record.record_type.name.clone()),
        KeyValue::new("tandem.id", record.id.clone()),
    ]
}
