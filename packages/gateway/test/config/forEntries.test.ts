import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Either } from "effect"
import { grant, keep } from "../../../sign-in/test/support/grants.js"
import { folder } from "../../../testing/test/support/folder.js"
import { forEntries } from "../../src/config/forEntries.js"
import * as McpJson from "../../src/config/McpJson.js"
import { describe, expect, test } from "../support/vitest.js"

describe("the sign-ins of the servers of a file", () => {
  const entriesOf = (servers: unknown) =>
    Either.getOrThrow(McpJson.parse("mcp.json", JSON.stringify({ mcpServers: servers }), {})).entries

  test.scoped("[A1] use the tokens that are stored, and none has one that has credentials or no address", function*() {
    const state = StateFolder.make(yield* folder)
    yield* keep(state, { grants: [grant({ server: "https://a.example/mcp" })] })
    const entries = entriesOf({
      local: { command: "server" },
      a: { url: "https://a.example/mcp?key=1", headers: { "x-authorization": "mine" } },
      b: { url: "https://b.example/mcp" },
      own: { url: "https://a.example/mcp", headers: { "x-team": "blue", Authorization: "Bearer mine" } },
      user: { url: "https://user@a.example/mcp" },
      pass: { url: "https://:pass@a.example/mcp" },
      last: { url: "http://127.0.0.1:1/mcp" }
    })
    const [, first] = entries
    const unclear = first === undefined || first.server._tag !== "Http"
      ? []
      : [{ ...first, name: "unclear", server: { ...first.server, url: "no address" } }]
    expect(unclear).toHaveLength(1)
    const signIns = yield* Effect.provideService(
      forEntries([...unclear, ...entries], undefined),
      StateFolder.StateFolder,
      state
    )
    const states = yield* Effect.forEach(
      signIns,
      ([name, signIn]) => Effect.map(signIn.state, ({ _tag }) => [name, signIn.server, signIn.account, _tag])
    )
    expect(states).toEqual([
      ["a", "https://a.example/mcp", "default", "SignedIn"],
      ["b", "https://b.example/mcp", "default", "NotAsked"],
      ["last", "http://127.0.0.1:1/mcp", "default", "NotAsked"]
    ])
  })
})
