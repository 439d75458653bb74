// odata-query (with fetch) and o.js, as their users write with them, against a local OData service in v4.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const root = process.argv[2];
const require = createRequire(path.join(process.env.ODATA_CLIENTS, "package.json"));
const { default: buildQuery } = require("odata-query");
const { o } = require("o.js");
const headers = { authorization: "Bearer odata-tandem-token", "content-type": "application/json" };

async function ask(method, address, body, more = {}) {
  const url = address.startsWith("http") ? address : `${root}/${address}`;
  const answer = await fetch(url, { method, headers: { ...headers, ...more }, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text && text[0] === "{" ? JSON.parse(text) : text };
}

async function odataQuery() {
  const metadata = await ask("GET", "$metadata");
  assert.match(metadata.body, /<EntitySet Name="Customers" EntityType="Company.Customer">/);

  const listed = [];
  let next = `Customers${buildQuery({ select: ["Number", "Name"], orderBy: ["Name desc"], count: true })}`;
  let total;
  while (next) {
    const page = await ask("GET", next);
    assert.equal(page.status, 200, JSON.stringify(page.body));
    total ??= page.body["@odata.count"];
    listed.push(...page.body.value);
    next = page.body["@odata.nextLink"];
  }
  assert.equal(listed.length, total);
  assert.equal(new Set(listed.map((row) => row.Number)).size, total);
  assert.deepEqual(Object.keys(listed[0]).sort(), ["@odata.etag", "Name", "Number"]);

  const made = await ask("POST", "Customers", { Name: "O'Neil & Söhne", City: "Köln", CreditLimit: 12.5 });
  assert.equal(made.status, 201);
  const found = await ask("GET", `Customers${buildQuery({ filter: { and: [{ Name: "O'Neil & Söhne" }, { CreditLimit: { ge: 12, lt: 13 } }] } })}`);
  assert.deepEqual(found.body.value.map((row) => row.Number), [made.body.Number]);
  const part = await ask("GET", `Customers${buildQuery({ filter: { Name: { contains: "Neil" }, not: [{ City: "Bonn" }] } })}`);
  assert.equal(part.body.value.length, 1);
  const none = await ask("GET", `Customers${buildQuery({ filter: { ModifiedAt: { gt: new Date("2999-01-01") } } })}`);
  assert.deepEqual(none.body.value, []);
  const among = await ask("GET", `Customers${buildQuery({ filter: { Number: { in: [made.body.Number, "C10001"] } } })}`);
  assert.equal(among.body.value.length, 2, JSON.stringify(among.body));
  const nested = await ask("GET", `Orders${buildQuery({ top: 1, expand: { Lines: { select: ["LineNumber"], orderBy: "LineNumber desc" } } })}`);
  assert.ok(nested.body.value[0].Lines.length > 0);

  const address = `Customers('${made.body.Number}')`;
  const tag = made.headers.get("etag");
  assert.equal((await ask("PATCH", address, { City: "Ulm" })).status, 428);
  assert.equal((await ask("PATCH", address, { City: "Ulm" }, { "if-match": tag })).status, 204);
  assert.equal((await ask("PATCH", address, { City: "Jena" }, { "if-match": tag })).status, 412);
  const now = await ask("GET", address);
  assert.equal(now.body.City, "Ulm");

  let tracked = await ask("GET", "Products", undefined, { prefer: "odata.track-changes" });
  while (tracked.body["@odata.nextLink"]) tracked = await ask("GET", tracked.body["@odata.nextLink"]);
  const link = tracked.body["@odata.deltaLink"];
  const product = await ask("POST", "Products", { Name: "Rad" });
  await ask("DELETE", `Products('${product.body.Number}')`, undefined, { "if-match": "*" });
  const delta = await ask("GET", link);
  assert.deepEqual(delta.body.value.map((row) => row["@removed"]?.reason), ["deleted"]);

  const batch = await ask("POST", "$batch", {
    requests: [
      { id: "1", atomicityGroup: "g", method: "post", url: "Products", headers: { "content-type": "application/json" }, body: { Name: "A" } },
      { id: "2", atomicityGroup: "g", method: "patch", url: address, headers: { "if-match": tag, "content-type": "application/json" }, body: { City: "x" } },
    ],
  });
  assert.deepEqual(batch.body.responses.map((one) => one.status), [424, 412]);

  assert.equal((await ask("DELETE", address, undefined, { "if-match": now.headers.get("etag") })).status, 204);
  assert.equal((await ask("GET", address)).status, 404);
}

async function ojs() {
  const client = () => o(`${root}/`, { headers });
  const some = await client().get("Customers").query({ $filter: "startswith(Number,'C')", $top: 3 });
  assert.equal(some.length, 3);
  const made = await client().post("Products", { Name: "Von o.js", Price: 3.25 }).query();
  assert.equal(made.Name, "Von o.js");
  const one = await client().get(`Products('${made.Number}')`).query();
  assert.equal(one.Price, 3.25);
  const tagged = o(`${root}/`, { headers: { ...headers, "if-match": one["@odata.etag"] } });
  await tagged.patch(`Products('${made.Number}')`, { Name: "Anders" }).query();
  await assert.rejects(
    o(`${root}/`, { headers: { ...headers, "if-match": one["@odata.etag"] } }).delete(`Products('${made.Number}')`).query(),
    (answer) => answer.status === 412,
  );
  const batched = { endpoint: "$batch", headers: new Headers(headers), boundaryPrefix: "batch_", useChangset: false };
  const both = await o(`${root}/`, { headers, batch: batched }).get(`Products('${made.Number}')`).get("Products/$count").batch();
  assert.equal(both.length, 2);
  assert.equal(both[0].body.Name, "Anders", JSON.stringify(both));
  const gone = o(`${root}/`, { headers: { ...headers, "if-match": "*" } });
  await gone.delete(`Products('${made.Number}')`).query();
}

for (const [name, check] of [["odata-query", odataQuery], ["o.js", ojs]]) {
  try {
    await check();
    console.log(`${name}: all as expected`);
  } catch (problem) {
    const told = problem.stack ?? `${problem.status} ${problem.url}: ${await problem.text?.()}`;
    console.log(`FAILED  ${name}: ${told}`);
    process.exitCode = 1;
  }
}
