//! The example in Python, as the laws of all connectors want it.

use super::{Place, config};
use crate::scene::{Line, Scene, Words, plain_client};
use rusqlite::Connection;
use std::path::Path;
use std::sync::OnceLock;
use tandem_connector::Connector;
use tandem_connector::program::Program;
use tokio::runtime::Runtime;
use url::Url;

/// Before a write is answered it ends, while that is wanted.
const CUT: (&str, &str) = (
    "        self.db.execute(\"COMMIT\")\n",
    "        self.db.execute(\"COMMIT\")\n        if \"record\" in answer and __import__(\"os\").path.exists(\"cut\"):\n            sys.exit(1)\n",
);

/// Programs are spoken with beside the test, which waits until they have said what they are.
fn connect(url: &Url, user: &str) -> Box<dyn Connector> {
    static BESIDE: OnceLock<Runtime> = OnceLock::new();
    let beside = BESIDE.get_or_init(|| Runtime::new().unwrap());
    let mut config = config(Path::new(url.path()), user);
    let contact = config.fields.get_mut("Contact").unwrap();
    contact.push("phone".to_owned());
    config.fields.insert("Nonsense".to_owned(), Vec::new());
    let connected = std::thread::scope(|scope| {
        let connecting = scope.spawn(|| beside.block_on(Program::connect(config)));
        connecting.join().unwrap()
    });
    Box::new(connected.unwrap())
}

pub(crate) async fn scene() -> Scene {
    let place = Place::lying(&[CUT]);
    let folder = place.path();
    let url: Url = format!("file:{}", folder.display()).parse().unwrap();
    let database = folder.join("erp.db");
    Scene {
        words: Words {
            last_name: "lastName",
            email: "email",
            phone: "phone",
            description: "description",
            birthdate: "birthdate",
            external: "salesforceId",
            reports_to: "reportsToId",
            nobody: "999999",
            clock: "",
            secret: "none",
        },
        ours: connect(&url, "tandem"),
        person: connect(&url, "alice"),
        connect,
        http: plain_client(),
        aging: Some(Box::new(move |seconds| {
            let earlier =
                |column| format!("{column} = strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '-{seconds} seconds')");
            let sql = format!(
                "UPDATE record SET {}, {}",
                earlier("modified"),
                earlier("created")
            );
            Connection::open(&database).unwrap().execute_batch(&sql).unwrap();
            Box::pin(std::future::ready(()))
        })),
        line: Line::Program(folder),
        repeats: false,
        url,
        _server: Box::new(place),
    }
}
