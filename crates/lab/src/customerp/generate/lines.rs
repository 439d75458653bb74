//! The lines of quotes and orders.
//!
//! They are drawn from a stream of their own, so that everything else is the same with lines as without, but for totals.

use rust_decimal::{Decimal, RoundingStrategy};

use super::{Company, Stream};
use crate::customerp::value::Value;

/// The most lines of a quote or an order.
const LINES: u64 = 5;
/// Discounts that are given, in percent; most lines have none.
const DISCOUNTS: [i64; 8] = [0, 0, 0, 0, 5, 10, 15, 25];

/// What has lines.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject {
    Quote,
    Order,
}

/// A product as it is sold.
#[derive(Debug)]
pub(super) struct Article {
    id: u64,
    name: String,
    price: Decimal,
}

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    product: u64,
    name: String,
    quantity: Decimal,
    price: Decimal,
    /// In percent; none is blank.
    discount: Option<Decimal>,
}

impl Line {
    /// What it comes to, half up to the cent.
    pub(super) fn amount(&self) -> Decimal {
        let left = (Decimal::ONE_HUNDRED - self.discount.unwrap_or_default()) / Decimal::ONE_HUNDRED;
        let exact = self.price * self.quantity * left;
        exact.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
    }
}

impl Company<'_> {
    /// Takes a product into the price list.
    pub(super) fn take_in(&mut self, id: u64, name: String, index: u32) {
        let mut random = self.random(Stream::Lines, index);
        let cents = 199 + random.below(30).pow(2) * 100 + random.below(100);
        let price = Decimal::new(i64::try_from(cents).unwrap_or(0), 2);
        self.products.push(Article { id, name, price });
    }

    /// The lines of the quote or order of that number; none where lines are left out.
    pub(super) fn draw_lines(&self, subject: Subject, index: u32) -> Vec<Line> {
        if !self.lines || self.products.is_empty() {
            return Vec::new();
        }
        // Quotes and orders share the stream, in halves of its numbers that products do not reach.
        let half = match subject {
            Subject::Quote => 1,
            Subject::Order => 2,
        };
        let mut random = super::Random::of(self.seed, Stream::Lines as u64, (half << 40) | u64::from(index));
        let count = 1 + random.below(LINES);
        (0..count)
            .map(|_| {
                let article = random.pick(&self.products);
                let discount = *random.pick(&DISCOUNTS);
                Line {
                    product: article.id,
                    name: article.name.clone(),
                    quantity: Decimal::from(1 + random.below(24)),
                    price: article.price,
                    discount: (discount > 0).then(|| Decimal::from(discount)),
                }
            })
            .collect()
    }

    /// Stores lines in their order.
    pub(super) fn put_lines(&mut self, subject: Subject, whole: u64, lines: &[Line]) {
        let (type_name, reference) = match subject {
            Subject::Quote => ("QuoteLine", "quoteId"),
            Subject::Order => ("OrderLine", "orderId"),
        };
        for (number, line) in (1..).zip(lines) {
            let fields = vec![
                (reference, Value::Reference(whole)),
                ("lineNumber", Value::Integer(number)),
                ("productId", Value::Reference(line.product)),
                ("quantity", Value::scaled(line.quantity, 4)),
                ("unitPrice", Value::amount(line.price)),
                ("discount", line.discount.map_or(Value::Blank, Value::amount)),
                ("description", Value::text(&line.name)),
            ];
            self.seeding.put(type_name, fields);
        }
    }
}
