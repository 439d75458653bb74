//! The little XML that Salesforce's metadata files are made of.

/// An element under construction: what is nested, already indented.
#[derive(Debug, Default)]
pub(super) struct Xml {
    lines: Vec<String>,
}

impl Xml {
    /// An element that holds a text.
    pub(super) fn put(mut self, name: &str, text: impl AsRef<str>) -> Self {
        self.lines
            .push(format!("    <{name}>{}</{name}>", escape(text.as_ref())));
        self
    }

    /// An element that holds other elements.
    pub(super) fn nest(mut self, name: &str, inner: Self) -> Self {
        self.lines.push(format!("    <{name}>"));
        self.lines
            .extend(inner.lines.iter().map(|line| format!("    {line}")));
        self.lines.push(format!("    </{name}>"));
        self
    }

    /// One nested element for each item.
    pub(super) fn each<T>(
        self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        inner: fn(T) -> Self,
    ) -> Self {
        items
            .into_iter()
            .fold(self, |xml, item| xml.nest(name, inner(item)))
    }

    /// The whole file, with that root element.
    pub(super) fn file(self, root: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://soap.sforce.com/2006/04/metadata\">\n{}\n</{root}>\n",
            self.lines.join("\n")
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::Xml;

    #[test]
    fn a_file_is_nested_and_escaped() {
        let xml = Xml::default()
            .put("label", "A & B <c>")
            .nest("nameField", Xml::default().put("type", "Text"));
        let text = xml.file("CustomObject");
        assert!(text.contains("    <label>A &amp; B &lt;c&gt;</label>\n    <nameField>\n        <type>Text</type>\n    </nameField>\n</CustomObject>\n"), "{text}");
    }
}
