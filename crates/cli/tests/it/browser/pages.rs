//! All pages, as they are: accessible, within the screen, small. And their pictures for the documentation.

use super::driver::{Browser, Sight};
use super::stage::{links, signed_in};
use crate::console::Console;
use crate::local::Pair;
use crate::rest;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The largest page, in bytes.
const LARGEST_PAGE: u64 = 150_000;
/// The largest picture, in bytes.
const LARGEST_PICTURE: usize = 200_000;

/// A console with something of everything on its pages.
struct Everything {
    _pair: Pair,
    console: Console,
    browser: Browser,
    /// The address of a record with a story.
    record: String,
}

impl Everything {
    fn new() -> Self {
        let faults = "too-long,unknown-enum,reference-to-nothing";
        let pair = Pair::start(&["--records", "40", "--seed", "5", "--faults", faults], &[]);
        let tried = pair.run(&["qa", "--yes"]);
        assert!(matches!(tried.code, Some(0 | 3)), "{}", tried.err);
        let file = pair.path("flows/product-product2.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("conflict: latest", "conflict: ask")).unwrap();
        assert_eq!(pair.run(&["sync"]).code, Some(3));
        let products = links(&pair, "product-product2");
        let (erp, org) = (&pair.customerp.url, &pair.salesforce.url);
        let answers = [
            ("Sold by the pallet only", "Sold by the box of twelve"),
            ("Replaced by the 2026 model", "Discontinued; see the 2026 model"),
            (
                "Steel, powder-coated, for indoor use",
                "Stainless steel, for indoor and outdoor use",
            ),
        ];
        for ((here, there), (ours, theirs)) in products.iter().zip(answers) {
            let path = format!("products/{here}");
            rest::patch_customerp(erp, &path, &json!({ "description": ours }));
            rest::patch_salesforce(org, "Product2", there, &json!({ "Description": theirs }));
        }
        let console = Console::start(&pair);
        super::stage::waiting(&console, "standing=conflict", 3);
        let orders = links(&pair, "order-order");
        let (here, there) = orders.iter().next().unwrap();
        let path = format!("orders/{here}");
        rest::patch_customerp(
            erp,
            &path,
            &json!({ "description": "Deliver to the side entrance" }),
        );
        let browser = signed_in(&console);
        let record = format!("/records/customerp/Order/{here}");
        browser.open(&format!("{}{record}", console.url));
        browser.shows("Deliver to the side entrance");
        let noon = json!({ "Description": "Deliver to the side entrance, before noon" });
        rest::patch_salesforce(org, "Order", there, &noon);
        browser.shows("before noon");
        // What the files say since is not in force: a plan shows what it would come to.
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("conflict: ask", "conflict: latest")).unwrap();
        browser.open(&format!("{}/plan", console.url));
        browser.click("//button[normalize-space()='Plan what the files say']");
        browser.shows("Made by the files");
        Self {
            _pair: pair,
            console,
            browser,
            record,
        }
    }

    /// All pages with their names, for whoever is signed in.
    fn pages(&self) -> Vec<(&'static str, String)> {
        let run = self.console.get(crate::console::VIEWER, "/runs").json();
        let first = run["rows"].as_array().unwrap().last().unwrap()["run"].to_string();
        let pages = [
            ("overview", "/".to_owned()),
            ("inbox", "/inbox?standing=conflict".to_owned()),
            ("all-that-waits", "/inbox".to_owned()),
            ("parked", "/inbox?kind=too-long".to_owned()),
            ("changes", "/changes".to_owned()),
            ("runs", "/runs".to_owned()),
            ("run", format!("/runs/{first}")),
            ("plan", "/plan".to_owned()),
            ("plan-of-one-kind", "/plan?action=update".to_owned()),
            ("systems", "/systems".to_owned()),
            ("configuration", "/configuration".to_owned()),
            ("qa", "/qa".to_owned()),
            ("qa-of-a-flow", "/qa?flow=order-order".to_owned()),
            ("flow", "/flows/order-order".to_owned()),
            ("record", self.record.clone()),
            ("search", "/search?q=entrance".to_owned()),
            ("nothing-found", "/search?q=nobody+calls+it+so".to_owned()),
            ("reference", "/reference".to_owned()),
            ("missing", "/records/customerp/Order/nowhere".to_owned()),
        ];
        pages.to_vec()
    }

    fn open(&self, page: &str) {
        self.browser.open(&format!("{}{page}", self.console.url));
        self.browser.find("//main//h1");
        assert_eq!(self.browser.address(), format!("{}{page}", self.console.url));
    }
}

/// All ways to look at a page.
fn sights() -> impl Iterator<Item = Sight> {
    ["light", "dark"].into_iter().flat_map(|colours| {
        let devices = ["wide", "phone"].into_iter();
        devices.map(move |device| Sight { colours, device })
    })
}

/// The accessibility rules: `TANDEM_AXE`, else where `./test` installs them. None is told of and passed over.
fn axe() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let usual = root.join("target/axe/node_modules/axe-core/axe.min.js");
    let path = std::env::var_os("TANDEM_AXE").map_or(usual, PathBuf::from);
    let script = std::fs::read_to_string(&path).ok();
    if script.is_none() {
        println!(
            "passed over: no axe-core at {} (TANDEM_AXE names it; ./test --long installs it)",
            path.display()
        );
    }
    script
}

/// What is wrong with the page that is open, by rule.
fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    browser.js(axe);
    let run = "axe.run({ resultTypes: ['violations'] }).then((found) => done(found.violations \
               .filter((one) => ['serious', 'critical'].includes(one.impact)) \
               .map((one) => one.id + ': ' + one.nodes.slice(0, 5).map((node) => node.html.slice(0, 160) + ' (' + \
               node.any.map((why) => why.message).join('; ') + ')').join(' | '))), \
               (error) => done(['axe: ' + error]));";
    let found = browser.js_later(run);
    let found = found.as_array().unwrap().iter();
    found.map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn no_page_breaks_a_rule_of_accessibility() {
    let Some(axe) = axe() else { return };
    let everything = Everything::new();
    let (browser, outside) = (&everything.browser, Browser::start());
    let mut wrong = Vec::new();
    for sight in sights() {
        browser.see(sight);
        for (name, page) in everything.pages() {
            everything.open(&page);
            wrong.extend(
                violations(browser, &axe)
                    .iter()
                    .map(|one| format!("{name} {sight:?}: {one}")),
            );
        }
        outside.see(sight);
        outside.open(&format!("{}/enter", everything.console.url));
        wrong.extend(
            violations(&outside, &axe)
                .iter()
                .map(|one| format!("enter {sight:?}: {one}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The rules are there, and notice.
    browser
        .js("document.querySelector('#q').labels[0].remove(); document.querySelector('#q').placeholder = ''");
    assert_ne!(violations(browser, &axe), Vec::<String>::new());
}

/// Pages that the documentation shows.
const SHOWN: [&str; 7] = [
    "overview",
    "record",
    "inbox",
    "flow",
    "plan",
    "configuration",
    "qa",
];

#[test]
#[ignore = "needs chromium and chromedriver: ./test --long"]
fn every_page_is_small_and_fits_the_screen_and_the_main_ones_have_their_pictures() {
    let everything = Everything::new();
    let browser = &everything.browser;
    let writes = std::env::var_os("TANDEM_WRITE_DOCS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/images/console");
    for sight in sights() {
        browser.see(sight);
        for (name, page) in everything.pages() {
            everything.open(&page);
            let measured = "const page = performance.getEntriesByType('navigation')[0]; \
                            return [document.documentElement.scrollWidth, innerWidth, page.decodedBodySize]";
            let measured = browser.js(measured).unwrap();
            let number = |place: usize| measured[place].as_u64().unwrap();
            assert!(
                number(0) <= u64::from(sight.measures().0) && number(1) == u64::from(sight.measures().0),
                "{name} {sight:?} scrolls sideways: {measured}"
            );
            assert!((1..LARGEST_PAGE).contains(&number(2)), "{name}: {measured}");
            let file = format!("{name}-{}-{}.png", sight.colours, sight.device);
            let few = SHOWN.contains(&name) && (sight.device == "wide" || sight.colours == "light");
            if writes && few {
                let picture = browser.picture();
                assert!(picture.len() < LARGEST_PICTURE, "{file}: {}", picture.len());
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(&file), picture).unwrap();
            }
        }
    }
}
