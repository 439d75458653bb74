//! Moments as people write them.

use crate::failure::Failure;
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};

/// Reads `2026-03-01T12:00:00Z`, `2026-03-01 12:00`, `2026-03-01` (UTC), or how long ago: `90m`, `2h`, `3d`.
pub(crate) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let civil = |at: DateTime| at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp());
    let read = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| ago(text).and_then(|long| now.checked_sub(long).ok()))
        .or_else(|| text.parse::<DateTime>().ok().and_then(civil))
        .or_else(|| {
            text.parse::<Date>()
                .ok()
                .and_then(|day| civil(day.at(0, 0, 0, 0)))
        });
    read.ok_or_else(|| {
        Failure::usage(
            format!("`{text}` is no moment"),
            "Write 2026-03-01T12:00:00Z, '2026-03-01 12:00' (UTC), or how long ago: 90m, 2h, 3d",
        )
    })
}

fn ago(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let seconds: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number: i64 = text.strip_suffix(unit)?.parse().ok()?;
    Some(SignedDuration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_moment_is_written_in_full_in_short_or_as_how_long_ago() {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        for (text, at) in [
            ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
            ("2026-03-01T12:00:00+01:00", "2026-03-01T11:00:00Z"),
            ("2026-03-01 12:30", "2026-03-01T12:30:00Z"),
            ("2026-03-01", "2026-03-01T00:00:00Z"),
            ("2h", "2026-03-02T10:00:00Z"),
            ("1d", "2026-03-01T12:00:00Z"),
        ] {
            assert_eq!(moment(text, now).unwrap(), at.parse().unwrap(), "{text}");
        }
        for text in ["", "yesterday", "2x", "h", "99999999999999999999d"] {
            assert!(moment(text, now).is_err(), "{text}");
        }
    }
}
