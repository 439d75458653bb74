//! ERPs that are databases, kept in step with a local org by the examples: Northwind in PostgreSQL and in MariaDB, edited
//! on both sides, and killed in the middle of the first sync.

use crate::examples::Example;
use crate::local::{northwind, tandem};
use crate::rest;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// All that both sides have of Northwind.
const LINKS: u64 = 4_165;
/// The same by object of the org and by table of the ERP. A customer's row is a contact and a division, too, an order's an
/// invoice.
const COUNTS: [(&str, &str, u64); 6] = [
    ("Account", "customers", 91),
    ("Contact", "customers", 91),
    ("Product2", "products", 77),
    ("Order", "orders", 830),
    ("Invoice__c", "orders", 830),
    ("OrderItem", "order_details", 2_155),
];

/// Northwind in a database of its own.
struct Erp {
    example: Example,
    database: String,
    /// The words that begin a command which runs SQL, and those that name the database.
    client: Vec<String>,
    drop: String,
}

impl Drop for Erp {
    fn drop(&mut self) {
        self.sql("", &self.drop);
    }
}

impl Erp {
    fn in_postgres(dump: &str) -> Self {
        let server = std::env::var("TANDEM_POSTGRES").expect("a server: clients/with-postgres");
        let of = |key: &str| {
            let mut words = server.split(' ');
            words.find_map(|it| it.strip_prefix(key)).unwrap().to_owned()
        };
        let (host, user) = (of("host="), of("user="));
        let client = [
            "psql",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            &host,
            "-U",
            &user,
        ];
        let erp = Self::of("northwind-postgres", &client, " WITH (FORCE)");
        erp.sql("", &format!("CREATE DATABASE {}", erp.database));
        erp.sql(&erp.database, &std::fs::read_to_string(dump).unwrap());
        let host = host.replace('/', "%2F");
        let url = format!("postgres://{user}@{host}/{}", erp.database);
        erp.connected("postgres://127.0.0.1:5432/northwind", &url)
    }

    fn in_mariadb(dump: &str) -> Self {
        let server = std::env::var("TANDEM_MYSQL").expect("a server: clients/with-mariadb");
        let (_, socket) = server.split_once("socket=").unwrap();
        let client = ["mariadb", "--no-defaults", "-N", "-B", "-u", "root", "-S", socket];
        let erp = Self::of("northwind-mariadb", &client, "");
        erp.sql(
            "",
            &format!("CREATE DATABASE {} CHARACTER SET utf8mb4", erp.database),
        );
        let converted = Command::new("python3")
            .arg(erp.example.path("convert.py"))
            .arg(dump)
            .output()
            .unwrap();
        assert!(
            converted.status.success(),
            "{}",
            String::from_utf8_lossy(&converted.stderr)
        );
        erp.sql(&erp.database, &String::from_utf8(converted.stdout).unwrap());
        let url = format!("mysql://root@localhost/{}?socket={socket}", erp.database);
        erp.connected("mysql://127.0.0.1:3306/northwind", &url)
    }

    fn of(example: &'static str, client: &[&str], force: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let database = format!(
            "northwind_{}_{}",
            std::process::id(),
            MADE.fetch_add(1, Ordering::Relaxed)
        );
        Self {
            example: Example::of(example),
            drop: format!("DROP DATABASE {database}{force}"),
            database,
            client: client.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    /// Lets the example find the database, as a user who needs no password.
    fn connected(self, from: &str, to: &str) -> Self {
        self.example.edit("tandem.yaml", from, to);
        let secrets = "    secrets:\n      user: { env: ERP_USER }\n      password: { env: ERP_PASSWORD }\n";
        self.example.edit("tandem.yaml", secrets, "");
        self
    }

    /// What SQL answers, run by the database's own client.
    fn sql(&self, database: &str, sql: &str) -> String {
        let database = if database.is_empty() && self.client[0] == "psql" {
            "postgres"
        } else {
            database
        };
        let mut client = Command::new(&self.client[0]);
        client
            .args(&self.client[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if !database.is_empty() {
            client.arg(database);
        }
        let mut running = client.spawn().unwrap();
        let mut input = running.stdin.take().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || std::io::Write::write_all(&mut input, sql.as_bytes()).unwrap());
            let output = running.wait_with_output().unwrap();
            assert!(output.status.success(), "{sql:.300}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        })
    }

    fn here(&self, sql: &str) -> String {
        self.sql(&self.database, sql)
    }

    fn sync(&self) {
        self.example.done(&["sync", "--yes"]);
    }

    /// A record of the org.
    fn id(&self, soql: &str) -> String {
        self.example.query(soql)[0]["Id"].as_str().unwrap().to_owned()
    }

    fn patch(&self, object: &str, id: &str, body: &serde_json::Value) {
        rest::patch_salesforce(&self.example.org.url, object, id, body);
    }

    /// The way of it: a first sync, edits on either side, a deletion, and an edit of the same on both.
    fn is_kept_in_step(&self) {
        self.example.done(&["check"]);
        self.sync();
        self.example.in_step(LINKS);
        // WHEN either side is edited, a line goes and the org's own people edit what the ERP keeps, THEN all of it arrives
        self.here(
            "UPDATE customers SET city = 'Potsdam' WHERE customer_id = 'ALFKI';
             DELETE FROM order_details WHERE order_id = 10248 AND product_id = 11;
             UPDATE order_details SET quantity = 99 WHERE order_id = 10248 AND product_id = 42;",
        );
        let chang = self.id("SELECT Id FROM Product2 WHERE Name = 'Chang'");
        self.patch("Product2", &chang, &json!({ "Name": "Chang Beer" }));
        self.sync();
        self.example.in_step(LINKS - 1);
        let city = &self
            .example
            .query("SELECT BillingCity FROM Account WHERE Name = 'Alfreds Futterkiste'")[0];
        assert_eq!(city["BillingCity"], "Potsdam");
        let line = |key: &str| {
            format!("SELECT Id, Quantity FROM OrderItem WHERE Customerp_Id__c = 'OrderLine:{key}'")
        };
        assert_eq!(self.example.query(&line("10248|11")).len(), 0);
        assert_eq!(
            self.example.query(&line("10248|42"))[0]["Quantity"].as_f64(),
            Some(99.0)
        );
        assert_eq!(
            self.here("SELECT product_name FROM products WHERE product_id = 2"),
            "Chang Beer"
        );
        // WHEN both edit the same, THEN the flow's rule decides, and it is told
        self.here("UPDATE order_details SET quantity = 7 WHERE order_id = 10248 AND product_id = 72");
        let there = self.id(&line("10248|72"));
        self.patch("OrderItem", &there, &json!({ "Quantity": 8 }));
        let synced = self.example.done(&["sync", "--yes", "--json"]);
        assert!(synced.out.contains("\"conflicts\":1"), "{}", synced.out);
        self.example.in_step(LINKS - 1);
        // WHEN a line is deleted in the org, THEN its row goes
        let rows = "SELECT count(*) FROM order_details WHERE order_id = 10248";
        assert_eq!(self.here(rows), "2");
        rest::delete_salesforce(&self.example.org.url, "OrderItem", &there);
        self.sync();
        self.example.in_step(LINKS - 2);
        assert_eq!(self.here(rows), "1");
    }

    /// `kill -9` at random moments of the first sync; then it goes to its end.
    fn survives_kills(&self, seed: u64) {
        self.example.synced_in_spite_of_kills(seed);
        // THEN all is there, once
        self.example.in_step(LINKS);
        for (object, table, count) in COUNTS {
            let there = &self.example.query(&format!("SELECT COUNT(Id) n FROM {object}"))[0];
            assert_eq!(there["n"], count, "{object}");
            assert_eq!(
                self.here(&format!("SELECT count(*) FROM {table}")),
                count.to_string(),
                "{table}"
            );
        }
    }
}

#[test]
#[ignore = "needs a server: clients/with-postgres"]
fn northwind_in_postgres_is_kept_in_step_both_ways() {
    let Some(dump) = northwind() else { return };
    Erp::in_postgres(&dump).is_kept_in_step();
}

#[test]
#[ignore = "needs a server: clients/with-mariadb"]
fn northwind_in_mariadb_is_kept_in_step_both_ways() {
    let Some(dump) = northwind() else { return };
    Erp::in_mariadb(&dump).is_kept_in_step();
}

#[test]
#[ignore = "needs a server: clients/with-postgres"]
fn kills_in_the_first_sync_from_postgres_leave_no_duplicate() {
    let Some(dump) = northwind() else { return };
    Erp::in_postgres(&dump).survives_kills(20_263);
}

#[test]
#[ignore = "needs a server: clients/with-mariadb"]
fn kills_in_the_first_sync_from_mariadb_leave_no_duplicate() {
    let Some(dump) = northwind() else { return };
    Erp::in_mariadb(&dump).survives_kills(20_264);
}

#[test]
#[ignore = "needs a server: clients/with-postgres"]
fn an_edit_by_sql_wakes_a_run_that_would_ask_in_an_hour() {
    let Some(dump) = northwind() else { return };
    let erp = Erp::in_postgres(&dump);
    let example = &erp.example;
    example.edit(
        "tandem.yaml",
        "description: northwind.yaml",
        "description: northwind-with-triggers.yaml",
    );
    let triggers = example.done(&["customerp", "sql-triggers"]).out;
    erp.here(&triggers);
    example.edit("tandem.yaml", "    poll: 2s", "    poll: 1h");
    erp.sync();
    example.in_step(LINKS);
    let mut run = tandem()
        .args(["run", "--no-console", "--json"])
        .current_dir(example.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    // WHEN a row is edited, THEN the edit is decided although nothing would ask for it for an hour
    let began = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.contains("began"));
    assert!(began.is_some());
    erp.here("UPDATE customers SET city = 'Potsdam' WHERE customer_id = 'ALFKI'");
    assert!(
        lines.map_while(Result::ok).any(|line| line.contains("Potsdam")),
        "the edit is told"
    );
    run.kill().unwrap();
    run.wait().unwrap();
}
