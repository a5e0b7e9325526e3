import { describe, expect, it } from "@effect/vitest"
import { Bytes } from "@mcp-lifeline/core/internal"
import { Effect } from "effect"
import * as ScriptedFleet from "../support/ScriptedFleet.js"
import { accept, bare, connected, initialize, nothing, serve } from "../support/Served.js"

const { catalog } = ScriptedFleet

describe("Sessions", () => {
  it.scopedLive("[G1:endpoint] forgets a session on DELETE, and answers 404 to one that it does not know", () =>
    Effect.gen(function*() {
      const { fleet } = yield* ScriptedFleet.make(catalog(1, {}), nothing)
      const { sessions, url } = yield* serve(fleet)
      const { client, transport } = yield* connected(url)
      expect(yield* sessions).toBe(1)
      const id = transport.sessionId ?? ""
      yield* Effect.promise(() => transport.terminateSession())
      expect(yield* sessions).toBe(0)
      yield* Effect.promise(() => client.close())
      for (const unknown of [id, "never-was"]) {
        for (const method of ["POST", "GET", "DELETE"]) {
          const headers = { ...accept, "Mcp-Session-Id": unknown }
          expect(yield* bare(url, method, headers, method === "POST" ? "{}" : undefined)).toMatchObject({ status: 404 })
        }
      }
      expect(yield* bare(url, "GET", accept)).toMatchObject({ status: 400 })
      const list = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" })
      expect(yield* bare(url, "POST", accept, list)).toMatchObject({ status: 400 })
      expect(yield* sessions).toBe(0)
    }))

  it.scopedLive("[G1:endpoint] bounds its sessions: the longest unused one makes room, one in use never", () =>
    Effect.gen(function*() {
      const { fleet } = yield* ScriptedFleet.make(catalog(1, {}), nothing)
      const { sessions, url } = yield* serve(fleet, { limits: { maxSessions: 2 } })
      // Bare sessions have no stream open.
      expect(yield* bare(url, "POST", accept, initialize)).toMatchObject({ status: 200 })
      const { client } = yield* connected(url)
      expect(yield* bare(url, "POST", accept, initialize)).toMatchObject({ status: 200 })
      expect(yield* sessions).toBe(2)
      yield* Effect.promise(() => client.ping())
      const other = yield* connected(url)
      expect(yield* bare(url, "POST", accept, initialize)).toMatchObject({ status: 503 })
      yield* Effect.promise(async () => {
        await client.ping()
        await other.client.ping()
      })
    }))

  it.scopedLive("[G10 G17] a session that has made room for another goes on when its owner asks again", () =>
    Effect.gen(function*() {
      const { fleet } = yield* ScriptedFleet.make(catalog(1, {}), nothing)
      const { sessions, url } = yield* serve(fleet, { limits: { maxSessions: 2 } })
      const open = Effect.map(bare(url, "POST", accept, initialize), ({ session }) => session)
      const ping = (session: string) =>
        Effect.map(
          bare(
            url,
            "POST",
            { ...accept, "Mcp-Session-Id": session },
            JSON.stringify({ jsonrpc: "2.0", id: 2, method: "ping" })
          ),
          ({ status }) => status
        )
      const ids = [yield* open, yield* open, yield* open]
      expect(yield* Effect.forEach(ids, ping)).toEqual([200, 200, 200])
      expect(yield* sessions).toBe(2)
    }))

  it.scopedLive("[G1:endpoint] refuses a body past its bound", () =>
    Effect.gen(function*() {
      const { fleet } = yield* ScriptedFleet.make(catalog(1, {}), nothing)
      const { url } = yield* serve(fleet, { limits: { maxBodyBytes: Bytes(1000) } })
      expect(yield* bare(url, "POST", accept, initialize.padEnd(1001))).toMatchObject({ status: 413 })
      expect(yield* bare(url, "POST", accept, initialize)).toMatchObject({ status: 200 })
    }))
})
