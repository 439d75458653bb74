//! Stubs of well-known ERPs: each imitates the documented interface of one, with the habits that would bite, so that a ready
//! description of it can be tried without the real thing. They were written after the vendors' documentation and prove no more
//! than that Tandem and its authors read it the same way.
//!
//! A table of words (`odoo.txt` and so on) says which record types and properties a stub has. Everything is in memory, on
//! loopback, and gone when it ends.

mod answer;
mod clock;
mod erpnext;
mod netsuite;
mod odoo;
mod server;
mod shape;
mod store;
mod xero;

pub use server::{Options, Server, StartError, serve};

/// The ERPs that there are stubs of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Odoo 19 and later, by its JSON-2 interface.
    Odoo,
    /// ERPNext, by Frappe's REST interface.
    Erpnext,
    /// Xero, by its accounting interface.
    Xero,
    /// NetSuite, by its REST web services and SuiteQL.
    Netsuite,
}

impl Vendor {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Odoo, Self::Erpnext, Self::Xero, Self::Netsuite];

    /// Its name in commands and addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Odoo => "odoo",
            Self::Erpnext => "erpnext",
            Self::Xero => "xero",
            Self::Netsuite => "netsuite",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|vendor| vendor.name() == name)
    }

    /// Its users, Tandem's own before the others, with the secrets by which each signs in: the name that a description asks
    /// for, and the secret.
    #[must_use]
    pub fn users(self) -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
        match self {
            Self::Odoo => odoo::USERS
                .iter()
                .map(|(name, key)| (*name, vec![("key", *key), ("database", odoo::DATABASE)]))
                .collect(),
            Self::Erpnext => erpnext::USERS
                .iter()
                .map(|(name, key, secret)| (*name, vec![("key", *key), ("secret", *secret)]))
                .collect(),
            Self::Xero => xero::CLIENTS
                .iter()
                .map(|(name, secret, refresh)| {
                    let of = [
                        ("client_id", *name),
                        ("client_secret", *secret),
                        ("refresh_token", *refresh),
                    ];
                    (*name, of.into_iter().chain([("tenant", xero::TENANT)]).collect())
                })
                .collect(),
            Self::Netsuite => netsuite::CLIENTS
                .iter()
                .map(|(name, client, certificate)| {
                    let of = [
                        ("client_id", *client),
                        ("certificate", *certificate),
                        ("private_key", netsuite::KEY),
                    ];
                    (*name, of.to_vec())
                })
                .collect(),
        }
    }
}
