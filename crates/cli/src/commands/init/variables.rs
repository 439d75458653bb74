//! The environment variables that a configuration reads: which are missing, and all of them to paste.

use crate::failure::Failure;

/// What each holds: token, client id, client secret.
const HOLDS: [&str; 3] = [
    "the token of Tandem's user in Customerp",
    "the client id of the connected app in Salesforce",
    "the client secret of the connected app",
];

/// All of them on lines to paste into a shell. What stands in them is nobody's to see.
pub(super) fn block(names: &[String; 3]) -> Vec<String> {
    let width = names.iter().map(String::len).max().unwrap_or_default() + "export ='...'".len();
    let each = names.iter().zip(HOLDS);
    each.map(|(name, holds)| format!("{:<width$}   # {holds}", format!("export {name}='...'")))
        .collect()
}

/// Refuses where any is not set, and names all that are not.
pub(super) fn all_set(names: &[String; 3]) -> Result<(), Failure> {
    let unset = |name: &&String| std::env::var(name).map_or(true, |value| value.trim().is_empty());
    let missing: Vec<&str> = names.iter().filter(unset).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let are = if missing.len() == 1 { "is" } else { "are" };
    Err(Failure::usage(
        format!(
            "{} {are} not set, so neither system can be asked",
            missing.join(", ")
        ),
        "Set them as shown, then run `tandem init` again: what was answered is kept",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_variables_stand_in_one_block_to_paste() {
        let names = ["ERP", "SALESFORCE_CLIENT_ID", "C"].map(str::to_owned);
        insta::assert_snapshot!(block(&names).join("\n"), @r"
        export ERP='...'                    # the token of Tandem's user in Customerp
        export SALESFORCE_CLIENT_ID='...'   # the client id of the connected app in Salesforce
        export C='...'                      # the client secret of the connected app
        ");
    }
}
