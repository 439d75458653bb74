//! Whatever stands in the files, and whatever values systems show: a result or named problems, never a panic.

use crate::config::{configuration, sources};
use tandem_fuzz::drive;
use tandem_merge::config::{Sources, load};
use tandem_merge::dataflow::Side;
use tandem_merge::facts::Facts;
use tandem_merge::form::Form;
use tandem_merge::value::Value;

#[test]
fn fuzz_configuration() {
    let good = sources(str::to_owned);
    let deep = "a: [".repeat(3_000);
    let bomb =
        "a: &a [x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c]\n";
    let mut corpus: Vec<&[u8]> = vec![
        good.main.1.as_bytes(),
        deep.as_bytes(),
        bomb.as_bytes(),
        b"\xff",
        b"",
    ];
    corpus.extend(good.flows.iter().map(|(_, text)| text.as_bytes()));
    drive("configuration", &corpus, |data| {
        let text = String::from_utf8_lossy(data).into_owned();
        let one = |main: String, flow: String| Sources {
            main: ("tandem.yaml".to_owned(), main),
            flows: vec![("flow.yaml".to_owned(), flow)],
            kinds: crate::config::KINDS,
        };
        let flow = || good.flows[0].1.clone();
        for sources in [one(text.clone(), flow()), one(good.main.1.clone(), text)] {
            for problem in load(&sources).err().into_iter().flatten() {
                assert!(problem.line > 0 && !problem.message.is_empty(), "{problem:?}");
            }
        }
    });
}

#[test]
fn m10_fuzz_values() {
    let flows = configuration(str::to_owned).dataflow;
    let facts = Facts::default();
    let corpus: Vec<&[u8]> = vec![
        b"tplain text",
        b"t  spaces  ",
        b"t\xff\xfe",
        b"i9223372036854775807",
        b"d12345678901234567890.123456789",
        b"d-0.005",
        b"btrue",
        b"a2024-02-30",
        b"a2024-02-29",
        b"m2024-02-29T23:59:59.9999999Z",
        b"m-009999-01-01T00:00:00Z",
        b"n",
        b"tdraft",
        b"tDraft",
        b"t2024-01-01",
        b"t1e5",
        b"t1,5",
        b"ttrue",
        b"t00300000000001AAA",
    ];
    drive("values", &corpus, |data| {
        let value = value(data);
        for flow in &flows.flows {
            for mapping in &flow.mappings {
                for side in Side::BOTH {
                    let form = Form {
                        flow,
                        mapping,
                        side,
                        facts: &facts,
                    };
                    // What can be read and written comes back as it was.
                    if let Ok(canonical) = form.decode(&value)
                        && let Ok(own) = form.encode(&canonical)
                    {
                        let again = form.decode(&own);
                        assert_eq!(
                            again.as_ref(),
                            Ok(&canonical),
                            "{} {:?}: {value:?}",
                            flow.name,
                            mapping.properties
                        );
                    }
                }
            }
        }
    });
}

/// A value from bytes: a letter for its kind, then its text.
fn value(data: &[u8]) -> Value {
    let text = String::from_utf8_lossy(data.get(1..).unwrap_or_default()).into_owned();
    let parsed = match data.first() {
        Some(b'i') => text.parse().ok().map(Value::Integer),
        Some(b'd') => text.parse().ok().map(Value::Decimal),
        Some(b'b') => Some(Value::Boolean(text == "true")),
        Some(b'a') => text.parse().ok().map(Value::Date),
        Some(b'm') => text.parse().ok().map(Value::DateTime),
        Some(b'n') => Some(Value::Blank),
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::text(text))
}
