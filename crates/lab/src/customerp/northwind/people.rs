//! Employees, customers and their contact persons.

use super::dump::Row;
use super::{Import, by_number};
use crate::customerp::server::StartError;
use crate::customerp::value::Value;

/// An employee of the dump in the ERP.
#[derive(Debug)]
pub(super) struct Colleague {
    pub(super) id: u64,
    pub(super) name: String,
}

/// A customer of the dump in the ERP.
#[derive(Debug)]
pub(super) struct Buyer {
    pub(super) id: u64,
    pub(super) contact: u64,
    pub(super) phone: Value,
    /// Street, city, state, postal code, country.
    pub(super) address: [Value; 5],
}

/// A text; a backslash followed by the letter n is a line end.
pub(super) fn text(row: &Row, column: usize) -> Value {
    row.text(column)
        .map_or(Value::Blank, |text| Value::text(text.replace("\\n", "\n")))
}

/// Five columns in a row: street, city, region, postal code, country.
pub(super) fn address(row: &Row, first: usize) -> [Value; 5] {
    [0, 1, 2, 3, 4].map(|offset| text(row, first + offset))
}

/// First and last name: the last word, with the small ones right before it ("de Castro").
fn split_name(name: &str) -> (String, String) {
    let words: Vec<&str> = name.split_whitespace().collect();
    let mut start = words.len().saturating_sub(1);
    while start > 0 && words[start - 1].starts_with(char::is_lowercase) {
        start -= 1;
    }
    (words[..start].join(" "), words[start..].join(" "))
}

impl Import<'_> {
    pub(super) fn employees(&mut self) -> Result<(), StartError> {
        let rows = by_number(self.dump, "employees")?;
        for (number, row) in &rows {
            let (first, last) = (row.needed(2)?, row.needed(1)?);
            let address_of_net = format!("{first}.{last}@northwind.example")
                .to_lowercase()
                .replace(' ', "-");
            let [street, city, state, postal_code, country] = address(row, 7);
            let fields = vec![
                ("employeeNumber", Value::text(number.to_string())),
                ("username", Value::text(&address_of_net)),
                ("email", Value::text(&address_of_net)),
                ("firstName", Value::text(first)),
                ("lastName", Value::text(last)),
                ("title", text(row, 3)),
                ("active", Value::Boolean(true)),
                ("phone", text(row, 12)),
                ("street", street),
                ("city", city),
                ("state", state),
                ("postalCode", postal_code),
                ("country", country),
            ];
            let id = self.seeding.put("Employee", fields);
            self.colleagues.insert(
                *number,
                Colleague {
                    id,
                    name: format!("{first} {last}"),
                },
            );
        }
        // Managers may come after those who report to them.
        for (number, row) in rows.iter().filter(|(_, row)| row.text(16).is_some()) {
            let unknown = || row.wrong("reports to an employee that is not in the dump");
            let manager = self.colleagues.get(&row.number(16)?).ok_or_else(unknown)?.id;
            let id = self.colleagues.get(number).map_or(0, |colleague| colleague.id);
            self.seeding
                .complete("Employee", id, "managerId", Value::Reference(manager));
        }
        Ok(())
    }

    pub(super) fn customers(&mut self) -> Result<(), StartError> {
        for row in self.dump.rows("customers") {
            let number = row.needed(0)?;
            let phone = text(row, 9);
            let address = address(row, 4);
            let [street, city, state, postal_code, country] = address.clone();
            let id = self.seeding.put(
                "Customer",
                vec![
                    ("customerNumber", Value::text(number)),
                    ("name", Value::text(row.needed(1)?)),
                    ("active", Value::Boolean(true)),
                    ("phone", phone.clone()),
                    ("street", street),
                    ("city", city),
                    ("state", state),
                    ("postalCode", postal_code),
                    ("country", country),
                ],
            );
            let contact = self.contact(row, id, &address)?;
            let buyer = Buyer {
                id,
                contact,
                phone,
                address,
            };
            if self.buyers.insert(number.to_owned(), buyer).is_some() {
                return Err(row.wrong(format!("customers has {number} twice")));
            }
        }
        Ok(())
    }

    fn contact(&mut self, row: &Row, customer: u64, address: &[Value; 5]) -> Result<u64, StartError> {
        let (first, last) = split_name(row.needed(2)?);
        let [street, city, state, postal_code, country] = address.clone();
        let fields = vec![
            ("firstName", Value::text(first)),
            ("lastName", Value::text(last)),
            ("title", text(row, 3)),
            ("customerId", Value::Reference(customer)),
            ("phone", text(row, 9)),
            ("fax", text(row, 10)),
            ("mailingStreet", street),
            ("mailingCity", city),
            ("mailingState", state),
            ("mailingPostalCode", postal_code),
            ("mailingCountry", country),
        ];
        Ok(self.seeding.put("Contact", fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_the_last_name_with_the_small_ones_before_it() {
        for (name, first, last) in [
            ("Maria Anders", "Maria", "Anders"),
            ("Isabel de Castro", "Isabel", "de Castro"),
            ("José Pedro Freyre", "José Pedro", "Freyre"),
            ("Anna van der Berg", "Anna", "van der Berg"),
            ("Cher", "", "Cher"),
            ("de Castro", "", "de Castro"),
        ] {
            assert_eq!(split_name(name), (first.to_owned(), last.to_owned()));
        }
    }
}
