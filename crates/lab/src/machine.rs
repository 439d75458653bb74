//! The machine's clock.

use jiff::Timestamp;

#[cfg(feature = "simulation")]
thread_local! {
    static CLOCK: std::cell::Cell<Option<fn() -> Timestamp>> = const { std::cell::Cell::new(None) };
}

/// What this thread takes for the time from now on; none: the machine's clock.
#[cfg(feature = "simulation")]
pub fn set_clock(clock: Option<fn() -> Timestamp>) {
    CLOCK.set(clock);
}

/// The moment; in a simulation what the thread takes for it.
pub(crate) fn now() -> Timestamp {
    #[cfg(feature = "simulation")]
    if let Some(clock) = CLOCK.get() {
        return clock();
    }
    Timestamp::now()
}
