//! How things stood over time, as a band under a chart: what rested, what was away, and of when there is no record.

use super::parts::seconds;
use crate::pulse::{COLUMN, COLUMNS, Minute};
use jiff::Timestamp;
use maud::{Markup, html};
use std::fmt::Write;
use tandem_api::view::Course;

const WIDTH: u64 = 240;
const HEIGHT: u64 = 12;

/// One column of a band, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Column {
    /// How long it is, up to now.
    pub(super) length: u64,
    /// How much of it a process noted.
    pub(super) watched: u64,
    pub(super) held: u64,
    pub(super) paused: u64,
    /// A system did not answer, or was stopped.
    pub(super) away: u64,
}

/// Of a flow, or of the one that stood worst at the time; as days keep it.
pub(super) fn of_course(course: &Course, flow: Option<&str>, now: Timestamp) -> Vec<Column> {
    let step = course.step_seconds;
    let flows = || {
        let named = course.flows.iter();
        named.filter(|(name, _)| flow.is_none_or(|flow| flow == name.as_str()))
    };
    let column = |place: usize| {
        let at = |all: &[u64]| all.get(place).copied().unwrap_or_default();
        let begun = course.from.as_second() + (step * place as u64).cast_signed();
        let length = u64::try_from(now.as_second() - begun)
            .unwrap_or_default()
            .min(step);
        let systems = course.systems.values();
        let away = systems.map(|it| at(&it.away_seconds) + at(&it.stopped_seconds));
        Column {
            length,
            watched: at(&course.watched_seconds).min(length),
            held: flows()
                .map(|(_, it)| at(&it.held_seconds))
                .max()
                .unwrap_or_default(),
            paused: flows()
                .map(|(_, it)| at(&it.paused_seconds))
                .max()
                .unwrap_or_default(),
            away: away.max().unwrap_or_default(),
        }
    };
    (0..course.watched_seconds.len()).map(column).collect()
}

/// The same of the last hour, as this process saw it.
pub(super) fn of_minutes(minutes: &[Minute], flow: Option<&str>) -> Vec<Column> {
    let length = COLUMN.as_secs().unsigned_abs();
    let none = Column {
        length,
        ..Column::default()
    };
    let mut columns = vec![none; COLUMNS.saturating_sub(minutes.len())];
    let skipped = minutes.len().saturating_sub(COLUMNS);
    columns.extend(minutes.iter().skip(skipped).map(|minute| {
        let of = |all: &std::collections::BTreeSet<String>| match flow {
            Some(flow) => all.contains(flow),
            None => !all.is_empty(),
        };
        let all = |is: bool| if is { length } else { 0 };
        Column {
            length,
            watched: length,
            held: all(of(&minute.held)),
            paused: all(of(&minute.paused)),
            away: all(minute.away),
        }
    }));
    columns
}

/// What a band says, in words: `held 2 h, no record of 20 h`.
fn words(columns: &[Column]) -> String {
    let sum = |of: fn(&Column) -> u64| columns.iter().map(of).sum::<u64>();
    let all = [
        ("held", sum(|it| it.held)),
        ("paused", sum(|it| it.paused)),
        ("a system away", sum(|it| it.away)),
        ("no record of", sum(|it| it.length - it.watched.min(it.length))),
    ];
    // A moment that is not noted yet is none of which nothing is known.
    let told = all
        .into_iter()
        .filter(|(what, n)| *n > if *what == "no record of" { 120 } else { 0 });
    let told: Vec<String> = told.map(|(what, n)| format!("{what} {}", seconds(n))).collect();
    match told.is_empty() {
        true => "nothing rested and both systems answered".to_owned(),
        false => told.join(", "),
    }
}

/// The band. What is in trouble stands at its foot, each in a pattern and a colour of its own; what was never noted is blank.
pub(super) fn band(columns: &[Column], of: &str) -> Markup {
    let words = format!("{of}: {}", words(columns));
    let step = WIDTH / columns.len().max(1) as u64;
    // Lines as thick as a column is wide: their dashes are the pattern.
    let mut paths = [const { String::new() }; 4];
    for (place, column) in columns.iter().enumerate().filter(|(_, it)| it.length > 0) {
        let middle = (place as u64 * step * 2 + step) as f64 / 2.0;
        let high = |n: u64| (n * HEIGHT).div_ceil(column.length).min(HEIGHT);
        let mut foot = HEIGHT;
        let rest = column.watched;
        for (path, n) in paths
            .iter_mut()
            .zip([column.held, column.away, column.paused, rest])
        {
            let high = high(n).min(foot);
            if high > 0 {
                // Writing to a string cannot fail.
                let _ = write!(path, "M{middle} {foot}v-{high}");
                foot -= high;
            }
        }
    }
    let classes = ["held", "away", "paused", "well"];
    html! {
        svg.band viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(words) {
            title { (words) }
            rect.ground width=(WIDTH) height=(HEIGHT) {}
            @for (class, path) in classes.into_iter().zip(&paths) {
                @if !path.is_empty() { path class=(class) d=(path) stroke-width=(step.saturating_sub(1).max(1)) {} }
            }
        }
    }
}

/// The band with what it says below.
pub(super) fn told(columns: &[Column], of: &str) -> Markup {
    html! {
        (band(columns, of))
        p.small.stood { (words(columns)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_shows_what_rested_in_which_column_and_says_so() {
        let hour = |watched, held, paused, away| Column {
            length: 3_600,
            watched,
            held,
            paused,
            away,
        };
        let columns = [
            hour(0, 0, 0, 0),
            hour(3_600, 1_800, 0, 300),
            hour(3_600, 0, 3_600, 0),
        ];
        let drawn = band(&columns, "order-order in the last day").into_string();
        for part in [
            "aria-label=\"order-order in the last day: held 30 min, paused 60 min, a system away 5 min, no record of 60 min\"",
            // Half of the second column is held, the third is paused as a whole, the first is blank.
            "<path class=\"held\" d=\"M120 12v-6\"",
            "<path class=\"away\" d=\"M120 6v-1\"",
            "<path class=\"paused\" d=\"M200 12v-12\"",
            "<path class=\"well\" d=\"M120 5v-5\"",
        ] {
            assert!(drawn.contains(part), "{part}: {drawn}");
        }
        let well = band(&[hour(3_600, 0, 0, 0)], "all").into_string();
        assert!(
            well.contains("all: nothing rested and both systems answered"),
            "{well}"
        );
    }
}
