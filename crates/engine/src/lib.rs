//! Observe, reconcile, write, settle, recover: the way of the data.
