//! Products, quotes, orders and projects.

use std::collections::BTreeMap;

use jiff::Span;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::dump::Row;
use super::people::{Buyer, address, text};
use super::{Import, by_number, lines};
use crate::customerp::server::StartError;
use crate::customerp::value::Value;

/// Orders are due, and quotes valid, for so many days.
const TERM: i64 = 30;
/// Orders whose number this divides were quoted first.
const QUOTED: i64 = 10;

fn after_term(date: Date) -> Value {
    Value::Date(date.saturating_add(Span::new().days(TERM)))
}

/// The five address properties of that prefix (`billing` or `shipping`).
fn address_fields(prefix: &str, address: [Value; 5]) -> Vec<(&'static str, Value)> {
    let names = if prefix == "billing" {
        [
            "billingStreet",
            "billingCity",
            "billingState",
            "billingPostalCode",
            "billingCountry",
        ]
    } else {
        [
            "shippingStreet",
            "shippingCity",
            "shippingState",
            "shippingPostalCode",
            "shippingCountry",
        ]
    };
    names.into_iter().zip(address).collect()
}

impl Import<'_> {
    pub(super) fn products(&mut self) -> Result<(), StartError> {
        let categories = by_number(self.dump, "categories")?;
        for (number, row) in by_number(self.dump, "products")? {
            let category = match row.text(3) {
                Some(_) => categories
                    .get(&row.number(3)?)
                    .map_or(Value::Blank, |category| text(category, 1)),
                None => Value::Blank,
            };
            let fields = vec![
                ("productNumber", Value::text(number.to_string())),
                ("name", Value::text(row.needed(1)?)),
                ("description", text(row, 4)),
                ("category", category),
                ("active", Value::Boolean(row.number(9)? == 0)),
            ];
            let id = self.seeding.put("Product", fields);
            self.products.insert(number, id);
        }
        Ok(())
    }

    /// Makes the quotes and returns their ids by order number.
    pub(super) fn quotes(&mut self) -> Result<BTreeMap<i64, u64>, StartError> {
        let totals = self.totals()?;
        let mut quotes = BTreeMap::new();
        for (number, row) in by_number(self.dump, "orders")? {
            if number % QUOTED != 0 {
                continue;
            }
            let buyer = self.buyer(row)?;
            let date = row.date(3)?;
            let freight = if row.text(7).is_some() {
                Value::amount(row.decimal(7)?)
            } else {
                Value::Blank
            };
            let mut fields = vec![
                ("quoteNumber", Value::text(format!("Q-{number}"))),
                ("title", Value::text(format!("Quote Q-{number}"))),
                ("status", Value::text("accepted")),
                ("customerId", Value::Reference(buyer.id)),
                ("contactId", Value::Reference(buyer.contact)),
                ("salespersonId", self.salesperson(row)?),
                ("quoteDate", Value::Date(date)),
                ("validUntil", after_term(date)),
                ("currency", Value::text(&self.currency)),
                (
                    "totalAmount",
                    Value::amount(totals.get(&number).copied().unwrap_or_default()),
                ),
                ("shippingCost", freight),
                ("phone", buyer.phone.clone()),
                (
                    "description",
                    Value::text(format!("Quoted to {}.", row.text(8).unwrap_or("the customer"))),
                ),
            ];
            fields.extend(address_fields("billing", buyer.address.clone()));
            fields.extend(address_fields("shipping", address(row, 9)));
            quotes.insert(number, self.seeding.put("Quote", fields));
        }
        Ok(quotes)
    }

    /// Makes the orders and returns their ids by order number.
    pub(super) fn orders(&mut self, quotes: &BTreeMap<i64, u64>) -> Result<BTreeMap<i64, u64>, StartError> {
        let totals = self.totals()?;
        let mut orders = BTreeMap::new();
        for (number, row) in by_number(self.dump, "orders")? {
            let buyer = self.buyer(row)?;
            let ordered_on = row.date(3)?;
            let shipped_on = row.text(5).map(|_| row.date(5)).transpose()?;
            let required_by = row.text(4).map(|_| row.date(4)).transpose()?;
            let mut fields = vec![
                ("orderNumber", Value::text(number.to_string())),
                ("title", Value::text(format!("Order {number}"))),
                (
                    "status",
                    Value::text(if shipped_on.is_some() {
                        "confirmed"
                    } else {
                        "draft"
                    }),
                ),
                ("customerId", Value::Reference(buyer.id)),
                ("billingContactId", Value::Reference(buyer.contact)),
                ("salespersonId", self.salesperson(row)?),
                (
                    "quoteId",
                    quotes
                        .get(&number)
                        .map_or(Value::Blank, |quote| Value::Reference(*quote)),
                ),
                ("orderDate", Value::Date(ordered_on)),
                ("dueDate", after_term(ordered_on)),
                ("confirmedAt", shipped_on.map_or(Value::Blank, midnight)),
                ("currency", Value::text(&self.currency)),
                (
                    "totalAmount",
                    Value::amount(totals.get(&number).copied().unwrap_or_default()),
                ),
                (
                    "description",
                    required_by.map_or(Value::Blank, |day| Value::text(format!("Required by {day}."))),
                ),
            ];
            fields.extend(address_fields("billing", buyer.address.clone()));
            fields.extend(address_fields("shipping", address(row, 9)));
            orders.insert(number, self.seeding.put("Order", fields));
        }
        Ok(orders)
    }

    /// One project per employee and year of their orders.
    pub(super) fn projects(&mut self) -> Result<(), StartError> {
        let mut years: BTreeMap<(i64, i16), usize> = BTreeMap::new();
        for row in self
            .dump
            .rows("orders")
            .iter()
            .filter(|row| row.text(2).is_some())
        {
            *years.entry((row.number(2)?, row.date(3)?.year())).or_default() += 1;
        }
        for ((employee, year), orders) in years {
            let Some(colleague) = self.colleagues.get(&employee) else {
                continue;
            };
            let fields = vec![
                ("name", Value::text(format!("{} {year}", colleague.name))),
                ("status", Value::text("active")),
                ("priority", Value::text("normal")),
                ("dueDate", Value::Date(date(year, 12, 31))),
                ("managerId", Value::Reference(colleague.id)),
                ("description", Value::text(format!("{orders} orders in {year}."))),
            ];
            self.seeding.put("Project", fields);
        }
        Ok(())
    }

    /// What each order comes to: the sum of its lines.
    fn totals(&self) -> Result<BTreeMap<i64, Decimal>, StartError> {
        let mut totals: BTreeMap<i64, Decimal> = BTreeMap::new();
        for row in self.dump.rows("order_details") {
            *totals.entry(row.number(0)?).or_default() += lines::amount(row)?;
        }
        Ok(totals)
    }

    fn buyer(&self, row: &Row) -> Result<&Buyer, StartError> {
        let number = row.needed(1)?;
        let unknown = || row.wrong(format!("the customer {number} is not in the dump"));
        self.buyers.get(number).ok_or_else(unknown)
    }

    fn salesperson(&self, row: &Row) -> Result<Value, StartError> {
        if row.text(2).is_none() {
            return Ok(Value::Blank);
        }
        let colleague = self.colleagues.get(&row.number(2)?);
        let unknown = || row.wrong("an order of an employee that is not in the dump");
        colleague
            .map(|colleague| Value::Reference(colleague.id))
            .ok_or_else(unknown)
    }
}

fn midnight(day: Date) -> Value {
    let zoned = day.to_zoned(TimeZone::UTC);
    zoned.map_or(Value::Blank, |midnight| {
        Value::DateTime(midnight.timestamp().as_millisecond())
    })
}
