//! The lines of orders, and of the quotes that came before them.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};

use super::dump::Row;
use super::{Import, StartError, by_number};
use crate::customerp::value::Value;

/// Decimal places of a quantity.
const QUANTITY_SCALE: u32 = 4;

/// To the cent, or to the hundredth of a percent.
///
/// The dump prints 4-byte floats, 7.7 as 7.69999981: what was meant has two places.
fn hundredths(number: Decimal) -> Decimal {
    number.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

fn price(row: &Row) -> Result<Decimal, StartError> {
    row.decimal(2).map(hundredths)
}

/// In percent; a fraction in the dump, where 0.15 is 15 percent.
fn discount(row: &Row) -> Result<Decimal, StartError> {
    Ok(hundredths(row.decimal(4)? * Decimal::ONE_HUNDRED))
}

/// What a line comes to, half up to the cent.
pub(super) fn amount(row: &Row) -> Result<Decimal, StartError> {
    let left = (Decimal::ONE_HUNDRED - discount(row)?) / Decimal::ONE_HUNDRED;
    Ok(hundredths(price(row)? * row.decimal(3)? * left))
}

impl Import<'_> {
    /// Gives every record of `wholes`, by order number, the lines of that order, numbered as they stand in the dump.
    pub(super) fn lines(
        &mut self,
        type_name: &str,
        reference: &str,
        wholes: &BTreeMap<i64, u64>,
    ) -> Result<(), StartError> {
        let names = by_number(self.dump, "products")?;
        let mut lines: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
        for row in self.dump.rows("order_details") {
            lines.entry(row.number(0)?).or_default().push(row);
        }
        for (number, whole) in wholes {
            let rows = lines.get(number).into_iter().flatten();
            for (line_number, row) in (1..).zip(rows) {
                let product = row.number(1)?;
                let id = self.products.get(&product);
                let unknown = || row.wrong(format!("the product {product} is not in the dump"));
                let fields = vec![
                    (reference, Value::Reference(*whole)),
                    ("lineNumber", Value::Integer(line_number)),
                    ("productId", Value::Reference(*id.ok_or_else(unknown)?)),
                    ("quantity", Value::scaled(row.decimal(3)?, QUANTITY_SCALE)),
                    ("unitPrice", Value::amount(price(row)?)),
                    ("discount", Value::amount(discount(row)?)),
                    (
                        "description",
                        names
                            .get(&product)
                            .and_then(|name| name.text(1))
                            .map_or(Value::Blank, Value::text),
                    ),
                ];
                self.seeding.put(type_name, fields);
            }
        }
        Ok(())
    }
}
