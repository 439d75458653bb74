//! Record ids of an org: 15 characters that differ by case, or 18 of which the last three say where capitals stand.

/// The 18 characters of an id of 15; none for anything else.
#[must_use]
pub fn full_id(short: &str) -> Option<String> {
    const SIGNS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    if short.len() != 15 || !short.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let check = short.as_bytes().chunks(5).map(|chunk| {
        let capitals = chunk
            .iter()
            .enumerate()
            .filter(|(_, byte)| byte.is_ascii_uppercase());
        let place: usize = capitals.map(|(place, _)| 1 << place).sum();
        char::from(SIGNS[place])
    });
    Some(short.chars().chain(check).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_get_their_check_signs() {
        assert_eq!(full_id("0018000000Dspa4").as_deref(), Some("0018000000Dspa4AAB"));
        assert_eq!(full_id("0018000000Dspa4AAB"), None);
        assert_eq!(full_id("10248"), None);
        assert_eq!(full_id("00180000-0Dspa4"), None);
    }
}
