import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { talking, team } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const broken = (id: string) => ({
  id,
  connector: StdioConnector.make({
    command: process.execPath,
    args: ["-e", "console.log('secret-said'); console.error('secret-written'); process.exit(3)", "secret-argument"],
    protocol: "2025"
  }),
  timeouts: { connect: "2 minutes", wait: 50 }
} as const)

describe.each([["with sessions", false], ["without", true]] as const)(
  "a call that fails, in the era %s",
  (_, isStateless) => {
    test.scopedLive("[G22] says to nobody but admins how a server is started and what it has written, also if the client has it alone", function*() {
      const all = [broken("all"), { ...broken("own"), sessions: "per-client" } as const]
      const { url } = yield* team(all, { ci: {}, boss: { admin: true } })
      for (const [token, isShown] of [["ci-token", false], ["boss-token", true]] as const) {
        const talk = yield* talking(url, token, { isStateless })
        yield* Effect.promise(async () => {
          for (const server of ["all", "own"]) {
            const ask = async () => JSON.stringify(await talk.error("tools/call", { name: `${server}__any` }))
            let error = await ask()
            // The first attempt to start it may not be over.
            while (!error.includes("last error")) error = await ask()
            expect([server, error.includes("secret-argument"), error.includes("secret-written")])
              .toEqual([server, isShown, isShown])
            if (!isShown) expect(error).not.toMatch(/secret/)
          }
          const status = JSON.stringify(await talk.result("tools/call", { name: "lifeline__status" }))
          expect([status.includes("why: "), status.includes("secret-")]).toEqual([true, isShown])
        })
      }
    })

    test.scopedLive("[G22] says the same of a server that was removed from the file while the call waited", function*() {
      const gone = { ...broken("gone"), timeouts: { connect: "2 minutes", wait: "2 minutes" } } as const
      const { servers, url } = yield* team([gone], { ci: {}, boss: { admin: true } })
      const talks = yield* Effect.forEach(["ci-token", "boss-token"], (token) => talking(url, token, { isStateless }))
      const calls = Promise.all(
        talks.map(async (talk) => JSON.stringify(await talk.error("tools/call", { name: "gone__any" })))
      )
      const { fleet } = servers.shared
      yield* Effect.repeat(Effect.delay(fleet.status, "20 millis"), {
        until: ({ gone }) => gone?.lastError !== undefined && gone.waiting >= 2
      })
      yield* servers.apply([])
      const [ci, boss] = yield* Effect.promise(() => calls)
      expect([ci?.includes("gone"), ci?.includes("secret"), boss])
        .toEqual([true, false, expect.stringContaining("secret-argument")])
    })
  }
)
