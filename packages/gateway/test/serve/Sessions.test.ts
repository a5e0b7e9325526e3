import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ScriptedFleet from "../support/ScriptedFleet.js"
import { accept, bare, initialize, nothing, serve } from "../support/Served.js"

const { catalog } = ScriptedFleet

describe("Sessions", () => {
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
})
