//! What a reply in JSON may be: so deep, so many values. Looked at before any of it is built, so that memory
//! stays bounded whatever a system sends.

/// Tables and lists in each other.
const DEPTH: usize = 64;
/// Members of one table.
const MEMBERS: usize = 10_000;
/// Values of a reply.
const VALUES: usize = 2_000_000;

/// Refuses what goes beyond; anything but JSON passes.
///
/// # Errors
/// What is beyond the limit, as the end of "a reply ...".
pub(crate) fn check(body: &[u8]) -> Result<(), String> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'{' | b'[')) {
        return Ok(());
    }
    let mut open: Vec<(u8, usize)> = Vec::new();
    let (mut values, mut at) = (0_usize, 0);
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => at += text(&body[at + 1..]) + 1,
            b'{' | b'[' => {
                open.push((*byte, 0));
                values += 1;
                if open.len() > DEPTH {
                    return Err(format!("is nested deeper than {DEPTH} levels"));
                }
            }
            b'}' | b']' => drop(open.pop()),
            b',' => {
                values += 1;
                if let Some((kind, members)) = open.last_mut() {
                    *members += 1;
                    if *kind == b'{' && *members >= MEMBERS {
                        return Err(format!("holds a record of more than {MEMBERS} properties"));
                    }
                }
            }
            _ => {}
        }
        if values > VALUES {
            return Err(format!("holds more than {VALUES} values"));
        }
        at += 1;
    }
    Ok(())
}

/// Bytes up to the end of a text, whose first quote is behind us.
fn text(rest: &[u8]) -> usize {
    let mut escaped = false;
    let end = rest.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_within_the_limits_passes() {
        for body in [
            "",
            "a,b\n\"1\",2",
            r#"{"a":[1,2,{"b":"}]{[,\"\\"}],"c":null}"#,
            &"[".repeat(DEPTH),
            &format!("[{}]", vec!["1"; 100_000].join(",")),
        ] {
            check(body.as_bytes()).unwrap();
        }
        let full: Vec<String> = (0..MEMBERS).map(|n| format!("\"{n}\":1")).collect();
        check(format!("{{{}}}", full.join(",")).as_bytes()).unwrap();
        check(format!("[\"{}\"]", "x".repeat(9 << 20)).as_bytes()).unwrap();
    }

    #[test]
    fn what_is_beyond_is_named() {
        let refused = |body: &str| check(body.as_bytes()).unwrap_err();
        assert!(refused(&"[".repeat(DEPTH + 1)).contains("64 levels"));
        assert!(refused(&"{\"a\":".repeat(DEPTH + 1)).contains("64 levels"));
        let many: Vec<String> = (0..=MEMBERS).map(|n| format!("\"{n}\":1")).collect();
        assert!(refused(&format!("{{{}}}", many.join(","))).contains("10000 properties"));
        assert!(refused(&format!("[{}]", "1,".repeat(VALUES))).contains("2000000 values"));
    }
}
