import { connect } from "@mcp-lifeline/client"
import { MemoryConnector } from "@mcp-lifeline/protocol"
import { Client as OfficialClient } from "@modelcontextprotocol/sdk/client/index.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { readFileSync } from "node:fs"
import { afterEach, assert, describe, it } from "vitest"
import * as Yaml from "yaml"
import * as Members from "../src/internal/OfficialClient.js"
import { rejection } from "./fixtures/rejection.js"

const server = { connector: MemoryConnector.make({ server: () => new McpServer({ name: "docs", version: "1.0.0" }) }) }
const listChanged = { tools: { onChanged: () => {} } }

/** What another release of the SDK could do to a member. */
const without = {
  getServerCapabilities: "_serverCapabilities",
  getServerVersion: "_serverVersion",
  getInstructions: "_instructions",
  _setupListChangedHandlers: "_setupListChangedHandlers",
  isToolTaskRequired: "isToolTaskRequired"
} as const

const prototype = OfficialClient.prototype as unknown as Record<string, unknown>
const own = { ...Object.fromEntries(Object.keys(without).map((name) => [name, prototype[name]])) }

describe("the official Client of another release", () => {
  afterEach(() => void Object.assign(prototype, own))

  it.each(Object.entries(without))(
    "[F2] in which %s is another one is refused at once, with the versions that work",
    async (name, member) => {
      prototype[name] = name.startsWith("get") ? () => "kept elsewhere" : undefined
      const error = await rejection(connect(server))
      assert.include(String(error), `@modelcontextprotocol/sdk ${Members.supported}, whose Client has ${member};`)
    }
  )

  it("[F2] which keeps listeners elsewhere is refused where there are some", async () => {
    assert.throws(
      () => Members.check(new OfficialClient({ name: "a", version: "1" }), true),
      /_pendingListChangedConfig/
    )
    await using client = await connect(server, { listChanged })
    assert.strictEqual(client.getServerVersion()?.name, "docs")
  })

  it("[F2] is of the versions that are declared", () => {
    const workspace = Yaml.parse(readFileSync(new URL("../../../pnpm-workspace.yaml", import.meta.url), "utf8"))
    assert.strictEqual(Members.supported, workspace.catalog["@modelcontextprotocol/sdk"])
  })
})
