//! A local Salesforce org: the REST API of the objects that the nine flows need, as Salesforce documents it, in memory,
//! on a loopback address, with a record browser at `/`.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use tandem_lab::salesforce::{Options, serve};
//! let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let server = serve(Options::default(), listener).await?;
//! println!("{}", server.url());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod admin;
mod api;
mod audit;
mod browser;
mod bulk;
mod calls;
mod connections;
mod cursor;
mod deploy;
mod events;
mod fault;
mod faults;
mod features;
mod id;
#[cfg(feature = "simulation")]
mod inside;
mod listen;
mod oauth;
mod options;
mod org;
mod packed;
mod schema;
mod seed;
mod server;
mod session;
mod shape;
mod soap;
mod soql;
mod sosl;
mod table;
mod tls;
mod validation;
mod value;
mod write;

pub use faults::{FaultAction, FaultRule};
pub use features::{ApprovalLock, QueueOptions, RecordTypeOptions};
pub use id::{MalformedId, RecordId};
#[cfg(feature = "simulation")]
pub use inside::Inside;
pub use options::{InvoiceSeed, Options, OptionsError, UserOptions};
pub use schema::{SchemaAction, SchemaChange};
pub use server::{ServeError, Server, serve};
pub use shape::{FieldAccess, FieldSecurity};
pub use tls::TlsError;
pub use validation::ValidationRule;
