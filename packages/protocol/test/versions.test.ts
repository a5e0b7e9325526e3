import { assert, describe, it } from "@effect/vitest"
import * as Sdk from "@modelcontextprotocol/sdk/types.js"
import * as Initialize from "../src/Initialize.js"

describe("the handshake", () => {
  it("[P1] knows the versions of the official SDK", () => {
    assert.deepEqual([...Initialize.versions], Sdk.SUPPORTED_PROTOCOL_VERSIONS)
    assert.strictEqual(Initialize.latestVersion, Sdk.LATEST_PROTOCOL_VERSION)
  })
})
