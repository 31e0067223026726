// OpenFeature's JavaScript SDK with its OFREP provider, against the server of run.py.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.env.KIT_PACKAGES + "/");
const { OpenFeature } = require("@openfeature/server-sdk");
const { OFREPProvider } = require("@openfeature/ofrep-provider");

const provider = (token) =>
  new OFREPProvider({ baseUrl: process.env.KIT_URL, headers: [["Authorization", `Bearer ${token}`]] });

await OpenFeature.setProviderAndWait("admin", provider(process.env.KIT_ADMIN_TOKEN));
await OpenFeature.setProviderAndWait("stranger", provider("nonsense"));
const admin = OpenFeature.getClient("admin");

// Whom rules match, and whom they do not.
const ada = await admin.getBooleanDetails("beta", false, { targetingKey: "1" });
assert.equal(ada.value, true);
assert.equal(ada.reason, "TARGETING_MATCH");
assert.equal(ada.variant, "on");
assert.equal(ada.flagMetadata.source, "rule:role");
const bob = await admin.getBooleanDetails("beta", true, { targetingKey: "2" });
assert.equal(bob.value, false);
assert.equal(bob.reason, "DEFAULT");
const acme = await admin.getBooleanDetails("beta", false, { targetingKey: "2", org: "ACME", plan: { seats: 7 } });
assert.equal(acme.value, true);
assert.equal(acme.flagMetadata.source, "rule:org");
const share = await admin.getBooleanDetails("share", false, { targetingKey: "2" });
assert.equal(share.value, true);
assert.equal(share.reason, "SPLIT");

// What cannot be evaluated is the caller's default, with the protocol's code.
const expectDefault = async (client, key, context, code) => {
  const details = await client.getBooleanDetails(key, true, context);
  assert.equal(details.value, true, key);
  assert.equal(details.errorCode, code, `${key}: ${details.errorMessage}`);
};
await expectDefault(admin, "nowhere", { targetingKey: "1" }, "FLAG_NOT_FOUND");
await expectDefault(admin, "beta", {}, "TARGETING_KEY_MISSING");
await expectDefault(admin, "beta", { targetingKey: "ada" }, "INVALID_CONTEXT");
await expectDefault(OpenFeature.getClient("stranger"), "beta", { targetingKey: "1" }, "GENERAL");
assert.equal((await admin.getStringDetails("beta", "x", { targetingKey: "1" })).errorCode, "TYPE_MISMATCH");
console.log("OFREP: the SDK and the server agree");
await OpenFeature.close();
