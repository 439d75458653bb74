//! What does not pass the checks is written as a comment with the reason, so that a proposal always reads.

use super::yaml::{comment, commented};
use tandem_merge::config::Problem;

/// Takes out, line by line, what problems point to, until none is left. None: it cannot be mended.
pub(crate) fn mended(text: String, check: impl Fn(&str) -> Vec<Problem>) -> Option<String> {
    let mut text = text;
    // Each round takes at least one line out.
    for _ in 0..=text.lines().count() {
        let problems = check(&text);
        let Some(problem) = problems.first() else {
            return Some(text);
        };
        text = without(&text, problem)?;
    }
    None
}

/// The text without the line of a problem and what stands below it.
pub(crate) fn without(text: &str, problem: &Problem) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let at = usize::try_from(problem.line).ok()?.checked_sub(1)?;
    let depth = |line: &str| line.len() - line.trim_start().len();
    let is_comment = |line: &str| line.trim_start().starts_with('#') || line.trim().is_empty();
    // A comment has no fault, and a line that already is one cannot be taken out again.
    let mut from = at.min(lines.len().checked_sub(1)?);
    while is_comment(lines[from]) {
        from = from.checked_sub(1)?;
    }
    // A key of the whole file holds more than what is at fault.
    let own = depth(lines[from]);
    let below = lines[from + 1..]
        .iter()
        .take_while(|line| depth(line) > own || line.trim().is_empty())
        .count();
    let (before, rest) = lines.split_at(from);
    let (taken, behind) = rest.split_at(1 + below);
    let why = format!("left out: {}. {}", problem.message, problem.help);
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    Some(joined(before) + &comment(own / 2, &why) + &commented(&joined(taken)) + &joined(behind))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn problem(line: u64) -> Problem {
        Problem {
            file: "it".to_owned(),
            line,
            column: 1,
            message: "it is wrong".to_owned(),
            help: "Write another.".to_owned(),
        }
    }

    #[test]
    fn what_is_at_fault_becomes_a_comment_with_all_below_it() {
        let text = "a:\n  bad:\n    x: 1\n  good: 2\n";
        let bad = |text: &str| {
            let found = text
                .lines()
                .position(|line| line.trim_start().starts_with("bad:"));
            found.map(|place| problem(place as u64 + 1)).into_iter().collect()
        };
        let mended = mended(text.to_owned(), bad).unwrap();
        assert_eq!(
            mended,
            "a:\n  # left out: it is wrong. Write another.\n  # bad:\n    # x: 1\n  good: 2\n"
        );
    }

    #[test]
    fn what_never_passes_ends() {
        assert_eq!(super::mended("a: 1\n".to_owned(), |_| vec![problem(1)]), None);
    }
}
