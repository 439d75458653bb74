//! Employees, customers and their contacts.

use jiff::Span;
use jiff::civil::{Date, date};

use super::places::{Address, Country, Name, plain};
use super::random::Random;
use super::{Company, Stream};
use crate::customerp::value::Value;

/// The longest part of an e-mail address before, and of a domain after, the at sign.
const NAME_MAX: usize = 18;
const DOMAIN_MAX: usize = 26;
/// So often a name of two families is tried before one with a city.
const DOUBLED: u32 = 4;
/// How many employees report to one manager.
const SPAN_OF_CONTROL: usize = 6;

/// A colleague whom records refer to.
#[derive(Debug)]
pub(super) struct Employee {
    pub(super) id: u64,
}

/// A customer whom records refer to.
#[derive(Debug)]
pub(super) struct Customer {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) address: Address,
    /// Position in the list of countries.
    pub(super) country: usize,
    pub(super) contacts: Vec<Contact>,
    domain: String,
    phone: String,
}

/// A contact person whom records refer to.
#[derive(Debug, Clone)]
pub(super) struct Contact {
    pub(super) id: u64,
    pub(super) email: String,
    pub(super) phone: String,
}

/// So many days after the first Monday of 2023.
pub(super) fn day(days: u64) -> Date {
    let days = i64::try_from(days).unwrap_or(0);
    date(2023, 1, 2).saturating_add(Span::new().days(days))
}

fn sometimes(random: &mut Random, percent: u64, value: impl FnOnce(&mut Random) -> Value) -> Value {
    if random.percent(percent) {
        value(random)
    } else {
        Value::Blank
    }
}

/// The five properties of an address, by the prefix of their names (`billing` or none).
pub(super) fn address_fields(names: [&'static str; 5], address: &Address) -> [(&'static str, Value); 5] {
    let [street, city, state, postal_code, country] = names;
    [
        (street, Value::text(&address.street)),
        (city, Value::text(address.city)),
        (state, Value::text(address.state)),
        (postal_code, Value::text(&address.postal_code)),
        (country, Value::text(address.country)),
    ]
}

impl Company<'_> {
    /// Hires employees in a tree under the first.
    pub(super) fn employ(&mut self, count: u32) {
        for index in 0..count {
            let mut random = self.random(Stream::Employee, index);
            let country = Country::any(&self.countries, &mut random);
            let (address, name) = (country.address(&mut random), country.person(&mut random));
            let (phone, mobile) = (
                country.phone(&address, &mut random),
                country.mobile(&address, &mut random),
            );
            let office = self.words.any("office", &mut random);
            let rank = self.employees.len();
            let title = match rank {
                0 => "Managing Director".to_owned(),
                1..=SPAN_OF_CONTROL => format!("Head of {office}"),
                _ => self.words.any("title_employee", &mut random).to_owned(),
            };
            let local = format!("{}.{}", plain(name.first, NAME_MAX), plain(name.last, NAME_MAX));
            let manager = rank
                .checked_sub(1)
                .map(|below| self.employees[below / SPAN_OF_CONTROL].id);
            let mut fields = vec![
                (
                    "employeeNumber",
                    Value::Text(self.seeding.number("Employee", "employeeNumber")),
                ),
                (
                    "username",
                    Value::text(format!("{local}.{}@customerp.example", index + 1)),
                ),
                (
                    "email",
                    Value::text(format!("{local}.{}@mail.customerp.example", index + 1)),
                ),
                ("firstName", Value::text(name.first)),
                ("lastName", Value::text(name.last)),
                ("title", Value::text(title)),
                ("department", Value::text(office)),
                ("active", Value::Boolean(true)),
                ("managerId", manager.map_or(Value::Blank, Value::Reference)),
                ("phone", Value::text(phone)),
                ("mobilePhone", sometimes(&mut random, 70, |_| Value::text(mobile))),
            ];
            fields.extend(address_fields(
                ["street", "city", "state", "postalCode", "country"],
                &address,
            ));
            let id = self.seeding.put("Employee", fields);
            self.employees.push(Employee { id });
        }
    }

    /// Finds customers; the last `ties` of them bear the names of the first.
    pub(super) fn find_customers(&mut self, count: u32, ties: u32) {
        for index in 0..count {
            let mut random = self.random(Stream::Customer, index);
            let chosen = Country::any(&self.countries, &mut random);
            let address = chosen.address(&mut random);
            let phone = chosen.phone(&address, &mut random);
            let position = self
                .countries
                .iter()
                .position(|other| other.name == chosen.name)
                .unwrap_or(0);
            let twin = (count - index).checked_sub(1).filter(|from_end| *from_end < ties);
            let name = match twin {
                Some(from_end) => self.customers[from_end as usize].name.clone(),
                None => self.customer_name(position, &address, &mut random),
            };
            let domain = plain(&name, DOMAIN_MAX);
            let id = self.put_customer(&name, &domain, &address, &phone, &mut random);
            let contacts = Vec::new();
            self.customers.push(Customer {
                id,
                name,
                address,
                country: position,
                contacts,
                domain,
                phone,
            });
        }
    }

    fn put_customer(
        &mut self,
        name: &str,
        domain: &str,
        address: &Address,
        phone: &str,
        random: &mut Random,
    ) -> u64 {
        let since = 1985 + random.below(38);
        let remark = self.words.any("remark", random);
        let description = format!("Customer since {since}.\n{remark}.");
        let mut fields = vec![
            (
                "customerNumber",
                Value::Text(self.seeding.number("Customer", "customerNumber")),
            ),
            ("name", Value::text(name)),
            ("active", Value::Boolean(random.percent(96))),
            ("email", Value::text(format!("office@{domain}.example"))),
            ("phone", Value::text(phone)),
            (
                "website",
                sometimes(random, 80, |_| {
                    Value::text(format!("https://www.{domain}.example"))
                }),
            ),
            ("description", sometimes(random, 40, |_| Value::text(description))),
        ];
        fields.extend(address_fields(
            ["street", "city", "state", "postalCode", "country"],
            address,
        ));
        self.seeding.put("Customer", fields)
    }

    /// A name that no customer has yet: where names run out, of two families, then with the city, at last with a number.
    fn customer_name(&mut self, country: usize, address: &Address, random: &mut Random) -> String {
        let country = &self.countries[country];
        let mut name = country.company(address, false, random);
        let mut attempt = 0_u32;
        while !self.taken.insert(name.to_lowercase()) {
            attempt += 1;
            let of_two = country.company(address, true, random);
            name = match attempt {
                1..=DOUBLED => of_two,
                _ if attempt == DOUBLED + 1 => format!("{of_two} ({})", address.city),
                _ => format!("{of_two} ({} {attempt})", address.city),
            };
        }
        name
    }

    /// One contact per customer, the rest among them at random.
    pub(super) fn meet_contacts(&mut self, count: u32) {
        let customers = self.customers.len() as u64;
        for index in 0..count {
            let mut random = self.random(Stream::Contact, index);
            let place = if u64::from(index) < customers {
                u64::from(index)
            } else {
                random.below(customers)
            };
            self.meet(usize::try_from(place).unwrap_or(0), &mut random);
        }
    }

    fn meet(&mut self, place: usize, random: &mut Random) {
        let customer = &self.customers[place];
        let country = &self.countries[customer.country];
        let name = country.person(random);
        let address = customer.address.clone();
        let mobile = country.mobile(&address, random);
        let (home, fax) = (country.phone(&address, random), country.phone(&address, random));
        let direct = country.phone(&address, random);
        let phone = if random.percent(60) {
            direct
        } else {
            customer.phone.clone()
        };
        let superior = customer
            .contacts
            .first()
            .map(|contact| contact.id)
            .filter(|_| random.percent(60));
        let (customer_id, domain) = (customer.id, customer.domain.clone());
        let email = self.email(name, &domain);
        let birthdate = Value::Date(date(1955, 1, 1).saturating_add(Span::new().days(days(random, 17_000))));
        let mut fields = vec![
            (
                "salutation",
                sometimes(random, 80, |_| Value::text(name.salutation)),
            ),
            ("firstName", Value::text(name.first)),
            ("lastName", Value::text(name.last)),
            ("title", Value::text(self.words.any("title_contact", random))),
            (
                "department",
                sometimes(random, 70, |random| {
                    Value::text(self.words.any("department", random))
                }),
            ),
            ("customerId", Value::Reference(customer_id)),
            ("reportsToId", superior.map_or(Value::Blank, Value::Reference)),
            ("email", Value::text(&email)),
            ("phone", Value::text(&phone)),
            ("mobilePhone", sometimes(random, 60, |_| Value::text(mobile))),
            ("homePhone", sometimes(random, 10, |_| Value::text(home))),
            ("fax", sometimes(random, 25, |_| Value::text(fax))),
            ("birthdate", sometimes(random, 30, |_| birthdate)),
            (
                "description",
                sometimes(random, 15, |random| Value::text(self.words.any("remark", random))),
            ),
        ];
        let names = [
            "mailingStreet",
            "mailingCity",
            "mailingState",
            "mailingPostalCode",
            "mailingCountry",
        ];
        fields.extend(address_fields(names, &address));
        let id = self.seeding.put("Contact", fields);
        self.customers[place].contacts.push(Contact { id, email, phone });
    }

    /// An address that nobody has yet.
    fn email(&mut self, name: Name, domain: &str) -> String {
        let local = format!("{}.{}", plain(name.first, NAME_MAX), plain(name.last, NAME_MAX));
        let mut email = format!("{local}@{domain}.example");
        let mut number = 2_u32;
        while !self.taken.insert(email.clone()) {
            email = format!("{local}{number}@{domain}.example");
            number += 1;
        }
        email
    }
}

fn days(random: &mut Random, end: u64) -> i64 {
    i64::try_from(random.below(end)).unwrap_or(0)
}
