//! The countries with their names, addresses and phones, read from `countries.txt`, and the words of `words.txt`.

use std::collections::BTreeMap;

use super::random::Random;

const COUNTRIES: &str = include_str!("countries.txt");
const WORDS: &str = include_str!("words.txt");

/// What the data of one country looks like.
#[derive(Debug, Default)]
pub(super) struct Country {
    pub(super) name: &'static str,
    lists: BTreeMap<&'static str, Vec<&'static str>>,
    cities: Vec<City>,
}

#[derive(Debug, Clone, Copy)]
struct City {
    name: &'static str,
    state: &'static str,
    postal: &'static str,
    area: &'static str,
}

/// An address with the phone numbers that go with it.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) street: String,
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) postal_code: String,
    pub(super) country: &'static str,
    area: &'static str,
}

/// A person's name, with the form of address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    pub(super) salutation: &'static str,
    pub(super) first: &'static str,
    pub(super) last: &'static str,
}

/// The lists of `words.txt`, by name.
#[derive(Debug)]
pub(super) struct Words(BTreeMap<&'static str, Vec<&'static str>>);

/// All countries, in the order of the file.
pub(super) fn countries() -> Vec<Country> {
    let mut countries: Vec<Country> = Vec::new();
    for line in COUNTRIES.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("country ") {
            countries.push(Country {
                name,
                ..Country::default()
            });
        }
        let (Some(country), Some(indented)) = (countries.last_mut(), line.strip_prefix("  ")) else {
            continue;
        };
        let (key, value) = indented.split_once(' ').unwrap_or((indented, ""));
        if key == "city" {
            country.cities.extend(city(value));
        } else if key == "phone" || key == "mobile" || key == "street" {
            // Patterns may have commas of their own.
            country.lists.insert(key, vec![value.trim()]);
        } else {
            country.lists.insert(key, list(value));
        }
    }
    countries
}

fn city(line: &'static str) -> Option<City> {
    let mut parts = line.split('|').map(str::trim);
    Some(City {
        name: parts.next()?,
        state: parts.next()?,
        postal: parts.next()?,
        area: parts.next()?,
    })
}

fn list(line: &'static str) -> Vec<&'static str> {
    line.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect()
}

impl Country {
    fn list(&self, key: &str) -> &[&'static str] {
        self.lists.get(key).map_or(&[], Vec::as_slice)
    }

    fn number(&self, key: &str) -> u64 {
        self.list(key)
            .first()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0)
    }

    /// Value added or sales tax, in percent.
    pub(super) fn tax(&self) -> u64 {
        self.number("tax")
    }

    /// One of the countries, by their weights.
    pub(super) fn any<'a>(countries: &'a [Self], random: &mut Random) -> &'a Self {
        let total = countries.iter().map(|country| country.number("weight")).sum();
        let mut left = random.below(total);
        for country in countries {
            let weight = country.number("weight");
            if left < weight {
                return country;
            }
            left -= weight;
        }
        &countries[0]
    }

    pub(super) fn address(&self, random: &mut Random) -> Address {
        let city = random.pick(&self.cities);
        let number = (1 + random.below(180)).to_string();
        let street = self.list("street")[0]
            .replace("{n}", &number)
            .replace("{s}", random.word(self.list("streets")));
        let postal_code = random.filled(city.postal);
        Address {
            street,
            city: city.name,
            state: city.state,
            postal_code,
            country: self.name,
            area: city.area,
        }
    }

    pub(super) fn phone(&self, address: &Address, random: &mut Random) -> String {
        random.filled(&self.list("phone")[0].replace("{area}", address.area))
    }

    pub(super) fn mobile(&self, address: &Address, random: &mut Random) -> String {
        random.filled(&self.list("mobile")[0].replace("{area}", address.area))
    }

    pub(super) fn person(&self, random: &mut Random) -> Name {
        let (salutation, names) = if random.percent(50) {
            ("Ms.", "women")
        } else {
            ("Mr.", "men")
        };
        let salutation = if random.percent(6) { "Dr." } else { salutation };
        Name {
            salutation,
            first: random.word(self.list(names)),
            last: random.word(self.list("last")),
        }
    }

    /// The name of a company there; with two family names where one has been tried.
    pub(super) fn company(&self, address: &Address, doubled: bool, random: &mut Random) -> String {
        let patterns = self.list("company");
        let mut pattern = random.word(patterns);
        while doubled && !pattern.contains("{last}") {
            pattern = random.word(patterns);
        }
        let mut last = random.word(self.list("last")).to_owned();
        if doubled {
            last = format!("{last}-{}", random.word(self.list("last")));
        }
        let name = pattern
            .replace("{last}", &last)
            .replace("{trade}", random.word(self.list("trade")));
        name.replace("{city}", address.city)
    }
}

impl Words {
    pub(super) fn built_in() -> Self {
        let lines = WORDS.lines().filter(|line| !line.starts_with('#'));
        let named = lines.filter_map(|line| line.split_at_checked(18));
        Self(named.map(|(name, words)| (name.trim(), list(words))).collect())
    }

    pub(super) fn any(&self, name: &str, random: &mut Random) -> &'static str {
        self.0.get(name).map_or("", |words| random.word(words))
    }
}

/// The text in plain letters, digits and hyphens, as addresses on the net are written.
pub(super) fn plain(text: &str, max: usize) -> String {
    let mut plain = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        match character {
            'a'..='z' | '0'..='9' => plain.push(character),
            'ä' => plain.push_str("ae"),
            'ö' => plain.push_str("oe"),
            'ü' => plain.push_str("ue"),
            'ß' => plain.push_str("ss"),
            'å' | 'á' | 'à' | 'â' | 'ã' | 'ā' => plain.push('a'),
            'ç' => plain.push('c'),
            'é' | 'è' | 'ê' | 'ë' | 'ē' => plain.push('e'),
            'í' | 'ì' | 'î' | 'ï' | 'ī' => plain.push('i'),
            'ñ' => plain.push('n'),
            'ó' | 'ò' | 'ô' | 'õ' | 'ō' => plain.push('o'),
            'ú' | 'ù' | 'û' | 'ū' => plain.push('u'),
            '\'' | '.' => {}
            _ if !plain.is_empty() && !plain.ends_with('-') => plain.push('-'),
            _ => {}
        }
    }
    plain.truncate(max);
    plain.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_has_all_it_needs() {
        let countries = countries();
        assert_eq!(countries.len(), 9);
        for country in &countries {
            for key in [
                "weight", "tax", "phone", "mobile", "street", "streets", "men", "women", "last", "trade",
                "company",
            ] {
                assert!(!country.list(key).is_empty(), "{} of {}", key, country.name);
            }
            assert!(country.cities.len() >= 5, "{}", country.name);
            let family = |pattern: &&str| pattern.contains("{last}");
            assert!(country.list("company").iter().any(family), "{}", country.name);
            assert!(country.number("weight") > 0);
        }
        let words = Words::built_in();
        for category in &words.0["category"] {
            assert!(
                words.0.contains_key(format!("thing_{category}").as_str()),
                "{category}"
            );
        }
    }

    #[test]
    fn plain_text_is_plain() {
        assert_eq!(
            plain("Gebrüder Groß GmbH & Co. KG", 40),
            "gebrueder-gross-gmbh-co-kg"
        );
        assert_eq!(plain("D'Angelo", 40), "dangelo");
        assert_eq!(plain("Établissements Lefèvre", 8), "etabliss");
        let all = countries();
        for name in all
            .iter()
            .flat_map(|country| country.list("last").iter().chain(country.list("men")))
        {
            assert!(plain(name, 40).len() >= 2, "{name}");
        }
    }
}
