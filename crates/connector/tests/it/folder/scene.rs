//! A folder with contacts, as the laws of all connectors want them.

use crate::scene::{Connect, Line, Scene, Words, plain_client};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tandem_connector::Connector;
use tandem_connector::folder::{Description, Folder, FolderConfig};
use url::Url;

const CONTACTS: &str = r#"
system: contacts
record_types:
  Contact:
    file: contacts.csv
    id: Nr
    new_id: number
    absent: deleted
    settle: 0s
    properties:
      lastName: { column: Name, required: true, max_length: 80 }
      email: Mail
      phone: Phone
      description: Text
      birthdate: { column: Born, type: date }
      external: { column: CRM, unique: true }
      reportsTo: { column: Chief, references: Contact }
"#;

fn connect(url: &Url, _: &str) -> Box<dyn Connector> {
    described(url, CONTACTS)
}

/// We write results for an import that never comes, a person works in the export.
fn connect_by_results(url: &Url, user: &str) -> Box<dyn Connector> {
    let ours = CONTACTS
        .replace("record_types:", "write_to: { folder: import }\nrecord_types:")
        .replace("new_id: number", "new_id: uuid");
    described(url, if user == "tandem" { &ours } else { CONTACTS })
}

fn described(url: &Url, description: &str) -> Box<dyn Connector> {
    let of = [
        "lastName",
        "email",
        "phone",
        "description",
        "birthdate",
        "external",
        "reportsTo",
    ];
    Box::new(Folder::connect(FolderConfig {
        name: "erp".to_owned(),
        folder: url.path().into(),
        description: Description::read("erp.yaml", description).unwrap(),
        read_only: false,
        fields: BTreeMap::from([
            ("Contact".to_owned(), of.map(str::to_owned).into()),
            ("Nonsense".to_owned(), Vec::new()),
        ]),
        computed: BTreeMap::new(),
    }))
}

/// Sets the time of a file back.
fn age(file: &Path, seconds: u32) {
    let file = std::fs::File::options().write(true).open(file).unwrap();
    let changed = file.metadata().unwrap().modified().unwrap();
    file.set_modified(changed - Duration::from_secs(seconds.into()))
        .unwrap();
}

pub(crate) async fn scene() -> Scene {
    by(connect)
}

pub(crate) async fn by_results() -> Scene {
    by(connect_by_results)
}

fn by(connect: Connect) -> Scene {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let file = folder.path().join("contacts.csv");
    std::fs::create_dir(folder.path().join("import")).unwrap();
    std::fs::write(&file, "Nr;Name;Mail;Phone;Text;Born;CRM;Chief\n").unwrap();
    let url: Url = format!("file:{}", folder.path().display()).parse().unwrap();
    Scene {
        words: Words {
            last_name: "lastName",
            email: "email",
            phone: "phone",
            description: "description",
            birthdate: "birthdate",
            external: "external",
            reports_to: "reportsTo",
            nobody: "999999",
            clock: "",
            secret: "none",
        },
        ours: connect(&url, "tandem"),
        person: connect(&url, "alice"),
        connect,
        http: plain_client(),
        aging: Some(Box::new(move |seconds| {
            age(&file, seconds);
            Box::pin(std::future::ready(()))
        })),
        line: Line::File,
        repeats: false,
        url,
        _server: Box::new(folder),
    }
}
