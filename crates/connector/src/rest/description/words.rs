//! Words with a closed set of meanings, and tables that are told apart by their `kind`.

/// Declares an enumeration whose entries are written as words: reader and JSON Schema out of one list.
macro_rules! words {
    ($(#[$meta:meta])* enum $name:ident { $($(#[$entry_meta:meta])* $entry:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $name { $($(#[$entry_meta])* $entry,)* }

        impl $name {
            /// As it is written.
            #[allow(dead_code)]
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$entry => $word,)* }
            }
        }

        impl tandem_merge::config::written::Written for $name {
            fn read(
                node: &tandem_merge::config::node::Node,
                reader: &mut tandem_merge::config::written::Reader<'_>,
            ) -> Option<Self> {
                let word = <String as tandem_merge::config::written::Written>::read(node, reader)?;
                match word.as_str() {
                    $($word => Some(Self::$entry),)*
                    other => {
                        let help = tandem_merge::config::suggestion(other, [$($word),*]);
                        reader.problem(node, format!("`{other}` is none of the words that may stand here"), help);
                        None
                    }
                }
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "enum": [$($word),*] })
            }
        }
    };
}

/// Declares a choice of tables by the word under `kind`.
macro_rules! kinds {
    ($(#[$meta:meta])* enum $name:ident { $($entry:ident($table:ty) = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, schemars::JsonSchema)]
        #[schemars(untagged)]
        #[allow(clippy::large_enum_variant)] // Read once, and few of them.
        pub(crate) enum $name { $(#[allow(dead_code)] $entry($table),)* }

        impl tandem_merge::config::written::Written for $name {
            fn read(
                node: &tandem_merge::config::node::Node,
                reader: &mut tandem_merge::config::written::Reader<'_>,
            ) -> Option<Self> {
                use tandem_merge::config::node::Content;
                use tandem_merge::config::written::Written;
                let words = [$($word),*];
                let Content::Table(entries) = &node.value else {
                    let message = format!("here stands {}, not a table", node.value.noun());
                    let help = format!("Write `{{ kind: ... }}` with one of: {}.", words.join(", "));
                    reader.problem(node, message, help);
                    return None;
                };
                let Some((_, kind)) = entries.iter().find(|(key, _)| key.value == "kind") else {
                    let help = format!("Add `kind:` with one of: {}.", words.join(", "));
                    reader.problem(node, "`kind` is missing", help);
                    return None;
                };
                let word = String::read(kind, reader)?;
                match word.as_str() {
                    $($word => <$table as Written>::read(node, reader).map(Self::$entry),)*
                    other => {
                        let help = tandem_merge::config::suggestion(other, words);
                        reader.problem(kind, format!("unknown kind `{other}`"), help);
                        None
                    }
                }
            }
        }
    };
}

pub(crate) use {kinds, words};
