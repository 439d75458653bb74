//! One subscription: from requests for events to their delivery.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Status, Streaming};

use super::encode;
use super::event::Event;
use super::refusal::Refusal;
use super::service::{Topic, authenticate};
use super::wire::{ConsumerEvent, FetchRequest, FetchResponse, ProducerEvent, ReplayPreset};
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::server::Shared;

/// How many events one request may ask for, and one response may carry.
const MOST: i32 = 100;

/// Events, each with its replay id.
type Batch = Vec<(u64, Arc<Event>)>;

/// A subscriber, and how far it got.
pub(crate) struct Subscription {
    shared: Arc<Shared>,
    headers: MetadataMap,
    rpc: String,
    deliver: mpsc::Sender<Result<FetchResponse, Status>>,
    topic: Option<(String, Topic)>,
    /// The place in the log up to which events were delivered.
    place: u64,
    /// How many events are asked for and not delivered.
    pending: i32,
}

impl Subscription {
    pub(crate) fn new(
        shared: Arc<Shared>,
        headers: MetadataMap,
        rpc: String,
        deliver: mpsc::Sender<Result<FetchResponse, Status>>,
    ) -> Subscription {
        Subscription {
            shared,
            headers,
            rpc,
            deliver,
            topic: None,
            place: 0,
            pending: 0,
        }
    }

    /// Delivers until the subscriber leaves, is refused, or the org ends.
    pub(crate) async fn run(
        mut self,
        mut requests: Streaming<FetchRequest>,
        mut news: watch::Receiver<u64>,
        mut ends: watch::Receiver<()>,
    ) {
        let silence = self.shared.keepalive();
        let mut asks = true;
        let mut sign_of_life = pin!(tokio::time::sleep(silence));
        loop {
            let step = tokio::select! {
                biased;
                _ = ends.changed() => Err(Refusal::Unavailable),
                () = self.deliver.closed() => return,
                request = requests.message(), if asks => match request {
                    Ok(Some(request)) => self.ask(&request),
                    // Nothing more is asked for: what was is still delivered.
                    Ok(None) => { asks = false; Ok(()) }
                    Err(_) => return,
                },
                changed = news.changed(), if self.pending > 0 => {
                    if changed.is_err() { Err(Refusal::Unavailable) } else { Ok(()) }
                }
                () = &mut sign_of_life => {
                    sign_of_life.as_mut().reset(Instant::now() + silence);
                    match self.sign_of_life() {
                        Ok(response) => { if !self.send(response).await { return } Ok(()) }
                        Err(refusal) => Err(refusal),
                    }
                }
            };
            news.mark_unchanged();
            let delivered = match step {
                Ok(()) => self.drain().await,
                Err(refusal) => Err(refusal),
            };
            match delivered {
                Ok(0) => {}
                Ok(_) => sign_of_life.as_mut().reset(Instant::now() + silence),
                Err(refusal) => {
                    // A subscriber that left needs no reason.
                    let _ = self.deliver.send(Err(refusal.status(&self.rpc))).await;
                    return;
                }
            }
            if !asks && self.pending == 0 {
                return;
            }
        }
    }

    /// Takes a request: the first says where to begin.
    fn ask(&mut self, request: &FetchRequest) -> Result<(), Refusal> {
        let shared = Arc::clone(&self.shared);
        let mut org = shared.org();
        let actor = self.caller(&org)?;
        let schema = Arc::clone(&org.schema);
        org.events.refresh(&schema);
        match &self.topic {
            None => {
                let topic = org.topic(actor, &request.topic_name)?;
                if request.num_requested <= 0 {
                    return Err(Refusal::Requested);
                }
                self.place = begin(&mut org, request)?;
                self.topic = Some((request.topic_name.clone(), topic));
            }
            Some((name, _)) => {
                if !request.topic_name.is_empty() && request.topic_name != *name {
                    return Err(Refusal::TopicMismatch);
                }
                if request.num_requested <= 0 {
                    return Err(Refusal::Requested);
                }
            }
        }
        self.pending = self.pending.saturating_add(request.num_requested.min(MOST));
        Ok(())
    }

    fn caller(&self, org: &Org) -> Result<Actor, Refusal> {
        authenticate(org, self.shared.port(), &self.headers)
    }

    /// Delivers what there is, as far as it is asked for. Answers how many events it was.
    async fn drain(&mut self) -> Result<usize, Refusal> {
        let mut sum = 0;
        while let Some(batch) = self.next_batch()? {
            sum += batch.len();
            let response = FetchResponse {
                events: batch
                    .iter()
                    .map(|(replay, event)| consumer_event(*replay, event))
                    .collect(),
                latest_replay_id: replay_id(self.place),
                rpc_id: self.rpc.clone(),
                pending_num_requested: self.pending,
            };
            if !self.send(response).await {
                break;
            }
        }
        Ok(sum)
    }

    /// The next events, paid for from the day's deliveries.
    fn next_batch(&mut self) -> Result<Option<Batch>, Refusal> {
        let Some((_, topic)) = &self.topic else {
            return Ok(None);
        };
        if self.pending == 0 {
            return Ok(None);
        }
        let mut org = self.shared.org();
        authenticate(&org, self.shared.port(), &self.headers)?;
        let now = org.now();
        let wanted = usize::try_from(self.pending.min(MOST)).unwrap_or_default();
        let left = usize::try_from(org.events.allowance.left(now)).unwrap_or(usize::MAX);
        let page = org.events.log.after(self.place, wanted.min(left), |event| {
            topic.delivers(&event.schema)
        });
        let page = page.ok_or(Refusal::ReplayCorrupted)?;
        self.place = page.upto;
        if page.events.is_empty() {
            let more = left == 0
                && org
                    .events
                    .log
                    .has_after(self.place, |event| topic.delivers(&event.schema));
            return if more { Err(Refusal::Exhausted) } else { Ok(None) };
        }
        org.events.allowance.spend(now, page.events.len() as u64);
        self.pending -= i32::try_from(page.events.len()).unwrap_or(MOST);
        Ok(Some(page.events))
    }

    /// A response without events, with a place to go on from.
    fn sign_of_life(&mut self) -> Result<FetchResponse, Refusal> {
        let mut org = self.shared.org();
        authenticate(&org, self.shared.port(), &self.headers)?;
        let now = org.now();
        if self.pending > 0 {
            // Nothing is left before this place, or it would have been delivered.
            self.place = org.events.log.latest(now);
        }
        Ok(FetchResponse {
            events: Vec::new(),
            latest_replay_id: replay_id(self.place),
            rpc_id: self.rpc.clone(),
            pending_num_requested: self.pending,
        })
    }

    async fn send(&self, response: FetchResponse) -> bool {
        self.deliver.send(Ok(response)).await.is_ok()
    }
}

/// The place that the first request names.
fn begin(org: &mut Org, request: &FetchRequest) -> Result<u64, Refusal> {
    let now = org.now();
    match ReplayPreset::try_from(request.replay_preset).unwrap_or(ReplayPreset::Latest) {
        ReplayPreset::Latest => Ok(org.events.log.latest(now)),
        ReplayPreset::Earliest => Ok(org.events.log.earliest(now)),
        ReplayPreset::Custom if request.replay_id.is_empty() => Err(Refusal::ReplayMissing),
        ReplayPreset::Custom => {
            let bytes: Result<[u8; 8], _> = request.replay_id.as_slice().try_into();
            let place = bytes
                .map(u64::from_be_bytes)
                .map_err(|_| Refusal::ReplayCorrupted)?;
            if org.events.log.knows(now, place) {
                Ok(place)
            } else {
                Err(Refusal::ReplayCorrupted)
            }
        }
    }
}

fn replay_id(place: u64) -> Vec<u8> {
    place.to_be_bytes().to_vec()
}

fn consumer_event(replay: u64, event: &Event) -> ConsumerEvent {
    ConsumerEvent {
        event: Some(ProducerEvent {
            id: event.id.clone(),
            schema_id: event.schema.id.clone(),
            payload: encode::payload(event),
            headers: Vec::new(),
        }),
        replay_id: replay_id(replay),
    }
}
