//! Sample records made up from a seed: the same seed, the same records, whatever the day.

mod lines;
mod parties;
mod places;
mod random;
mod trade;

use std::collections::HashSet;
use std::fmt;

use super::options::Options;
use super::seeding::Seeding;
use super::store::Store;
use lines::Article;
use parties::{Customer, Employee};
use places::{Country, Words, countries};
use random::Random;

/// How many records of each type the generator makes. Quotes and orders also have one to five lines each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// As asked for.
    pub customers: u32,
    /// 1.2 per customer, every customer having at least one.
    pub contacts: u32,
    /// One for 100 customers, from 5 to 200.
    pub employees: u32,
    /// One for 10 customers, from 10 to 2,000.
    pub products: u32,
    /// One for 2 customers.
    pub quotes: u32,
    /// Three for 2 customers.
    pub orders: u32,
    /// Three for 10 customers.
    pub projects: u32,
}

impl Counts {
    /// The counts that go with so many customers.
    #[must_use]
    pub fn of(customers: u32) -> Self {
        let part = |numerator: u64, denominator: u64| {
            u32::try_from(u64::from(customers) * numerator / denominator).unwrap_or(u32::MAX)
        };
        Self {
            customers,
            contacts: part(12, 10),
            employees: (customers / 100).clamp(5, 200),
            products: (customers / 10).clamp(10, 2_000),
            quotes: part(5, 10),
            orders: part(15, 10),
            projects: part(3, 10),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            customers,
            contacts,
            employees,
            products,
            quotes,
            orders,
            projects,
        } = self;
        write!(
            f,
            "{customers} customers, {contacts} contacts, {employees} employees, {products} products, {quotes} quotes, \
             {orders} orders, {projects} projects"
        )
    }
}

/// What is drawn for one type of record comes from a stream of its own.
#[derive(Debug, Clone, Copy)]
enum Stream {
    Customer = 1,
    Contact,
    Employee,
    Product,
    Quote,
    Order,
    Project,
    Lines,
}

/// A company in the making: what later records refer to.
struct Company<'a> {
    seeding: Seeding<'a>,
    seed: u64,
    currency: String,
    /// Whether quotes and orders get lines.
    lines: bool,
    products: Vec<Article>,
    countries: Vec<Country>,
    words: Words,
    /// Names of customers and e-mail addresses given so far, case-folded.
    taken: HashSet<String>,
    employees: Vec<Employee>,
    customers: Vec<Customer>,
}

impl Company<'_> {
    fn random(&self, stream: Stream, index: u32) -> Random {
        Random::of(self.seed, stream as u64, u64::from(index))
    }
}

/// Fills an empty store.
pub(crate) fn fill(store: &mut Store, options: &Options) {
    let counts = Counts::of(options.records);
    let mut company = Company {
        seeding: Seeding::new(store),
        seed: options.seed,
        currency: options.currency.clone(),
        lines: options.lines,
        products: Vec::new(),
        countries: countries(),
        words: Words::built_in(),
        taken: HashSet::new(),
        employees: Vec::new(),
        customers: Vec::new(),
    };
    company.employ(counts.employees);
    company.find_customers(counts.customers, options.ties);
    company.meet_contacts(counts.contacts);
    company.stock(counts.products);
    let accepted = company.quote(counts.quotes);
    company.sell(counts.orders, &accepted);
    company.plan(counts.projects);
}
