//! What became of each row: the lines of the result files, packed into one buffer each.

use csv::StringRecord;

use super::job::Form;
use crate::salesforce::id::RecordId;

/// Lines of a result, and where each ends.
#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Lines {
    fn push(&mut self, form: Form, first: [&str; 2], row: &StringRecord) {
        let text = std::mem::take(&mut self.text);
        let mut writer = form.writer(text);
        // Writing into memory does not fail.
        let _ = writer.write_record(first.into_iter().chain(row.iter()));
        self.text = writer.into_inner().unwrap_or_default();
        self.ends.push(self.text.len());
    }

    /// The lines after a header, in an order that the seed decides.
    fn render(&self, form: Form, header: &StringRecord, first: [&str; 2], seed: u64) -> Vec<u8> {
        let mut writer = form.writer(Vec::with_capacity(self.text.len() + 1024));
        let _ = writer.write_record(first.into_iter().chain(header.iter()));
        let mut rendered = writer.into_inner().unwrap_or_default();
        for at in shuffled(self.ends.len(), seed) {
            let start = if at == 0 { 0 } else { self.ends[at - 1] };
            rendered.extend_from_slice(&self.text[start..self.ends[at]]);
        }
        rendered
    }
}

/// The outcomes of a job's rows so far.
#[derive(Default)]
pub(super) struct Outcomes {
    header: StringRecord,
    succeeded: Lines,
    failed: Lines,
    /// Where the first row begins that was not carried out, in the uploaded data; none: at its start.
    pub(super) resume_at: Option<usize>,
}

impl Outcomes {
    pub(super) fn set_header(&mut self, header: &StringRecord) {
        self.header = header.clone();
    }

    pub(super) fn success(&mut self, form: Form, id: RecordId, created: bool, row: &StringRecord) {
        let created = if created { "true" } else { "false" };
        self.succeeded.push(form, [&id.to_string(), created], row);
    }

    pub(super) fn failure(&mut self, form: Form, id: Option<&str>, error: &str, row: &StringRecord) {
        self.failed.push(form, [id.unwrap_or_default(), error], row);
    }

    /// `successfulResults`.
    pub(super) fn successes(&self, form: Form, seed: u64) -> Vec<u8> {
        self.succeeded
            .render(form, &self.header, ["sf__Id", "sf__Created"], seed)
    }

    /// `failedResults`.
    pub(super) fn failures(&self, form: Form, seed: u64) -> Vec<u8> {
        self.failed
            .render(form, &self.header, ["sf__Id", "sf__Error"], seed)
    }

    /// `unprocessedrecords`: the header and the rows that were not carried out, as they were uploaded.
    pub(super) fn unprocessed(&self, form: Form, data: Option<&[u8]>) -> Vec<u8> {
        let Some(data) = data else {
            let mut writer = form.writer(Vec::new());
            let _ = writer.write_record(&self.header);
            return writer.into_inner().unwrap_or_default();
        };
        let Some(at) = self.resume_at else {
            return data.to_vec();
        };
        let mut writer = form.writer(Vec::with_capacity(data.len() - at + 1024));
        let _ = writer.write_record(&self.header);
        let mut rest = writer.into_inner().unwrap_or_default();
        rest.extend_from_slice(&data[at..]);
        rest
    }
}

/// The numbers below `count` in an order that the seed decides.
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut state = seed | 1;
    for last in (1..count).rev() {
        // A step of xorshift64*.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let drawn = state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16;
        order.swap(last, usize::try_from(drawn).unwrap_or_default() % (last + 1));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::shuffled;

    #[test]
    fn every_row_comes_once_and_the_seed_decides_where() {
        let order = shuffled(1_000, 7);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1_000).collect::<Vec<usize>>());
        assert_ne!(order, sorted);
        assert_eq!(order, shuffled(1_000, 7));
        assert_ne!(order, shuffled(1_000, 9));
        assert!(shuffled(0, 7).is_empty());
    }
}
