//! The Pub/Sub API as a gRPC service.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::avro::{self, EventSchema};
use super::members::STANDARD;
use super::refusal::Refusal;
use super::subscription::Subscription;
use super::wire::pub_sub_server::{self, PubSubServer};
use super::wire::{
    FetchRequest, FetchResponse, ManagedFetchRequest, ManagedFetchResponse, PublishRequest, PublishResponse,
    SchemaInfo, SchemaRequest, TopicInfo, TopicRequest,
};
use crate::host::is_loopback;
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org, Origin};
use crate::salesforce::server::Shared;

/// Responses that wait for a slow reader.
const QUEUE: usize = 4;

/// The service.
pub(crate) struct PubSub {
    shared: Arc<Shared>,
    /// Closed when the org ends.
    ends: watch::Receiver<()>,
}

/// What a topic delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Everything selected.
    All,
    /// The changes of one object.
    Of(String),
}

impl Topic {
    pub(crate) fn delivers(&self, schema: &EventSchema) -> bool {
        match self {
            Topic::All => true,
            Topic::Of(entity) => *entity == schema.entity,
        }
    }
}

impl Org {
    /// The topic called so, if it exists and this user may read it.
    pub(super) fn topic(&self, actor: Actor, name: &str) -> Result<Topic, Refusal> {
        if name.trim().is_empty() {
            return Err(Refusal::TopicEmpty);
        }
        let event = name.strip_prefix("/data/").ok_or(Refusal::TopicNotFound)?;
        let topic = if event == STANDARD {
            Topic::All
        } else {
            let entity = avro::entity_name(event).ok_or(Refusal::TopicNotFound)?;
            let object = self.optional(&entity).ok_or(Refusal::TopicNotFound)?;
            let schema = self.event_schema(object).ok_or(Refusal::TopicNotFound)?;
            if avro::event_name(&schema.entity) != event {
                return Err(Refusal::TopicNotFound);
            }
            Topic::Of(schema.entity.clone())
        };
        // Change events show records past all sharing: only who sees all of them may subscribe.
        if actor.admin {
            Ok(topic)
        } else {
            Err(Refusal::CannotSubscribe)
        }
    }
}

/// The user behind the three headers of a call.
pub(super) fn authenticate(org: &Org, port: u16, headers: &MetadataMap) -> Result<Actor, Refusal> {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .ok_or(Refusal::Headers)
    };
    let (token, instance, tenant) = (
        header("accesstoken")?,
        header("instanceurl")?,
        header("tenantid")?,
    );
    let tenant = RecordId::parse(tenant).map_err(|_| Refusal::Headers)?;
    let instance = url::Url::parse(instance).map_err(|_| Refusal::Headers)?;
    let here = instance.host_str().is_some_and(is_loopback) && instance.port_or_known_default() == Some(port);
    let user = org
        .sessions
        .user(token, org.now())
        .filter(|user| here && tenant == org.organization() && org.is_active(*user));
    user.map(|user| org.actor(user, Origin::Api))
        .ok_or(Refusal::Authentication)
}

impl PubSub {
    /// The service of this org; it ends its streams when the sender of `ends` is gone.
    pub(crate) fn serve(shared: Arc<Shared>, ends: watch::Receiver<()>) -> PubSubServer<PubSub> {
        PubSubServer::new(PubSub { shared, ends })
    }

    /// Carries out a call of one answer: the caller is known, and the call has a name.
    fn answer<T>(
        &self,
        headers: &MetadataMap,
        work: impl FnOnce(&mut Org, Actor, &str) -> Result<T, Refusal>,
    ) -> Result<Response<T>, Status> {
        let mut org = self.shared.org();
        let rpc = org.events.draw_uuid();
        let actor =
            authenticate(&org, self.shared.port(), headers).map_err(|refusal| refusal.status(&rpc))?;
        work(&mut org, actor, &rpc)
            .map(Response::new)
            .map_err(|refusal| refusal.status(&rpc))
    }
}

#[tonic::async_trait]
impl pub_sub_server::PubSub for PubSub {
    type SubscribeStream = ReceiverStream<Result<FetchResponse, Status>>;
    type PublishStreamStream = ReceiverStream<Result<PublishResponse, Status>>;
    type ManagedSubscribeStream = ReceiverStream<Result<ManagedFetchResponse, Status>>;

    async fn subscribe(
        &self,
        request: Request<Streaming<FetchRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let headers = request.metadata().clone();
        let news = self.answer(&headers, |org, _, rpc| {
            Ok((org.events.news.subscribe(), rpc.to_owned()))
        })?;
        let (news, rpc) = news.into_inner();
        let (deliver, delivered) = mpsc::channel(QUEUE);
        let subscription = Subscription::new(Arc::clone(&self.shared), headers, rpc, deliver);
        tokio::spawn(subscription.run(request.into_inner(), news, self.ends.clone()));
        Ok(Response::new(ReceiverStream::new(delivered)))
    }

    async fn get_schema(&self, request: Request<SchemaRequest>) -> Result<Response<SchemaInfo>, Status> {
        self.answer(request.metadata(), |org, _, rpc| {
            let id = request.get_ref().schema_id.trim();
            if id.is_empty() {
                return Err(Refusal::SchemaEmpty);
            }
            let schema = org.events.schemas.get(id).ok_or(Refusal::SchemaUnknown)?;
            Ok(SchemaInfo {
                schema_json: schema.json.clone(),
                schema_id: schema.id.clone(),
                rpc_id: rpc.to_owned(),
            })
        })
    }

    async fn get_topic(&self, request: Request<TopicRequest>) -> Result<Response<TopicInfo>, Status> {
        self.answer(request.metadata(), |org, actor, rpc| {
            let schema = std::sync::Arc::clone(&org.schema);
            org.events.refresh(&schema);
            let name = request.get_ref().topic_name.clone();
            let schema_id = match org.topic(actor, &name)? {
                // Every event of a channel names its own schema.
                Topic::All => String::new(),
                Topic::Of(entity) => org
                    .optional(&entity)
                    .and_then(|object| org.event_schema(object))
                    .map_or_else(String::new, |schema| schema.id.clone()),
            };
            Ok(TopicInfo {
                topic_name: name,
                tenant_guid: format!("core/local/{}", org.organization()),
                can_publish: false,
                can_subscribe: true,
                schema_id,
                rpc_id: rpc.to_owned(),
            })
        })
    }

    async fn publish(&self, request: Request<PublishRequest>) -> Result<Response<PublishResponse>, Status> {
        self.answer(request.metadata(), |org, actor, _| {
            org.topic(actor, &request.get_ref().topic_name)?;
            Err(Refusal::CannotPublish)
        })
    }

    async fn publish_stream(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStreamStream>, Status> {
        let headers = request.metadata().clone();
        let first = request.into_inner().message().await?;
        self.answer(&headers, |org, actor, _| {
            org.topic(actor, &first.unwrap_or_default().topic_name)?;
            Err(Refusal::CannotPublish)
        })
    }

    async fn managed_subscribe(
        &self,
        request: Request<Streaming<ManagedFetchRequest>>,
    ) -> Result<Response<Self::ManagedSubscribeStream>, Status> {
        self.answer(request.metadata(), |_, _, _| Err(Refusal::Managed))
    }
}
