/** Servers that each client has for itself, for clients without sessions: those of whom the gateway knows who they are keep theirs between requests. */
import { Effect } from "effect"
import { Endpoint, ServerPool } from "mcp-lifeline"
import * as Identities from "../support/Identities.js"
import * as Program from "../support/Program.js"
import { chatty } from "../support/Talk.js"
import { HttpTalk, talking, team } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const own = { sessions: "per-client" } as const
const stateless = { isStateless: true } as const

const pid = (one: HttpTalk) => Effect.promise(async () => Number(await one.call("o__pid")))

const elicitation = { "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} } } }

const asks = (one: HttpTalk, more: object = {}) =>
  Effect.promise(() =>
    one.ask("tools/call", {
      name: "o__ask",
      arguments: { method: "elicitation/create", params: { message: "Who?", requestedSchema: {} } },
      _meta: elicitation,
      ...more
    })
  )

const inputResponses = (result: any, name: string) =>
  Object.fromEntries(Object.keys(result.inputRequests).map((id) => [id, { action: "accept", content: { name } }]))

describe("servers of single clients without sessions", () => {
  for (const [who, identify] of Object.entries(Identities.all)) {
    const outcome = who === "anonymous clients"
      ? `[G15:real G22] ${who} get none`
      : `[G15:real G22:real] each of the ${who} has its own, which stays between its requests, and nobody else gets it`
    test.scopedLive(outcome, function*() {
      const { people, ...door } = yield* identify
      const servers = yield* ServerPool.make([chatty("o", own), chatty("s")], { waitTimeout: "2 minutes" })
      const { url } = yield* Endpoint.serve({ ...door, servers, introductionWait: "2 minutes", drain: 0 })
      yield* servers.shared.fleet.ready
      const [ann, ben] = yield* people(url)
      if (ben === undefined) {
        const names = yield* Effect.promise(() => ann.tools())
        expect(names.filter((name) => name.startsWith("o__"))).toEqual([])
        expect((yield* Effect.promise(() => ann.error("tools/call", { name: "o__pid" }))).code).toBe(-32_602)
        expect(yield* Effect.promise(() => ann.call("s__pid"))).toMatch(/^\d+$/)
        return
      }
      const [first, same, other] = yield* Effect.all([pid(ann), pid(ann), pid(ben)], { concurrency: "unbounded" })
      expect([same, yield* pid(ann), yield* pid(ben)]).toEqual([first, first, other])
      expect(other).not.toBe(first)
      expect(yield* Effect.promise(() => ann.tools())).toEqual(expect.arrayContaining(["o__pid", "s__pid"]))
      // Its questions come in place of the result, and only its client can answer.
      const { answer, said } = yield* asks(ann)
      const { requestState, ...result } = answer?.result ?? {}
      expect([result.resultType, Object.values(result.inputRequests), said]).toEqual([
        "input_required",
        [{ method: "elicitation/create", params: { message: "Who?", requestedSchema: {} } }],
        []
      ])
      const answers = inputResponses(result, "Ben")
      const refused = yield* asks(ben, { requestState, inputResponses: answers })
      expect([refused.status, refused.answer?.error?.code]).toEqual([400, -32_602])
      const done = yield* asks(ann, { requestState, inputResponses: inputResponses(result, "Ann") })
      expect(done.answer?.result.content[0].text).toContain("Ann")
      yield* Effect.promise(() => ann.call("o__log"))
      yield* pid(ben)
      expect(ann.heard.length).toBeGreaterThan(0)
      expect(ben.heard).toEqual([])
    })
  }

  test.scopedLive("[G15:real] one for each of its programs, and another one for a session; it is back after it was killed", function*() {
    const { url } = yield* team([chatty("o", own)], { ann: {} })
    const [one, two, session] = yield* Effect.all([
      talking(url, "ann-token", { ...stateless, name: "one" }),
      talking(url, "ann-token", { ...stateless, name: "two" }),
      talking(url, "ann-token")
    ])
    const all = yield* Effect.all([pid(one), pid(two), pid(session)])
    expect(new Set(all).size).toBe(3)
    expect(yield* Effect.all([pid(one), pid(two), pid(session)])).toEqual(all)
    process.kill(all[0], "SIGKILL")
    yield* Program.gone(all[0])
    const again = yield* pid(one)
    expect(all).not.toContain(again)
    expect(yield* pid(one)).toBe(again)
  })

  test.scopedLive("[G15:real G22:real] ends when its client may not use it any more, is removed, or makes room for others", function*() {
    const { change, url } = yield* team([chatty("o", own)], { ann: {}, ben: {}, cy: {} }, {
      limits: { maxOwnServers: () => 2 }
    })
    const [ann, ben, cy] = yield* Effect.all([
      talking(url, "ann-token", stateless),
      talking(url, "ben-token", stateless),
      talking(url, "cy-token")
    ])
    const ofAnn = yield* pid(ann)
    // Of the two that have as many, the one that was unused for longer; one with a session counts the same.
    const ofCy = yield* pid(cy)
    const ofBen = yield* pid(ben).pipe(Effect.either)
    expect(ofBen._tag).toBe("Right")
    yield* Program.gone(ofAnn)
    expect(yield* pid(cy)).toBe(ofCy)
    const now = yield* pid(ben)
    yield* change({ ann: {}, ben: { servers: { hide: ["o"] } }, cy: {} })
    expect((yield* Effect.promise(() => ben.error("tools/call", { name: "o__pid" }))).code).toBe(-32_602)
    yield* Program.gone(now)
    const last = yield* pid(ann)
    yield* change({ ben: {}, cy: {} })
    yield* Program.gone(last)
  })
})
