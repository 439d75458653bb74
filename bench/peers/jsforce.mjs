// One way, ERP to Salesforce, as a user of jsforce writes it: what changed since the last run, by collections of 200.
//
//   node jsforce.mjs        CUSTOMERP_URL, SALESFORCE_URL and the secrets come from the environment, the watermark from ./watermark.json
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { Connection } = createRequire(join(process.env.PEERS_PLACE, "package.json"))("jsforce");
const KEY = "Customerp_Id__c";
const { steps } = JSON.parse(readFileSync(new URL("mapping.json", import.meta.url)));
const environment = process.env;
let refused = 0;

// What changed in one collection since the watermark, and the watermark for the next run.
async function changes(collection, since) {
  const items = [];
  let asOf, cursor;
  do {
    const query = new URLSearchParams({ limit: "1000", ...(since && { updatedSince: since }), ...(cursor && { cursor }) });
    const page = await customerp(`${collection}?${query}`);
    items.push(...page.items);
    asOf ??= page.asOf;
    cursor = page.nextCursor;
  } while (cursor);
  return { items, asOf };
}

async function customerp(path) {
  const answer = await fetch(`${environment.CUSTOMERP_URL}/api/v1/${path}`, {
    headers: { authorization: `Bearer ${environment.CUSTOMERP_TOKEN}` },
  });
  if (!answer.ok) throw new Error(`the ERP answered ${answer.status} to ${path}`);
  return answer.json();
}

// Orders and quotes whose lines changed have to be known, too: for their currency, and to unlock an order.
async function addParents(read) {
  for (const { from, line_of: parents } of steps.filter((step) => step.line_of)) {
    const there = new Set(read[parents].map((item) => item.id));
    const property = Object.keys(steps.find((step) => step.from === from).once)[0];
    const absent = [...new Set(read[from].map((line) => line[property]))].filter((id) => !there.has(id));
    for (let at = 0; at < absent.length; at += 200) {
      const page = await customerp(`${parents}?ids=${absent.slice(at, at + 200)}`);
      read[parents].push(...page.items);
    }
  }
}

const named = ([relationship, prefix], id) =>
  id == null ? { [`${relationship}Id`]: null } : { [relationship]: { [KEY]: `${prefix}:${id}` } };

// A record of the ERP as Salesforce takes it; `once` holds what can be given on the create alone.
function convert(step, item) {
  const record = { [KEY]: `${step.key}:${item.id}`, ...step.constants };
  for (const [property, field] of Object.entries(step.fields ?? {})) {
    record[field] = step.values?.[property]?.[item[property]] ?? item[property];
  }
  const once = {};
  for (const [property, reference] of Object.entries(step.references ?? {})) Object.assign(record, named(reference, item[property]));
  for (const [property, reference] of Object.entries(step.once ?? {})) Object.assign(once, named(reference, item[property]));
  return { record, once };
}

async function upsert(org, object, records) {
  for (let at = 0; at < records.length; at += 200) {
    const batch = records.slice(at, at + 200);
    report(object, batch, await org.sobject(object).upsert(batch, KEY));
  }
}

function report(object, batch, results) {
  results.forEach((result, at) => {
    if (result.success) return;
    refused += 1;
    console.error(`${object} ${batch[at][KEY] ?? ""}: ${result.errors.map((error) => `${error.statusCode} ${error.message}`)}`);
  });
}

// The keys of these records that the org has already: what is given once must not be sent again.
async function known(org, object, records) {
  const found = new Set();
  const add = async (condition) => {
    const rows = await org.query(`SELECT ${KEY} FROM ${object} WHERE ${condition}`).execute({ autoFetch: true, maxFetch: 1e7 });
    for (const row of rows.records ?? rows) found.add(row[KEY]);
  };
  if (records.length > 400) await add(`${KEY} != null`);
  else for (let at = 0; at < records.length; at += 200) {
    await add(`${KEY} IN (${records.slice(at, at + 200).map((record) => `'${record[KEY]}'`)})`);
  }
  return found;
}

// The entry of the standard price book for each product and currency; made where there is none.
async function priceBook(org, read) {
  const book = (await org.query("SELECT Id FROM Pricebook2 WHERE IsStandard = true")).records[0].Id;
  const entries = new Map();
  const look = async () => {
    const soql = `SELECT Id, CurrencyIsoCode, Product2.${KEY} FROM PricebookEntry WHERE Pricebook2Id = '${book}'`;
    const rows = await org.query(soql).execute({ autoFetch: true, maxFetch: 1e7 });
    for (const row of rows.records ?? rows) entries.set(`${row.Product2[KEY]} ${row.CurrencyIsoCode}`, row.Id);
  };
  const wanted = new Set();
  for (const step of steps.filter((step) => step.line_of)) {
    const currency = new Map(read[step.line_of].map((item) => [item.id, item.currency]));
    const property = Object.keys(step.once)[0];
    for (const line of read[step.from]) {
      line.entry = `Product:${line.productId} ${currency.get(line[property])}`;
      wanted.add(line.entry);
    }
  }
  if (wanted.size) await look();
  const absent = [...wanted].filter((entry) => !entries.has(entry)).map((entry) => {
    const [product, currency] = entry.split(" ");
    return { Pricebook2Id: book, Product2: { [KEY]: product }, CurrencyIsoCode: currency, UnitPrice: 0, IsActive: true };
  });
  for (let at = 0; at < absent.length; at += 200) {
    report("PricebookEntry", absent, await org.sobject("PricebookEntry").create(absent.slice(at, at + 200)));
  }
  if (absent.length) await look();
  return { book, entries };
}

const watermarks = existsSync("watermark.json") ? JSON.parse(readFileSync("watermark.json")) : {};
const next = {}, read = {};
for (const collection of new Set(steps.map((step) => step.from))) {
  const { items, asOf } = await changes(collection, watermarks[collection]);
  read[collection] = items;
  next[collection] = asOf;
}
await addParents(read);

const org = new Connection({
  version: "62.0",
  oauth2: { loginUrl: environment.SALESFORCE_URL, clientId: environment.SALESFORCE_CLIENT_ID, clientSecret: environment.SALESFORCE_CLIENT_SECRET },
});
await org.authorize({ grant_type: "client_credentials" });
let prices;
for (const step of steps) {
  const [property, value] = step.only ?? ["id"];
  const items = read[step.from].filter((item) => item[property] != null && (value ?? item[property]) === item[property]);
  if (!items.length) continue;
  if (step.priced || step.line_of) prices ??= await priceBook(org, read);
  const converted = items.map((item) => {
    const { record, once } = convert(step, item);
    if (step.priced) record.Pricebook2Id = prices.book;
    if (step.line_of) once.PricebookEntryId = prices.entries.get(item.entry);
    return { record, once };
  });
  if (!step.once) {
    await upsert(org, step.object, converted.map(({ record }) => record));
    continue;
  }
  const there = await known(org, step.object, converted.map(({ record }) => record));
  await upsert(org, step.object, converted.map(({ record, once }) => (there.has(record[KEY]) ? record : { ...record, ...once })));
}
if (refused) {
  console.error(`${refused} records were refused: the watermark stays`);
  process.exit(1);
}
writeFileSync("watermark.new", JSON.stringify(next));
renameSync("watermark.new", "watermark.json");
