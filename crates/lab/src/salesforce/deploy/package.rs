//! A package: the files of a zip, and what its `package.xml` names.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};

use roxmltree::{Document, Node};
use zip::ZipArchive;

/// The most files of a package.
const MAX_FILES: usize = 10_000;
/// The most bytes of all files.
const MAX_BYTES: u64 = 400 * 1024 * 1024;
/// The types that can be deployed.
const TYPES: [&str; 4] = [
    "CustomField",
    "CustomObject",
    "PermissionSet",
    "PlatformEventChannelMember",
];

/// A package that was opened.
#[derive(Debug)]
pub(super) struct Package {
    /// Texts by their paths, without a folder around all of them.
    pub(super) files: BTreeMap<String, String>,
    named: BTreeMap<String, BTreeSet<String>>,
}

/// Why a package cannot be opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// Not a zip file, or one that is too large.
    Zip(String),
    /// `package.xml` is missing or is not as it has to be.
    Manifest(String),
}

impl Package {
    /// Opens the zip file.
    pub(super) fn open(zip: &[u8]) -> Result<Package, Unusable> {
        let mut files = unpack(zip)?;
        let roots = files.keys().filter_map(|path| path.strip_suffix("package.xml"));
        let root = roots
            .filter(|root| root.is_empty() || (root.ends_with('/') && root.matches('/').count() == 1))
            .min_by_key(|root| root.len())
            .map(str::to_owned);
        let root = root.ok_or_else(|| Unusable::Manifest("No package.xml found".to_owned()))?;
        if !root.is_empty() {
            let inside = files.into_iter();
            files = inside
                .filter_map(|(path, text)| Some((path.strip_prefix(&root)?.to_owned(), text)))
                .collect();
        }
        let manifest = files.remove("package.xml").unwrap_or_default();
        let named = names(&manifest).map_err(Unusable::Manifest)?;
        Ok(Package { files, named })
    }

    /// Whether `package.xml` names the component, by itself or by `*`.
    pub(super) fn names(&self, kind: &str, name: &str) -> bool {
        let all = self.named.get(kind);
        all.is_some_and(|members| members.contains(name) || members.contains("*"))
    }

    /// Every component that is named one by one.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.named.iter();
        all.flat_map(|(kind, members)| members.iter().map(move |name| (kind.as_str(), name.as_str())))
            .filter(|(_, name)| *name != "*")
    }
}

fn unpack(zip: &[u8]) -> Result<BTreeMap<String, String>, Unusable> {
    let broken = |text: String| Unusable::Zip(format!("The file is not a zip file that can be read: {text}"));
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|error| broken(error.to_string()))?;
    if archive.len() > MAX_FILES {
        return Err(Unusable::Zip(
            "Maximum number of files, 10,000, exceeded".to_owned(),
        ));
    }
    let (mut files, mut left) = (BTreeMap::new(), MAX_BYTES);
    for at in 0..archive.len() {
        let file = archive.by_index(at).map_err(|error| broken(error.to_string()))?;
        if file.is_dir() {
            continue;
        }
        let path = file
            .name()
            .map_err(|error| broken(error.to_string()))?
            .into_owned();
        let mut bytes = Vec::new();
        // The size that the file tells is its own word: what is read counts.
        let read = file.take(left + 1).read_to_end(&mut bytes);
        read.map_err(|error| broken(error.to_string()))?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        left = left
            .checked_sub(size)
            .ok_or_else(|| Unusable::Zip("Maximum size of the files, 400 MB, exceeded".to_owned()))?;
        files.insert(path, String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok(files)
}

/// Members by type.
fn names(manifest: &str) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let document = Document::parse(manifest).map_err(|error| format!("Error parsing file: {error}"))?;
    let root = document.root_element();
    if root.tag_name().name() != "Package" {
        return Err("Error parsing file: the root element of package.xml is not Package".to_owned());
    }
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for types in children(root, "types") {
        let kind = text_of(types, "name").unwrap_or_default();
        if !TYPES.contains(&kind) {
            return Err(format!(
                "Unknown type name '{kind}' specified in package.xml: the local org deploys {}",
                TYPES.join(", ")
            ));
        }
        let members =
            children(types, "members").map(|member| member.text().unwrap_or_default().trim().to_owned());
        named.entry(kind.to_owned()).or_default().extend(members);
    }
    Ok(named)
}

/// The elements of this name right below.
pub(super) fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children()
        .filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// The text of the first element of this name right below; none where it is blank.
pub(super) fn text_of<'a>(node: Node<'a, '_>, name: &'static str) -> Option<&'a str> {
    let text = children(node, name).next()?.text()?.trim();
    (!text.is_empty()).then_some(text)
}
