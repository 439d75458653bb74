// The tables of docs/local-org.md that say what each client can do, and the checks held against them.
import fs from "node:fs";

const DOCUMENT = new URL("../docs/local-org.md", import.meta.url);

/** The rows below the heading of a client: method and the code of its documented error. */
export function rows(client) {
  const lines = fs.readFileSync(DOCUMENT, "utf8").split("\n");
  const start = lines.findIndex((line) => line.startsWith("### ") && line.includes(client));
  const found = new Map();
  for (const line of lines.slice(start + 1)) {
    if (line.startsWith("#")) break;
    const cells = line.split("|").map((cell) => cell.trim().replaceAll("`", ""));
    if (cells.length === 4 && cells[1] !== "method" && !cells[1].startsWith("---")) {
      found.set(cells[1], cells[2]);
    }
  }
  if (start < 0 || found.size === 0) throw new Error(`docs/local-org.md has no table for ${client}`);
  return found;
}

/** Runs checks of {success, error} by method; every row needs one and every check a row. */
export async function run(client, checks, code) {
  const table = rows(client);
  let failed = 0;
  const fail = (text) => {
    failed += 1;
    console.log(`FAILED  ${text}`);
  };
  for (const method of table.keys()) {
    if (!(method in checks)) fail(`${method}: in the table and not checked`);
  }
  for (const [method, { success, error }] of Object.entries(checks)) {
    if (!table.has(method)) {
      fail(`${method}: checked and not in the table`);
      continue;
    }
    try {
      await success();
    } catch (problem) {
      fail(`${method}: ${problem.stack ?? problem}`);
    }
    const expected = table.get(method);
    try {
      const answer = await error();
      fail(`${method}: ${expected} expected, it went well: ${JSON.stringify(answer)?.slice(0, 200)}`);
    } catch (problem) {
      const found = code(problem);
      if (found !== expected) fail(`${method}: ${expected} expected, not ${found} (${problem.message ?? problem})`);
    }
  }
  const checked = Object.keys(checks).length;
  console.log(`${client}: ${checked} methods, each once for success and once for its error; ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
