// A provider of OpenID Connect by others (oidc-provider), with people of its own. It says where it is on its first line, is
// told on its standard input where to lead people back to, says `ready`, and ends when nobody holds that input any more.
//
// TANDEM_OIDC is the folder that oidc-provider is installed in.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const installed = createRequire(`${process.env.TANDEM_OIDC}/package.json`);
const { default: Provider } = await import(pathToFileURL(installed.resolve("oidc-provider")));

// Each is known by a name at the form, and tells it in another claim: an address of their own, groups, or nothing.
const people = {
  ann: { email: "ann@example.com", email_verified: true, groups: [] },
  otto: { email: "otto@example.com", email_verified: true, groups: ["everybody", "shift"] },
  vera: { preferred_username: "vera", groups: ["auditors"] },
  mallory: { email: "ann@example.com", email_verified: false, groups: ["everybody"] },
  nobody: {},
};
const key = (kind, options, alg) =>
  ({ ...generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" }), alg, use: "sig" });
const secret = "a secret of more than thirty-two characters";
const client = (id, back, more) => ({ client_id: id, client_secret: secret, redirect_uris: [back], ...more });

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  console.log(issuer);
  const lines = createInterface({ input: process.stdin });
  lines.once("line", (back) => {
    const provider = new Provider(issuer, {
      clients: [
        client("tandem", back, {}),
        client("tandem-es256", back, {
          id_token_signed_response_alg: "ES256",
          token_endpoint_auth_method: "client_secret_post",
        }),
      ],
      jwks: { keys: [key("rsa", { modulusLength: 2048 }, "RS256"), key("ec", { namedCurve: "P-256" }, "ES256")] },
      cookies: { keys: ["for a test alone"] },
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username"], groups: ["groups"] },
      scopes: ["openid", "email", "profile", "groups"],
      pkce: { required: () => true },
      findAccount: (_, name) => people[name] && { accountId: name, claims: () => ({ sub: name, ...people[name] }) },
    });
    server.on("request", provider.callback());
    console.log("ready");
  });
  lines.once("close", () => process.exit(0));
});
