//! The law of conditions, tried on a record that is there: an update under a version that the record never had, to the value
//! that it has. A system that keeps the law refuses it, and one that does not changes nothing by it.

use super::writing::one;
use super::{Proofs, Tried, firm};
use crate::{Change, Error, Outcome};
use tandem_merge::record::{Observation, Presence, Values, Version};
use tandem_merge::value::Value;

/// The law of [`Capabilities::conditional_write`](crate::Capabilities::conditional_write), tried on what is there.
pub const NEVER_HAD: &str = "an update of a version that never was is refused and changes nothing";
/// Records that are looked at for one whose version protects it and that has a text.
const LOOKED_AT: usize = 20;

/// Tries it, where the system says that it refuses such updates. `listed`: records of the type.
pub(super) async fn prove(
    tried: &Tried<'_>,
    listed: &[Observation],
    proofs: &mut Proofs,
) -> Result<(), Error> {
    if !tried.system.capabilities().conditional_write || !tried.described.updateable {
        return Ok(());
    }
    for shown in listed.iter().take(LOOKED_AT) {
        let shown = firm(tried.system, tried.of, &shown.key.id).await?;
        let alive = shown.filter(|shown| shown.presence == Presence::Alive);
        let Some((shown, wrong, values)) = alive.and_then(|shown| harmless(tried, shown)) else {
            continue;
        };
        let update = Change::Update {
            record: shown.key.clone(),
            values,
            only_if: Some(wrong),
        };
        match one(tried, update.under("tandem-check")).await {
            Outcome::Stale => proofs.add(true, NEVER_HAD, format!("refused, on {}", shown.key.id)),
            Outcome::Applied { .. } => proofs.add(
                false,
                NEVER_HAD,
                format!(
                    "an update of {} under a version that it never had was taken (to the value that it had: nothing is lost)",
                    shown.key.id
                ),
            ),
            other => proofs.untried(NEVER_HAD, format!("a version that it never had is answered with {other:?}")),
        }
        return Ok(());
    }
    proofs.untried(NEVER_HAD, "no record was shown that has a version and a text");
    Ok(())
}

/// A version that the record never had, and a text that it has.
fn harmless(tried: &Tried<'_>, shown: Observation) -> Option<(Observation, Version, Values)> {
    let version = shown.version.clone().filter(|version| version.firm)?;
    let token = other(&version.token)?;
    let text = shown.values.iter().find(|(name, value)| {
        let of = tried.described.properties.get(*name);
        let free = of.is_some_and(|of| of.updateable && of.data_type == "string" && of.references.is_empty());
        free && matches!(value, Value::Text(_)) && !value.is_blank()
    });
    let values = text.map(|(name, value)| Values::from([(name.clone(), value.clone())]))?;
    Some((shown, Version { token, ..version }, values))
}

/// A token of the same form: a digit is one less (of a time that is an earlier one), or else a letter is another.
fn other(token: &str) -> Option<String> {
    let mut signs: Vec<char> = token.chars().collect();
    let place = signs.iter().position(|sign| matches!(sign, '1'..='9'));
    if let Some(place) = place {
        signs[place] = char::from_digit(signs[place].to_digit(10)? - 1, 10)?;
        return Some(signs.into_iter().collect());
    }
    let place = signs.iter().rposition(char::is_ascii_alphabetic)?;
    signs[place] = if signs[place] == 'a' { 'b' } else { 'a' };
    Some(signs.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::other;

    #[test]
    fn another_token_has_the_same_form() {
        for (token, changed) in [
            ("W/\"17\"", "W/\"07\""),
            ("2026-01-31T12:00:10Z", "1026-01-31T12:00:10Z"),
            ("\"abc\"", "\"aba\""),
            ("a", "b"),
        ] {
            assert_eq!(other(token).as_deref(), Some(changed));
        }
        assert_eq!(other("--"), None);
    }
}
