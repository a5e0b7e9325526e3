import { PinStore } from "@mcp-lifeline/extensions"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import * as Program from "../support/Program.js"
import { api, team } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const tool = (name: string, description = "") => ({ name, description, inputSchema: { type: "object" } })

const hide = ["s__hidden*"]

/** `boss` is an admin that may not use some of the pinned tools, `head` one that may use no other server, `chief` one that may use all. */
const pinned = Effect.fnUntraced(function*(store: PinStore.PinStore, isDisabled = false) {
  const file = join(yield* folder, "tools.json")
  const list = (tools: ReadonlyArray<object>) => writeFileSync(file, JSON.stringify(tools))
  list([tool("kept"), tool("hidden-kept"), tool("hidden-changed")])
  const origin = Program.fixture("pinned", file, "announces")
  const server = {
    id: "s",
    connector: StdioConnector.make({ ...origin, protocol: "2025" }),
    pin: "block",
    origin,
    timeouts: { connect: "2 minutes", wait: "2 minutes" },
    lifecycle: { disabled: isDisabled }
  } as const
  const clients = {
    boss: { admin: true, tools: { hide } },
    head: { admin: true, servers: ["s"] },
    chief: { admin: true },
    ci: { tools: { hide } }
  }
  const found = yield* team([server], clients, {}, { pins: { of: () => store, named: () => Effect.succeed([]) } })
  const ask = (token: string, path: string, method: "GET" | "POST" = "GET") =>
    api(found.base, token, path, method, method === "POST" ? {} : undefined)
  return { ...found, ask, list }
})

const names = (changes: ReadonlyArray<{ readonly tool: string }>) => changes.map(({ tool }) => tool).toSorted()

describe("an admin that may not use everything", { timeout: 240_000 }, () => {
  test.scopedLive("[G22 G24] reads nothing of hidden tools in the answer to any command, and approves none, whatever is withheld", function*() {
    const { ask, list, record } = yield* pinned(PinStore.memory())
    list([tool("kept"), tool("hidden-kept"), tool("hidden-changed", "now"), tool("hidden-new"), tool("new")])
    const changes = Effect.map(ask("operator", "/api/servers/s"), ({ body }) => body.pins.changes)
    yield* Effect.repeat(Effect.delay(changes, "50 millis"), { until: (found) => found.length >= 3 })
    record.log.add({ at: 0, server: null, level: "warning", text: 's: the tool "hidden-new" is new' })
    record.log.add({ at: 0, server: "s", level: "warning", text: 'the tool "hidden-changed" has changed' })
    record.log.add({ at: 0, server: null, level: "warning", text: 's: the tool "new" is new' })
    record.log.add({ at: 0, server: "s", level: "warning", text: "it said something of others" })

    const read = ["/api/status", "/api/servers/s", "/api/logs", "/api/logs?server=s", "/api/tools", "/ready"]
    for (const path of read) {
      const { body, status } = yield* ask("boss-token", path)
      expect([path, status, JSON.stringify(body)]).toEqual([path, 200, expect.not.stringContaining("hidden-")])
    }
    for (const path of ["/api/logs", "/api/logs?server=s"]) {
      for (const token of ["boss-token", "ci-token"]) {
        const { body } = yield* ask(token, path)
        expect(body.events.map(({ text }: { text: string }) => text)).toContain("Connected  generation 1")
        expect(JSON.stringify(body)).not.toMatch(/hidden-|of others|is new/)
      }
      expect(JSON.stringify((yield* ask("chief-token", path)).body)).toContain("of others")
    }
    for (const action of ["reconnect", "disable", "enable"]) {
      const { body, status } = yield* ask("boss-token", `/api/servers/s/${action}`, "POST")
      expect([action, status, JSON.stringify(body)]).toEqual([action, 200, expect.not.stringContaining("hidden-")])
      if (action === "reconnect") expect([body.counts.tools, names(body.pins.changes)]).toEqual([1, ["new"]])
    }
    const { body, status } = yield* ask("boss-token", "/api/servers/s/approve", "POST")
    expect([status, body.error.message])
      .toEqual([404, "the tools of s can only be approved as a whole, by somebody who may use all of them"])
    const all = ["hidden-changed", "hidden-new", "new"]
    expect(names(yield* changes)).toEqual(all)
    expect((yield* ask("head-token", "/api/servers/s/approve", "POST")).body.approved.toSorted()).toEqual(all)
  })

  test.scopedLive("[G22 G24] does not have all tools approved where nobody knows which they are", function*() {
    const broken: PinStore.Unreadable = { _tag: "Unreadable", file: "/state/pins.json", reason: "it is damaged" }
    const store = PinStore.memory()
    yield* store.update(() => broken)
    const { ask } = yield* pinned(store, true)
    expect((yield* ask("boss-token", "/api/servers/s/approve", "POST")).status).toBe(404)
    expect(yield* store.get).toBe(broken)
    expect((yield* ask("chief-token", "/api/servers/s/approve", "POST")).status).toBe(200)
    expect(yield* store.get).toBeUndefined()
  })

  test.scopedLive("[G22] does not get the metrics, which are about all servers and tools", function*() {
    const { ask } = yield* pinned(PinStore.memory(), true)
    const { body, status } = yield* ask("boss-token", "/metrics")
    expect([status, body.error]).toEqual([403, {
      code: "forbidden",
      message: "boss may not do this: it is about all servers and tools, some of which this caller may not use"
    }])
    expect((yield* ask("chief-token", "/metrics")).status).toBe(200)
  })
})
