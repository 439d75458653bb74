//! Small charts, drawn as SVG.

use maud::{Markup, html};
use std::fmt::Write;

const WIDTH: usize = 240;
const HEIGHT: usize = 36;

/// Counts over time as bars, the newest at the right, with what they are in words.
pub(super) fn bars(counts: &[u64], columns: usize, words: &str) -> Markup {
    let most = counts.iter().copied().max().unwrap_or_default();
    let step = WIDTH / columns.max(1);
    let empty = columns.saturating_sub(counts.len());
    let mut path = String::new();
    for (place, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let high = height(*count, most);
        let left = (empty + place) * step;
        // Writing to a string cannot fail.
        let _ = write!(
            path,
            "M{left} {HEIGHT}v-{high}h{}v{high}z",
            step.saturating_sub(1).max(1)
        );
    }
    html! {
        svg.bars viewBox={ "0 0 " (WIDTH) " " (HEIGHT + 1) } preserveAspectRatio="none" role="img" aria-label=(words) {
            title { (words) }
            path.ground d={ "M0 " (HEIGHT) "h" (WIDTH) } {}
            path d=(path) {}
        }
    }
}

/// A bar is at least as high as to be seen.
fn height(count: u64, most: u64) -> u64 {
    let room = HEIGHT as u64;
    (count * room / most.max(1)).max(2)
}

/// How much of something is used.
pub(super) fn gauge(used: u64, of: u64, words: &str) -> Markup {
    let share = used.saturating_mul(100) / of.max(1);
    let class = match share {
        90.. => "gauge bad",
        75..90 => "gauge warn",
        _ => "gauge",
    };
    html! {
        svg class=(class) viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(words) {
            title { (words) }
            rect.ground width="100" height="6" {}
            rect width=(share.min(100)) height="6" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_bar_is_at_the_right_and_the_highest_fills_the_room() {
        let drawn = bars(&[1, 0, 4], 60, "changes").into_string();
        assert!(drawn.contains("M228 36v-9h3v9zM236 36v-36h3v36z"), "{drawn}");
    }
}
