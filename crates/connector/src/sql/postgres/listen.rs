//! Listening for `NOTIFY` on a connection of its own. What is told while nobody waits is kept for whoever waits next.

use super::super::pool::Pool;
use super::line::Server;
use futures::TryStreamExt;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::AsyncMessage;

/// So long after a connection was lost it is tried again.
const PAUSE: Duration = Duration::from_secs(5);

/// A task that listens until it is dropped.
pub(super) struct Listening {
    told: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Listening {
    pub(super) fn begin(pool: &Arc<Pool<Server>>, channel: &str) -> Self {
        let told = Arc::new(Notify::new());
        let (pool, tell, channel) = (Arc::downgrade(pool), Arc::clone(&told), channel.to_owned());
        let task = tokio::spawn(async move {
            while let Some(pool) = Weak::upgrade(&pool) {
                listen(pool, &channel, &tell).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { told, task }
    }

    /// Resolves once something was told since the last time.
    pub(super) fn told(&self) -> Arc<Notify> {
        Arc::clone(&self.told)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(pool: Arc<Pool<Server>>, channel: &str, tell: &Arc<Notify>) {
    let Ok((client, mut connection)) = pool.lines.begin().await else {
        return;
    };
    drop(pool);
    let heard = Arc::clone(tell);
    let reading = async move {
        let mut messages = futures::stream::poll_fn(move |context| connection.poll_message(context));
        while let Ok(Some(message)) = messages.try_next().await {
            if matches!(message, AsyncMessage::Notification(_)) {
                heard.notify_one();
            }
        }
    };
    let listening = async {
        if client
            .batch_execute(&format!("LISTEN \"{channel}\""))
            .await
            .is_ok()
        {
            // Whatever was told before is asked for once.
            tell.notify_one();
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = reading => {}
        () = listening => {}
    }
}
