//! One type's subscription, kept open by a task of its own for as long as the connector lives.

use super::Shared;
use super::shape::Shape;
use super::stream::{Standing, WINDOW};
use super::told::Told;
use super::trouble::{Ending, ending};
use super::wire::pub_sub_client::PubSubClient;
use super::wire::{ConsumerEvent, FetchRequest, FetchResponse, ReplayPreset, SchemaRequest};
use futures::channel::mpsc;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// The pause after the first break; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// When a refused subscription is tried again.
const REFUSED_PAUSE: Duration = Duration::from_mins(15);
/// The org gives a sign of life every 270 seconds.
const SILENCE: Duration = Duration::from_mins(5);

/// Whose events, and where they go.
pub(super) struct Subscription {
    pub(super) shared: Arc<Shared>,
    pub(super) channel: Channel,
    /// The record type.
    pub(super) name: String,
    /// Such as `/data/ContactChangeEvent`.
    pub(super) topic: String,
}

impl Subscription {
    /// Subscribes, again and again.
    pub(super) async fn keep(self) {
        let mut breaks = 0;
        let mut stale = None;
        loop {
            let ended = match self.follow(&mut stale, &mut breaks).await {
                Ok(()) => Ending::Broken("the stream ended".to_owned()),
                Err(status) => ending(&status),
            };
            self.tell(&ended);
            let pause = match ended {
                Ending::Refused(_) => REFUSED_PAUSE,
                Ending::SignedOut | Ending::Lost if breaks == 0 => Duration::ZERO,
                _ => PAUSE.saturating_mul(1 << breaks.min(6)).min(LONGEST_PAUSE),
            };
            stale = stale.filter(|_| ended == Ending::SignedOut);
            breaks = breaks.saturating_add(1);
            tokio::time::sleep(pause).await;
        }
    }

    fn tell(&self, ended: &Ending) {
        let (system, name) = (self.shared.session.http.system(), &self.name);
        match ended {
            Ending::Refused(why) => {
                tracing::warn!(system, "{system}: {name} is polled: {why}");
                self.shared
                    .change(name, |stream| stream.stand(Standing::Refused(why.clone())));
            }
            Ending::Lost => {
                tracing::warn!(
                    system,
                    "{system}: events of {name} were lost; it is compared in full"
                );
                self.shared.change(name, |stream| {
                    stream.lose();
                    stream.stand(Standing::Opening);
                });
            }
            Ending::SignedOut => self.shared.change(name, |stream| stream.stand(Standing::Opening)),
            Ending::Broken(what) => {
                tracing::info!(system, "{system}: the events of {name} broke off ({what})");
                self.shared.change(name, |stream| stream.stand(Standing::Opening));
            }
        }
    }

    /// One subscription, to its end.
    async fn follow(&self, stale: &mut Option<u64>, breaks: &mut u32) -> Result<(), Status> {
        let signed = self.shared.signed(*stale).await?;
        *stale = Some(signed.number());
        let client = PubSubClient::with_interceptor(self.channel.clone(), signed);
        let mut client = client.max_decoding_message_size(super::ANSWER_MAX);
        let position = self
            .shared
            .look(&self.name, |stream| stream.position().map(<[u8]>::to_vec));
        let (mut ask, asked) = mpsc::channel(4);
        let mut pending = WINDOW;
        let first = FetchRequest {
            topic_name: self.topic.clone(),
            replay_preset: match position {
                Some(_) => ReplayPreset::Custom.into(),
                None => ReplayPreset::Latest.into(),
            },
            replay_id: position.clone().unwrap_or_default(),
            num_requested: number(pending),
            auth_refresh: String::new(),
        };
        let _ = ask.try_send(first);
        let mut answers = client.subscribe(Request::new(asked)).await?.into_inner();
        if position.is_some() {
            self.shared
                .change(&self.name, |stream| stream.stand(Standing::Open));
        }
        loop {
            let room = self.shared.room(&self.name);
            let answer = tokio::select! {
                answer = tokio::time::timeout(SILENCE, answers.message()) => {
                    answer.map_err(|_| Status::unavailable("no sign of life"))??
                }
                () = room.notified() => {
                    self.ask_for_more(&mut ask, &mut pending);
                    continue;
                }
            };
            let Some(answer) = answer else { return Ok(()) };
            *breaks = 0;
            pending = pending.saturating_sub(answer.events.len());
            self.receive(&mut client, answer).await?;
            self.ask_for_more(&mut ask, &mut pending);
        }
    }

    /// Asks for as many further events as there is room for, once that is worth a message.
    fn ask_for_more(&self, ask: &mut mpsc::Sender<FetchRequest>, pending: &mut usize) {
        let room = self.shared.look(&self.name, |stream| stream.room());
        let more = room.saturating_sub(*pending);
        if more < WINDOW / 2 {
            return;
        }
        let request = FetchRequest {
            topic_name: self.topic.clone(),
            num_requested: number(more),
            ..FetchRequest::default()
        };
        if ask.try_send(request).is_ok() {
            *pending += more;
        }
    }

    async fn receive<I>(
        &self,
        client: &mut PubSubClient<tonic::service::interceptor::InterceptedService<Channel, I>>,
        answer: FetchResponse,
    ) -> Result<(), Status>
    where
        I: tonic::service::Interceptor,
    {
        for event in answer.events {
            let ConsumerEvent { event, replay_id } = event;
            let Some(event) = event else { continue };
            let shape = match self.shared.shape(&event.schema_id) {
                Some(shape) => shape,
                None => {
                    let request = SchemaRequest {
                        schema_id: event.schema_id.clone(),
                    };
                    let info = client.get_schema(request).await?.into_inner();
                    let shape = Shape::read(&info.schema_json);
                    let shape = shape.ok_or_else(|| Status::internal("a schema is not understood"))?;
                    self.shared.keep_shape(event.schema_id, shape)
                }
            };
            let told = Told::read(&shape, &event.payload);
            self.shared.change(&self.name, |stream| match told {
                Some(told) => stream.receive(told, replay_id),
                None => {
                    // Whatever it told, a comparison will find it.
                    stream.lose();
                    stream.arrive_at(replay_id);
                }
            });
        }
        self.shared.change(&self.name, |stream| {
            stream.stand(Standing::Open);
            if !answer.latest_replay_id.is_empty() {
                stream.arrive_at(answer.latest_replay_id);
            }
        });
        Ok(())
    }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
