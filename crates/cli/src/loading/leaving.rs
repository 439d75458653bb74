//! Systems that were signed in to: whoever ends leaves them, so that no seat is taken for nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tandem_connector::Connector;

static OPEN: Mutex<Vec<Arc<dyn Connector>>> = Mutex::new(Vec::new());

/// A system that takes longer is left as it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection was made; those that nobody uses any more are left.
pub(super) async fn opened(connector: &Arc<dyn Connector>) {
    let mut open = std::mem::take(&mut *OPEN.lock().unwrap_or_else(PoisonError::into_inner));
    let (left, mut used): (Vec<_>, Vec<_>) = open.drain(..).partition(|one| Arc::strong_count(one) == 1);
    used.push(Arc::clone(connector));
    OPEN.lock().unwrap_or_else(PoisonError::into_inner).extend(used);
    leave(left).await;
}

/// Leaves all of them: the process ends.
pub(crate) async fn leave_all() {
    let open = std::mem::take(&mut *OPEN.lock().unwrap_or_else(PoisonError::into_inner));
    leave(open).await;
}

async fn leave(systems: Vec<Arc<dyn Connector>>) {
    let all = systems.iter().map(|system| system.leave());
    let left = tokio::time::timeout(PATIENCE, futures::future::join_all(all)).await;
    if left.is_err() {
        tracing::warn!("a system did not answer when Tandem left it");
    }
}
