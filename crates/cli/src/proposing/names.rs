//! The words by which things are known, in several languages. They are data: `words.csv`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

const WORDS: &str = include_str!("words.csv");

static KNOWN: LazyLock<BTreeMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let rows = WORDS.lines().skip(1).filter_map(|line| line.split_once(','));
    rows.map(|(what, names)| (what, names.split_whitespace().collect()))
        .collect()
});

/// The names of something, the likeliest first.
pub(crate) fn names(what: &str) -> &'static [&'static str] {
    KNOWN.get(what).map_or(&[], Vec::as_slice)
}

/// A name without its case and its signs: `Order_Date`, `orderDate` and `order-date` are the same.
pub(crate) fn plain(name: &str) -> String {
    let letters = name.chars().filter(|sign| sign.is_alphanumeric());
    let mut plain = String::new();
    for letter in letters.flat_map(char::to_lowercase) {
        match letter {
            'ä' | 'æ' => plain.push_str("ae"),
            'ö' | 'ø' => plain.push('o'),
            'ü' => plain.push_str("ue"),
            'ß' => plain.push_str("ss"),
            'å' | 'á' | 'à' | 'â' | 'ã' => plain.push('a'),
            'é' | 'è' | 'ê' | 'ë' => plain.push('e'),
            'í' | 'ì' | 'î' | 'ï' => plain.push('i'),
            'ó' | 'ò' | 'ô' | 'õ' => plain.push('o'),
            'ú' | 'ù' | 'û' => plain.push('u'),
            'ñ' => plain.push('n'),
            'ç' => plain.push('c'),
            other => plain.push(other),
        }
    }
    plain
}

/// Whether a name means something.
pub(crate) fn means(name: &str, what: &str) -> bool {
    rank(name, what).is_some()
}

/// How likely a name means something: 0 is the likeliest. None: it does not.
pub(crate) fn rank(name: &str, what: &str) -> Option<usize> {
    let plain = plain(name);
    names(what).iter().position(|known| *known == plain)
}

/// Of several the likeliest that means something.
pub(crate) fn likeliest<T>(
    all: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> &str,
    what: &str,
) -> Option<T> {
    let ranked = all
        .into_iter()
        .filter_map(|one| Some((rank(name(&one), what)?, one)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, one)| one)
}

/// One of many: `order-lines` becomes `order-line`, `companies` `company`.
pub(crate) fn singular(name: &str) -> String {
    let lower = name.to_lowercase();
    let cut = |letters: usize| name[..name.len() - letters].to_owned();
    if !name.is_ascii() || name.len() < 4 {
        return name.to_owned();
    }
    if lower.ends_with("ies") {
        return cut(3) + "y";
    }
    if ["sses", "shes", "ches", "xes"]
        .iter()
        .any(|end| lower.ends_with(end))
    {
        return cut(2);
    }
    if lower.ends_with('s') && !["ss", "us", "is"].iter().any(|end| lower.ends_with(end)) {
        return cut(1);
    }
    name.to_owned()
}

/// `order-lines` as `OrderLines`.
pub(crate) fn pascal(name: &str) -> String {
    let words = name.split(|sign: char| !sign.is_alphanumeric());
    words.map(capital).collect()
}

/// `city` as `City`.
pub(crate) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_however_it_is_written() {
        assert_eq!(plain("Geändert_Am"), "geaendertam");
        assert_eq!(
            rank("LAST_MODIFIED_DATE_TIME", "modified"),
            rank("lastModifiedDateTime", "modified")
        );
        assert!(means("updated_at", "modified") && !means("updated_by", "modified"));
        let all = ["rev", "version"];
        assert_eq!(likeliest(all, |name| name, "version"), Some("version"));
    }

    #[test]
    fn one_of_many_is_told() {
        let singulars = [
            ("customers", "customer"),
            ("companies", "company"),
            ("addresses", "address"),
            ("status", "status"),
            ("boxes", "box"),
            ("Artikel", "Artikel"),
        ];
        for (many, one) in singulars {
            assert_eq!(singular(many), one);
        }
        assert_eq!(pascal("order-lines"), "OrderLines");
    }
}
