// Has Salesforce's own library read the tree of `tandem salesforce metadata` and turn it into what a deployment sends:
//   node metadata.mjs TREE
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";

const from = createRequire(process.env.TANDEM_CLIENTS ? `${process.env.TANDEM_CLIENTS}/package.json` : import.meta.url);
const { ComponentSet, MetadataConverter } = from("@salesforce/source-deploy-retrieve");
const tree = process.argv[2];
if (!tree) throw new Error("usage: node metadata.mjs TREE");

const { sourceApiVersion } = JSON.parse(fs.readFileSync(path.join(tree, "sfdx-project.json"), "utf8"));
const source = path.join(tree, "force-app");
const components = ComponentSet.fromSource(source);
components.sourceApiVersion = sourceApiVersion;

const files = fs
  .readdirSync(source, { recursive: true })
  .filter((name) => name.endsWith("-meta.xml"))
  .map((name) => path.join(source, name));
const read = new Set(
  components
    .getSourceComponents()
    .toArray()
    .flatMap((component) => [component, ...component.getChildren()])
    .map((component) => component.xml),
);
const unread = files.filter((file) => !read.has(file));
assert.deepEqual(unread, [], "files that the library does not know");
for (const component of components.getSourceComponents().toArray().flatMap((it) => [it, ...it.getChildren()])) {
  if (component.xml) component.parseXmlSync();
}

const output = fs.mkdtempSync(path.join(os.tmpdir(), "metadata-"));
const { packagePath } = await new MetadataConverter().convert(components, "metadata", {
  type: "directory",
  outputDirectory: output,
  genUniqueDir: false,
});
const place = packagePath ?? output;
const manifest = fs.readFileSync(path.join(place, "package.xml"), "utf8");
for (const type of ["CustomField", "CustomObject", "PermissionSet", "PlatformEventChannelMember"]) {
  assert.match(manifest, new RegExp(`<name>${type}</name>`), `package.xml names no ${type}`);
}
const objects = fs.readdirSync(path.join(place, "objects"));
assert.ok(objects.includes("Invoice__c.object") && objects.includes("Activity.object"), objects.join(" "));
fs.rmSync(output, { recursive: true });
console.log(`source-deploy-retrieve: ${files.length} files of the tree read and converted, ${objects.length} objects among them`);
