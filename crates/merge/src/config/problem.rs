//! Problems of a configuration, and how they are gathered.

use super::node::At;
use std::fmt;

/// Something wrong in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Problem {
    /// The file's path as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}. {}",
            self.file, self.line, self.column, self.message, self.help
        )
    }
}

/// All problems found so far.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem at a place of a file.
    pub fn add<T>(&mut self, file: &str, at: &At<T>, message: impl Into<String>, help: impl Into<String>) {
        let problem = Problem {
            file: file.to_owned(),
            line: at.line,
            column: at.column,
            message: message.into(),
            help: help.into(),
        };
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// All of them, by file and place.
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.0.sort();
        self.0
    }
}

/// `did you mean X?` where a name is near one of the candidates, else the list of them.
#[must_use]
pub fn suggestion<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = candidates.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("Did you mean `{near}`?");
    }
    match known.len() {
        0 => "There is none to choose from.".to_owned(),
        1..=30 => format!("Write one of: {}.", known.join(", ")),
        many => format!("None of the {many} known names is near it."),
    }
}

/// The candidate that a misspelled name most likely means.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let far = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= far && *candidate != name)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(
            nearest("Departement", ["Department", "Division"]),
            Some("Department")
        );
        assert_eq!(nearest("EMAIL", ["email", "phone"]), Some("email"));
        assert_eq!(nearest("colour", ["email", "phone"]), None);
        assert_eq!(
            suggestion("colour", ["phone", "email"]),
            "Write one of: email, phone."
        );
        assert_eq!(suggestion("colour", []), "There is none to choose from.");
    }
}
