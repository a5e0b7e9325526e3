import { Effect } from "effect"
import type { Audit } from "../../src/audit/Audit.js"
import { chatty } from "../support/Talk.js"
import { api, talking, team } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const own = { servers: ["open", "mine"], tools: { hide: ["open__crash"] } }

const audit = {
  refusal: () => undefined,
  problem: () => undefined,
  status: () => ({ file: "/secret/calls.jsonl", lost: 7 }),
  begin: () => {
    throw new Error("nothing is called")
  }
} as Audit

/** A gateway where the names of two servers are equal, one of which clients may not use. */
const gateway = Effect.gen(function*() {
  const servers = [
    chatty("closed", { prefix: "" }),
    chatty("open", { prefix: "", says: "with an argument of its own" }),
    chatty("mine", { sessions: "per-client" })
  ]
  const found = yield* team(servers, { ci: own, boss: { ...own, admin: true }, other: {} }, { audit })
  // There is somebody with a server of their own.
  const talk = yield* talking(found.url, "other-token")
  yield* Effect.promise(() => talk.tools())
  found.record.log.add({ at: 0, server: null, level: "warning", text: "closed offers what open has" })
  found.record.log.add({ at: 0, server: null, level: "info", text: "the file was read again" })
  found.record.log.add({ at: 0, server: "mine", level: "info", text: "of somebody else" })
  return found
})

const statusOf = (base: string, token: string) => Effect.map(api(base, token, "/api/status"), ({ body }) => body)

describe("what the API says", () => {
  test.scopedLive("[G22] to who is no admin, is what it needs to use its servers: what is added to the status later is not among it", function*() {
    const { base } = yield* gateway
    const { gateway: about, servers: [open, mine, ...none] } = yield* statusOf(base, "ci-token")
    expect(Object.keys(about).toSorted()).toEqual(["caller", "clients", "name", "startedAt", "url", "version"])
    expect(none).toEqual([])
    const always = ["calls", "counts", "history", "name", "server", "sessions", "since", "stale", "state"]
    const keys = (server: object) => Object.keys(server).filter((key) => key !== "usage" || server === mine).toSorted()
    expect(keys(open)).toEqual([...always, "generation", "transport", "warnings"].toSorted())
    expect(keys(mine)).toEqual([...always, "transport", "warnings"].toSorted())
    const { servers: [closed, all] } = yield* statusOf(base, "operator")
    expect(JSON.stringify((yield* api(base, "operator", "/api/logs")).body)).toMatch(/pid \d.*\d tools/)
    expect(all.target).toContain("with an argument of its own")
    expect(all.warnings.join()).toContain("closed")
    expect([open.counts.tools, open.warnings]).toEqual([all.counts.tools - 1, []])
    expect([closed.name, all.name]).toEqual(["closed", "open"])
    const logs = JSON.stringify((yield* api(base, "ci-token", "/api/logs")).body)
    expect(logs).not.toMatch(/closed|of somebody else|read again|argument|pid \d|\d tools/)
    expect(logs).toContain('"Connected  generation 1"')
    const details = (yield* api(base, "ci-token", "/api/servers/open")).body
    expect(keys(details)).toEqual(keys(open))
    expect(details.counts).toEqual(open.counts)
    expect(Object.keys((yield* api(base, "ci-token", "/api/servers/mine")).body)).not.toContain("runtimes")
    const [ready, health] = [
      (yield* api(base, "ci-token", "/ready")).body,
      (yield* api(base, "ci-token", "/health")).body
    ]
    expect(JSON.stringify([ready, health])).not.toMatch(/runtimesByState|closed|argument/)
  })

  test.scopedLive("[G22] to an admin that may not use everything, names nothing of the rest, in warnings neither", function*() {
    const { base } = yield* gateway
    const status = yield* statusOf(base, "boss-token")
    expect(status.gateway).toMatchObject({ config: "/secret/mcp.json", audit: { lost: 7 } })
    const [open, mine] = status.servers
    expect(open.target).toContain("with an argument of its own")
    expect(mine.runtimesByState).toEqual({ Connected: 1 })
    const logs = (yield* api(base, "boss-token", "/api/logs")).body
    expect(JSON.stringify(logs)).toContain('"Connected  generation 1"')
    expect(JSON.stringify([status, logs])).not.toMatch(/closed|"crash/)
    const { servers: [, all] } = yield* statusOf(base, "operator")
    expect([all.counts.tools - open.counts.tools, open.pid]).toEqual([1, all.pid])
  })
})
