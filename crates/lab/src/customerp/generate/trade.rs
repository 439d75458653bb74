//! Products, quotes, orders and projects.

use jiff::Span;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::lines::{Line, Subject};
use super::parties::{Contact, address_fields, day};
use super::random::Random;
use super::{Company, Stream};
use crate::customerp::value::Value;

/// Dates of quotes and orders fall into 2023.
const DAYS: u64 = 365;
const SECONDS_OF_OFFICE_HOURS: u64 = 9 * 3600;

/// A quote that became an order.
#[derive(Debug)]
pub(super) struct Accepted {
    quote: u64,
    customer: usize,
    contact: Contact,
    salesperson: u64,
    day: u64,
    total: Decimal,
    lines: Vec<Line>,
}

impl Accepted {
    /// With the total that its lines come to, if it has any.
    fn added_up(self) -> Self {
        let total = if self.lines.is_empty() {
            self.total
        } else {
            self.lines.iter().map(Line::amount).sum()
        };
        Self { total, ..self }
    }
}

fn amount(random: &mut Random) -> Decimal {
    let whole = 50 + random.below(400).pow(2);
    Decimal::new(i64::try_from(whole * 100 + random.below(100)).unwrap_or(0), 2)
}

fn later(date: Date, days: i64) -> Date {
    date.saturating_add(Span::new().days(days))
}

const BILLING: [&str; 5] = [
    "billingStreet",
    "billingCity",
    "billingState",
    "billingPostalCode",
    "billingCountry",
];
const SHIPPING: [&str; 5] = [
    "shippingStreet",
    "shippingCity",
    "shippingState",
    "shippingPostalCode",
    "shippingCountry",
];

impl Company<'_> {
    pub(super) fn stock(&mut self, count: u32) {
        for index in 0..count {
            let mut random = self.random(Stream::Product, index);
            let category = self.words.any("category", &mut random);
            let thing = self.words.any(&format!("thing_{category}"), &mut random);
            let line = self.words.any("line", &mut random);
            let size = 10 * (1 + random.below(60));
            let name = format!("{thing} {line} {size}");
            let number = self.seeding.number("Product", "productNumber");
            let initials: String = category
                .split(' ')
                .filter_map(|word| word.chars().next())
                .collect();
            let fields = vec![
                (
                    "sku",
                    Value::text(format!("{initials}-{size:03}-{:05}", index + 1)),
                ),
                ("name", Value::text(&name)),
                (
                    "description",
                    Value::text(format!("{name}, sold singly. Article {number}.")),
                ),
                ("category", Value::text(category)),
                (
                    "url",
                    Value::text(format!(
                        "https://shop.customerp.example/{}",
                        number.to_lowercase()
                    )),
                ),
                ("active", Value::Boolean(random.percent(95))),
                ("productNumber", Value::Text(number)),
            ];
            let id = self.seeding.put("Product", fields);
            self.take_in(id, name, index);
        }
    }

    /// Makes quotes and returns those that were accepted.
    pub(super) fn quote(&mut self, count: u32) -> Vec<Accepted> {
        let mut accepted = Vec::new();
        for index in 0..count {
            let mut random = self.random(Stream::Quote, index);
            let Some((customer, contact)) = self.buyer(&mut random) else {
                continue;
            };
            let offer = Accepted {
                quote: 0,
                customer,
                contact,
                salesperson: self.salesperson(&mut random),
                day: random.below(DAYS),
                total: amount(&mut random),
                lines: self.draw_lines(Subject::Quote, index),
            }
            .added_up();
            let status = match random.below(100) {
                0..15 => "draft",
                15..20 => "needsReview",
                20..25 => "inReview",
                25..35 => "approved",
                35..40 => "rejected",
                40..60 => "presented",
                60..90 => "accepted",
                _ => "denied",
            };
            let quote = self.put_quote(&offer, status, &mut random);
            if status == "accepted" {
                accepted.push(Accepted { quote, ..offer });
            }
        }
        accepted
    }

    fn put_quote(&mut self, offer: &Accepted, status: &str, random: &mut Random) -> u64 {
        let number = self.seeding.number("Quote", "quoteNumber");
        let category = self.words.any("category", random);
        let customer = &self.customers[offer.customer];
        let date = day(offer.day);
        let tax = offer.total * Decimal::from(self.countries[customer.country].tax()) / Decimal::ONE_HUNDRED;
        let mut fields = vec![
            (
                "title",
                Value::text(format!("{category} for {} ({number})", customer.name)),
            ),
            ("status", Value::text(status)),
            ("customerId", Value::Reference(customer.id)),
            ("contactId", Value::Reference(offer.contact.id)),
            ("salespersonId", Value::Reference(offer.salesperson)),
            ("quoteDate", Value::Date(date)),
            ("validUntil", Value::Date(later(date, 30))),
            ("currency", Value::text(&self.currency)),
            ("totalAmount", Value::amount(offer.total)),
            ("tax", Value::amount(tax)),
            (
                "shippingCost",
                Value::amount(Decimal::new(495 + 100 * i64::from(random.percent(50)), 2)),
            ),
            ("email", Value::text(&offer.contact.email)),
            ("phone", Value::text(&offer.contact.phone)),
            (
                "description",
                Value::text(format!(
                    "{category} as discussed, free of obligation until the date given."
                )),
            ),
            ("quoteNumber", Value::Text(number)),
        ];
        fields.extend(address_fields(BILLING, &customer.address));
        fields.extend(address_fields(SHIPPING, &customer.address));
        let quote = self.seeding.put("Quote", fields);
        self.put_lines(Subject::Quote, quote, &offer.lines);
        quote
    }

    /// Takes orders: first those that accepted quotes became, then others.
    pub(super) fn sell(&mut self, count: u32, accepted: &[Accepted]) {
        for index in 0..count {
            let mut random = self.random(Stream::Order, index);
            if let Some(quoted) = accepted.get(index as usize) {
                self.put_order(quoted, &mut random);
                continue;
            }
            let Some((customer, contact)) = self.buyer(&mut random) else {
                continue;
            };
            let order = Accepted {
                quote: 0,
                customer,
                contact,
                salesperson: self.salesperson(&mut random),
                day: random.below(DAYS),
                total: amount(&mut random),
                lines: self.draw_lines(Subject::Order, index),
            }
            .added_up();
            self.put_order(&order, &mut random);
        }
    }

    fn put_order(&mut self, order: &Accepted, random: &mut Random) {
        let number = self.seeding.number("Order", "orderNumber");
        let remark = self.words.any("remark", random);
        let customer = &self.customers[order.customer];
        let ordered_on = later(day(order.day), 3);
        let confirmed = random.percent(70);
        let second = 7 * 3600 + random.below(SECONDS_OF_OFFICE_HOURS);
        let reference = random.percent(50);
        let receiver = random.pick(&customer.contacts).id;
        let blank_unless = |known: bool, value: Value| if known { value } else { Value::Blank };
        let mut fields = vec![
            ("title", Value::text(format!("Order {number}"))),
            (
                "status",
                Value::text(if confirmed { "confirmed" } else { "draft" }),
            ),
            ("customerId", Value::Reference(customer.id)),
            ("billingContactId", Value::Reference(order.contact.id)),
            ("shippingContactId", Value::Reference(receiver)),
            ("salespersonId", Value::Reference(order.salesperson)),
            (
                "quoteId",
                blank_unless(order.quote > 0, Value::Reference(order.quote)),
            ),
            ("orderDate", Value::Date(ordered_on)),
            ("dueDate", Value::Date(later(ordered_on, 30))),
            (
                "confirmedAt",
                blank_unless(confirmed, moment(later(ordered_on, 1), second)),
            ),
            ("currency", Value::text(&self.currency)),
            ("totalAmount", Value::amount(order.total)),
            (
                "customerReference",
                blank_unless(reference, Value::text(random.filled("PO-####-####"))),
            ),
            (
                "customerReferenceDate",
                blank_unless(reference, Value::Date(later(ordered_on, -1))),
            ),
            (
                "description",
                blank_unless(random.percent(60), Value::text(format!("{remark}."))),
            ),
            ("orderNumber", Value::Text(number)),
        ];
        fields.extend(address_fields(BILLING, &customer.address));
        fields.extend(address_fields(SHIPPING, &customer.address));
        let id = self.seeding.put("Order", fields);
        self.put_lines(Subject::Order, id, &order.lines);
    }

    pub(super) fn plan(&mut self, count: u32) {
        for index in 0..count {
            let mut random = self.random(Stream::Project, index);
            let Some((customer, contact)) = self.buyer(&mut random) else {
                continue;
            };
            let customer = &self.customers[customer];
            let subject = self.words.any("project", &mut random);
            let status = *random.pick(&["planned", "active", "active", "completed", "waiting", "onHold"]);
            let priority = *random.pick(&["high", "normal", "normal", "normal", "low"]);
            let fields = vec![
                ("name", Value::text(format!("{subject}: {}", customer.name))),
                ("status", Value::text(status)),
                ("priority", Value::text(priority)),
                ("dueDate", Value::Date(day(random.below(DAYS)))),
                ("managerId", Value::Reference(self.salesperson(&mut random))),
                ("contactId", Value::Reference(contact.id)),
                ("customerId", Value::Reference(customer.id)),
                (
                    "description",
                    Value::text(format!("{subject} on site in {}.", customer.address.city)),
                ),
            ];
            self.seeding.put("Project", fields);
        }
    }

    fn salesperson(&self, random: &mut Random) -> u64 {
        random.pick(&self.employees).id
    }

    /// A customer and one of its contacts; none when there are no customers.
    fn buyer(&self, random: &mut Random) -> Option<(usize, Contact)> {
        let place = usize::try_from(random.below(self.customers.len() as u64)).ok()?;
        let customer = self.customers.get(place)?;
        Some((place, random.pick(&customer.contacts).clone()))
    }
}

fn moment(date: Date, second: u64) -> Value {
    let seconds = i64::try_from(second).unwrap_or(0);
    let zoned = date.to_zoned(jiff::tz::TimeZone::UTC);
    zoned.map_or(Value::Blank, |midnight| {
        Value::DateTime(midnight.timestamp().as_millisecond() + seconds * 1000)
    })
}
