// Exercises jsforce against a running local org: node jsforce.mjs http://127.0.0.1:PORT
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { run } from "./table.mjs";

// The client lies where it was installed, not beside this file.
const from = createRequire(process.env.TANDEM_CLIENTS ? `${process.env.TANDEM_CLIENTS}/package.json` : import.meta.url);
const jsforce = from("jsforce");
const { version } = from("jsforce/package.json");
const address = process.argv[2];
if (!address) throw new Error("usage: node jsforce.mjs ADDRESS");

const oauth2 = { loginUrl: address, clientId: "tandem", clientSecret: "tandem-secret" };
const grant = { grant_type: "client_credentials", client_id: "tandem", client_secret: "tandem-secret" };
const VERSION = "62.0";
const org = new jsforce.Connection({ instanceUrl: address, loginUrl: address, oauth2, version: VERSION });
await org.authorize(grant);
const stranger = new jsforce.Connection({ instanceUrl: address, accessToken: "00D!no-token", version: VERSION });
const NOBODY = "001000000000001AAA";

let number = 0;
const name = () => `jsforce ${process.pid} ${++number}`;
const account = async () => (await org.sobject("Account").create({ Name: name() })).id;
const gone = (id) => assert.rejects(org.sobject("Account").retrieve(id));
/** Results of a collection: the first one's error is the error. */
const first = (results) => {
  const [result] = [results].flat();
  if (result.success) return results;
  const [error] = [result.errors].flat();
  throw Object.assign(new Error(error.message), { errorCode: error.statusCode });
};
const minutes = (count) => new Date(Date.now() + count * 60_000).toISOString();
const ingest = (options = {}) => org.bulk2.createJob({ object: "Account", operation: "insert", ...options });
const opened = async () => {
  const job = ingest();
  await job.open();
  return job;
};
/** A job that loaded one good row and one without a name. */
const loaded = async () => {
  const job = await opened();
  await job.uploadData([{ Name: name(), Phone: "1" }, { Name: "", Phone: "2" }]);
  await job.close();
  await job.poll(50, 20_000);
  return job;
};
const unknownJob = () => org.bulk2.job("ingest", { id: "750000000000001AAA" });

const checks = {
  "Connection.authorize": {
    success: async () => {
      const other = new jsforce.Connection({ instanceUrl: address, loginUrl: address, oauth2 });
      const user = await other.authorize(grant);
      assert.match(user.id, /^005/);
      assert.ok(other.accessToken);
    },
    error: () => {
      const wrong = { ...oauth2, clientSecret: "wrong" };
      return new jsforce.Connection({ loginUrl: address, oauth2: wrong }).authorize(grant);
    },
  },
  "Connection.identity": {
    success: async () => assert.equal((await org.identity()).username, "integration@tandem.example"),
    error: () => stranger.identity(),
  },
  "Connection.logout": {
    success: async () => {
      const other = new jsforce.Connection({ instanceUrl: address, loginUrl: address, oauth2, version: VERSION });
      await other.authorize(grant);
      const token = other.accessToken;
      await other.logout();
      const after = new jsforce.Connection({ instanceUrl: address, accessToken: token, version: VERSION });
      await assert.rejects(after.limits());
    },
    error: async () => {
      const other = new jsforce.Connection({ instanceUrl: address, loginUrl: address, oauth2, accessToken: "no-token" });
      await other.logout();
    },
  },
  "Connection.describeGlobal": {
    success: async () => assert.ok((await org.describeGlobal()).sobjects.some((it) => it.name === "Invoice__c")),
    error: () => stranger.describeGlobal(),
  },
  "Connection.describe": {
    success: async () => assert.ok((await org.describe("Account")).fields.some((field) => field.name === "Customerp_Id__c")),
    error: () => org.describe("Nothing__c"),
  },
  "Connection.limits": {
    success: async () => assert.ok((await org.limits()).DailyApiRequests.Max > 0),
    error: () => stranger.limits(),
  },
  "Connection.recent": {
    success: async () => assert.deepEqual(await org.recent(), []),
    error: () => stranger.recent(),
  },
  "Connection.query": {
    success: async () => {
      const id = await account();
      const found = await org.query(`SELECT Id, Name FROM Account WHERE Id = '${id}'`);
      assert.equal(found.totalSize, 1);
      assert.equal(found.records[0].Id, id);
    },
    error: () => org.query("SELECT FROM Account"),
  },
  "Connection.queryMore": {
    success: async () => {
      await org.sobject("Account").create(Array.from({ length: 200 }, () => ({ Name: name() })));
      await account();
      const page = await org.query("SELECT Id FROM Account", { headers: { "Sforce-Query-Options": "batchSize=200" } });
      assert.equal(page.done, false);
      const next = await org.queryMore(page.nextRecordsUrl);
      assert.ok(next.records.length > 0);
    },
    error: () => org.queryMore("/services/data/v62.0/query/01gNOTHING-2000"),
  },
  "Query.scanAll": {
    success: async () => {
      const id = await account();
      await org.sobject("Account").destroy(id);
      const all = await org.query(`SELECT Id, IsDeleted FROM Account WHERE Id = '${id}'`, { scanAll: true });
      assert.equal(all.records[0].IsDeleted, true);
    },
    error: () => org.query("SELECT Nothing FROM Account", { scanAll: true }),
  },
  "Query.autoFetch": {
    success: async () => {
      const { totalSize } = await org.query("SELECT Id FROM Account");
      const all = await org.query("SELECT Id FROM Account", { autoFetch: true, maxFetch: 100_000 });
      assert.equal(all.records.length, totalSize);
    },
    error: () => org.query("SELECT Id FROM Nothing__c", { autoFetch: true }),
  },
  "SObject.find": {
    success: async () => {
      const id = await account();
      const found = await org.sobject("Account").find({ Id: id }, ["Id", "Name"]).limit(1);
      assert.equal(found[0].Id, id);
    },
    error: async () => org.sobject("Account").find({ Nothing: 1 }, ["Id"]),
  },
  "SObject.findOne": {
    success: async () => {
      const id = await account();
      assert.equal((await org.sobject("Account").findOne({ Id: id }, ["Id"])).Id, id);
    },
    error: async () => org.sobject("Account").findOne({ Id: "x" }, ["Nothing"]),
  },
  "SObject.count": {
    success: async () => {
      const id = await account();
      assert.equal(await org.sobject("Account").count({ Id: id }), 1);
    },
    error: async () => org.sobject("Nothing__c").count({}),
  },
  "SObject.describe": {
    success: async () => assert.equal((await org.sobject("Quote").describe()).name, "Quote"),
    error: () => org.sobject("Nothing__c").describe(),
  },
  "SObject.create": {
    success: async () => assert.ok((await org.sobject("Account").create({ Name: name() })).success),
    error: () => org.sobject("Account").create({ Phone: "1" }),
  },
  "SObject.create (many)": {
    success: async () => {
      const made = await org.sobject("Account").create([{ Name: name() }, { Name: name() }]);
      assert.ok(made.every((result) => result.success));
    },
    error: async () => first(await org.sobject("Account").create([{ Name: "x".repeat(256) }])),
  },
  "SObject.retrieve": {
    success: async () => {
      const id = await account();
      assert.equal((await org.sobject("Account").retrieve(id)).Id, id);
    },
    error: () => org.sobject("Account").retrieve(NOBODY),
  },
  "SObject.retrieve (many)": {
    success: async () => {
      const ids = [await account(), await account()];
      const found = await org.sobject("Account").retrieve(ids, { fields: ["Id", "Name"] });
      assert.deepEqual(found.map((record) => record.Id), ids);
    },
    error: () => org.sobject("Nothing__c").retrieve([NOBODY, NOBODY]),
  },
  "SObject.update": {
    success: async () => {
      const Id = await account();
      await org.sobject("Account").update({ Id, Phone: "42" });
      assert.equal((await org.sobject("Account").retrieve(Id)).Phone, "42");
    },
    error: async () => org.sobject("Account").update({ Id: await account(), Nothing: 1 }),
  },
  "SObject.update (many)": {
    success: async () => {
      const Id = await account();
      first(await org.sobject("Account").update([{ Id, Phone: "43" }]));
      assert.equal((await org.sobject("Account").retrieve(Id)).Phone, "43");
    },
    error: async () => first(await org.sobject("Account").update([{ Id: NOBODY, Phone: "1" }])),
  },
  "SObject.upsert": {
    success: async () => {
      const Customerp_Id__c = name();
      const made = await org.sobject("Account").upsert({ Customerp_Id__c, Name: "one" }, "Customerp_Id__c");
      assert.ok(made.success);
      await org.sobject("Account").upsert({ Customerp_Id__c, Name: "two" }, "Customerp_Id__c");
      assert.equal((await org.sobject("Account").retrieve(made.id)).Name, "two");
    },
    error: () => org.sobject("Account").upsert({ Phone__c: "1", Name: "x" }, "Phone__c"),
  },
  "SObject.upsert (many)": {
    success: async () => {
      const made = await org.sobject("Account").upsert([{ Customerp_Id__c: name(), Name: "one" }], "Customerp_Id__c");
      assert.ok(first(made)[0].created);
    },
    error: async () => first(await org.sobject("Account").upsert([{ Customerp_Id__c: name() }], "Customerp_Id__c")),
  },
  "SObject.destroy": {
    success: async () => {
      const id = await account();
      await org.sobject("Account").destroy(id);
      await gone(id);
    },
    error: async () => {
      const id = await account();
      await org.sobject("Account").destroy(id);
      await org.sobject("Account").destroy(id);
    },
  },
  "SObject.destroy (many)": {
    success: async () => {
      const id = await account();
      first(await org.sobject("Account").destroy([id]));
      await gone(id);
    },
    error: async () => first(await org.sobject("Account").destroy([NOBODY])),
  },
  "SObject.updated": {
    success: async () => {
      const id = await account();
      const { ids, latestDateCovered } = await org.sobject("Account").updated(minutes(-10), minutes(10));
      assert.ok(ids.includes(id) && latestDateCovered);
    },
    error: () => org.sobject("Account").updated(minutes(-60 * 24 * 40), minutes(0)),
  },
  "SObject.deleted": {
    success: async () => {
      const id = await account();
      await org.sobject("Account").destroy(id);
      const { deletedRecords } = await org.sobject("Account").deleted(minutes(-10), minutes(10));
      assert.ok(deletedRecords.some((record) => record.id === id));
    },
    error: () => org.sobject("Account").deleted(minutes(10), minutes(-10)),
  },
  "Connection.requestGet": {
    success: async () => assert.ok((await org.requestGet("/services/data")).length > 0),
    error: () => org.requestGet("/nothing/here"),
  },
  "Connection.requestPost": {
    success: async () => {
      const made = await org.requestPost("/sobjects/Account", { Name: name() });
      assert.ok(made.success);
    },
    error: () => org.requestPost("/sobjects/Account", { Nothing: 1 }),
  },
  "Connection.requestPatch": {
    success: async () => {
      const id = await account();
      await org.requestPatch(`/sobjects/Account/${id}`, { Phone: "9" });
      assert.equal((await org.sobject("Account").retrieve(id)).Phone, "9");
    },
    error: () => org.requestPatch(`/sobjects/Account/${NOBODY}`, { Phone: "9" }),
  },
  "Connection.requestDelete": {
    success: async () => {
      const id = await account();
      await org.requestDelete(`/sobjects/Account/${id}`);
      await gone(id);
    },
    error: () => org.requestDelete("/sobjects/Account/x"),
  },
  "Bulk2.loadAndWaitForResults": {
    success: async () => {
      const done = await org.bulk2.loadAndWaitForResults({
        object: "Account",
        operation: "insert",
        input: [{ Name: name() }, { Name: name() }],
        pollInterval: 50,
        pollTimeout: 20_000,
      });
      assert.equal(done.successfulResults.length, 2);
      assert.deepEqual([done.failedResults.length, done.unprocessedRecords.length], [0, 0]);
    },
    error: () => org.bulk2.loadAndWaitForResults({ object: "Nothing__c", operation: "insert", input: [{ Name: "x" }] }),
  },
  "Bulk2.query": {
    success: async () => {
      const id = await account();
      const rows = await (await org.bulk2.query("SELECT Id, Name FROM Account", { pollInterval: 50, pollTimeout: 20_000 })).toArray();
      assert.ok(rows.some((row) => row.Id === id));
    },
    error: () => org.bulk2.query("SELECT Nothing FROM Account", { pollInterval: 50, pollTimeout: 20_000 }),
  },
  "IngestJobV2.open": {
    success: async () => assert.equal((await (await opened()).check()).state, "Open"),
    error: () => ingest({ operation: "upsert", externalIdFieldName: "Nothing__c" }).open(),
  },
  "IngestJobV2.uploadData": {
    success: async () => {
      const job = await opened();
      await job.uploadData("Name\nby text\n");
      await job.close();
      await job.poll(50, 20_000);
      assert.equal((await job.getSuccessfulResults()).length, 1);
    },
    error: async () => {
      const job = await opened();
      await job.abort();
      await job.uploadData("Name\nlate\n");
    },
  },
  "IngestJobV2.close": {
    success: async () => assert.notEqual((await (await loaded()).check()).state, "Open"),
    error: () => unknownJob().close(),
  },
  "IngestJobV2.check": {
    success: async () => assert.equal((await (await loaded()).check()).numberRecordsProcessed, 2),
    error: () => unknownJob().check(),
  },
  "IngestJobV2.abort": {
    success: async () => {
      const job = await opened();
      await job.abort();
      assert.equal((await job.check()).state, "Aborted");
    },
    error: () => unknownJob().abort(),
  },
  "IngestJobV2.getSuccessfulResults": {
    success: async () => assert.match((await (await loaded()).getSuccessfulResults())[0].sf__Id, /^001/),
    error: () => unknownJob().getSuccessfulResults(),
  },
  "IngestJobV2.getFailedResults": {
    success: async () => assert.match((await (await loaded()).getFailedResults())[0].sf__Error, /REQUIRED_FIELD_MISSING/),
    error: () => unknownJob().getFailedResults(),
  },
  "IngestJobV2.getUnprocessedRecords": {
    success: async () => assert.equal((await (await loaded()).getUnprocessedRecords()).length, 0),
    error: () => unknownJob().getUnprocessedRecords(),
  },
  "IngestJobV2.delete": {
    success: async () => {
      const job = await loaded();
      await job.delete();
      await assert.rejects(job.check());
    },
    error: () => unknownJob().delete(),
  },
  "SoapApi.merge": {
    success: async () => {
      const [winner, loser] = [await account(), await account()];
      const merged = await org.soap.merge({ masterRecord: { type: "Account", Id: winner }, recordToMergeIds: [loser] });
      assert.ok(first(merged));
      await gone(loser);
    },
    error: async () =>
      first(await org.soap.merge({ masterRecord: { type: "Account", Id: await account() }, recordToMergeIds: [NOBODY] })),
  },
  "SoapApi.undelete": {
    success: async () => {
      const id = await account();
      await org.sobject("Account").destroy(id);
      first(await org.soap.undelete([id]));
      assert.equal((await org.sobject("Account").retrieve(id)).Id, id);
    },
    error: async () => first(await org.soap.undelete([await account()])),
  },
  "SoapApi.emptyRecycleBin": {
    success: async () => {
      const id = await account();
      await org.sobject("Account").destroy(id);
      first(await org.soap.emptyRecycleBin([id]));
      const left = await org.query(`SELECT Id FROM Account WHERE Id = '${id}'`, { scanAll: true });
      assert.equal(left.totalSize, 0);
    },
    error: async () => first(await org.soap.emptyRecycleBin([await account()])),
  },
  "SoapApi.getUserInfo": {
    success: async () => assert.equal((await org.soap.getUserInfo()).userName, "integration@tandem.example"),
    error: () => stranger.soap.getUserInfo(),
  },
  "SoapApi.getServerTimestamp": {
    success: async () => assert.ok((await org.soap.getServerTimestamp()).timestamp),
    error: () => stranger.soap.getServerTimestamp(),
  },
};

/** The code of a refusal, which the client leaves in the text of a reply that it does not read itself. */
function code(problem) {
  try {
    const body = JSON.parse(problem.message);
    return [body].flat()[0].errorCode ?? body.error;
  } catch {
    // A SOAP fault's code bears the prefix of its namespace.
    return (problem.errorCode ?? problem.name).replace(/^sf:/, "");
  }
}

await run(`jsforce ${version}`, checks, code);
