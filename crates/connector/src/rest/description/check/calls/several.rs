//! Keys of several members and tokens of several parts: no ERP knows the one text that they are joined to here, so a request
//! says them one by one, or as the language of filters writes them.

use super::super::super::pages::Paging;
use super::super::super::requests::Call;
use super::Calls;
use tandem_merge::config::node::At;

impl Calls<'_, '_> {
    /// Whether several members tell a record apart together.
    pub(super) fn has_parts(&self) -> bool {
        self.key.len() > 1
    }

    /// Complains about what is filled in whole (`plain`), and has members or parts.
    pub(super) fn apart(&mut self, what: &str, plain: Vec<(At<()>, String)>, known: &[&str]) {
        for (at, hole) in plain {
            let Some((noun, help)) = self
                .instead(what, &hole)
                .filter(|_| known.contains(&hole.as_str()))
            else {
                continue;
            };
            let message =
                format!("`{{{hole}}}` in `{what}` joins {noun} to one text, which the ERP does not know");
            self.reader.problem(&at, message, help);
        }
    }

    /// What a hole joins, and what to write in its place; none where it is one thing.
    fn instead(&self, what: &str, hole: &str) -> Option<(&'static str, String)> {
        const KEY: &str = "the members of a key";
        let filters = self.language.is_some();
        let help = match hole {
            "token" if self.token_parts > 1 => {
                let parts: Vec<String> = (1..=self.token_parts)
                    .map(|part| format!("`{{token.{part}}}`"))
                    .collect();
                let help = format!("Write each part where it belongs: {}.", parts.join(", "));
                return Some(("the parts of a token", help));
            }
            _ if !self.has_parts() => return None,
            "id" => self.in_members(),
            "ids" if filters => "Write a filter with `{matches}` in its place.".to_owned(),
            "ids" => "Take `many:` out: each record is read by itself then.".to_owned(),
            "after" if filters && matches!(what, "list" | "changes") => {
                "Write a filter with `{behind}` in its place.".to_owned()
            }
            "after" => {
                "Take it out, and let pages follow by another `kind:` than `keyset`, such as `cursor`."
                    .to_owned()
            }
            _ => return None,
        };
        Some((KEY, help))
    }

    /// How a request names a record by a key of several members.
    pub(super) fn in_members(&self) -> String {
        let members: Vec<String> = self.key.iter().map(|name| format!("`{{id.{name}}}`")).collect();
        let members = members.join(", ");
        match self.language {
            Some(_) => format!("Write `{{id:literal}}`, or each member where it belongs: {members}."),
            None => format!("Write each member where it belongs: {members}."),
        }
    }

    /// Pages that begin behind a key of several members need a filter that says so.
    pub(super) fn behind_parts(&mut self, call: Call<'_>, paging: Option<&At<Paging>>) {
        // That one is told by its own place.
        if call.takes("after") {
            return;
        }
        if let Some(paging) = paging {
            let help = match self.language {
                Some(_) => "Write a filter with `{behind}` into the query.",
                None => "Let pages follow by another `kind:` than `keyset`, such as `cursor`.",
            };
            let message = "nothing says how a page begins behind a key of several members";
            self.reader.problem(paging, message, help);
        }
    }
}
