//! Rules by which a person answers many conflicts at once.

use crate::cluster::{Contender, Question};

/// A rule that picks one of a conflict's contenders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerRule {
    /// The contender of this system; of several the latest.
    Owner(String),
    /// The latest edit; of equally late ones the larger value, as the policy has it.
    Latest,
    /// The value that is not blank, where there is one alone.
    BlankLoses,
}

/// The contender that a rule picks; none where it says nothing about this conflict.
#[must_use]
pub fn pick<'a>(question: &'a Question, rule: &AnswerRule) -> Option<&'a Contender> {
    let all = question.contenders.iter();
    match rule {
        AnswerRule::Owner(system) => {
            let of_system = |contender: &&Contender| {
                let record = contender.record.as_ref();
                record.is_some_and(|record| &record.record_type.system == system)
            };
            latest(all.filter(of_system))
        }
        AnswerRule::Latest => latest(all),
        AnswerRule::BlankLoses => {
            let (blank, rest): (Vec<_>, Vec<_>) = all.partition(|contender| contender.value.is_blank());
            let mut values: Vec<_> = rest.iter().map(|contender| &contender.value).collect();
            values.dedup();
            if blank.is_empty() || values.len() != 1 {
                return None;
            }
            latest(rest.into_iter())
        }
    }
}

fn latest<'a>(contenders: impl Iterator<Item = &'a Contender>) -> Option<&'a Contender> {
    contenders.max_by(|a, b| {
        let key = |contender: &'a Contender| (contender.span.to, &contender.value, &contender.record);
        key(a).cmp(&key(b))
    })
}
