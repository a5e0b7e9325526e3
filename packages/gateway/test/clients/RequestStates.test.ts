import { ownerOf } from "@mcp-lifeline/http-server/Caller"
import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import * as SessionRecords from "@mcp-lifeline/http-server/SessionRecords"
import { Effect, Redacted } from "effect"
import { Endpoint } from "mcp-lifeline"
import * as RequestStates from "../../src/clients/RequestStates.js"
import * as Callers from "../support/Callers.js"
import * as Identities from "../support/Identities.js"
import * as ScriptedFleet from "../support/ScriptedFleet.js"
import * as Served from "../support/Served.js"
import { HttpTalk } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const inputRequests = { q: { method: "elicitation/create", params: { message: "Who?", requestedSchema: {} } } }
const inputResponses = { q: { action: "accept", content: { name: "Ada" } } }

/** A fleet of one server, `b`, that asks before it answers; its state begins as our own do. */
const asking = Effect.gen(function*() {
  const got: Array<any> = []
  const tools = [ScriptedFleet.tool("asks"), ScriptedFleet.tool("says")]
  const { fleet } = yield* ScriptedFleet.make(ScriptedFleet.catalog(1, { tools }), (call: any) =>
    Effect.sync(() => {
      got.push(call)
      return call.inputResponses === undefined
        ? { resultType: "input_required", inputRequests, requestState: `mcp-lifeline:${got.length}` } as never
        : Served.text(`${call.requestState} ${call.inputResponses.q.content.name}`)
    }))
  return { fleet, got }
})

const asks = { name: "asks", arguments: {} }

const bring = (one: HttpTalk, requestState: unknown, more: object = {}) =>
  Effect.promise(() => one.ask("tools/call", { ...asks, inputResponses, requestState, ...more }))

const question = (one: HttpTalk) => Effect.promise(() => one.result("tools/call", asks))

const changed = (state: string): ReadonlyArray<string> => {
  const replaced = [state.replace("@", "@A"), state.replace(/^b/, "c"), state.replace(/@[^:]*/, "")]
  return [`${state}1`, state.slice(0, -1), ...replaced, ""]
}

const refusal = { status: 400, answer: { error: { code: -32_602, message: RequestStates.refused.message } } }

describe("the state of a request that a server without sessions gives", () => {
  for (const [who, identify] of Object.entries(Identities.all)) {
    test.scopedLive(
      `[G22 E8] goes back to that server from its owner alone, as it was: ${who}`,
      function*() {
        const { fleet, got } = yield* asking
        const { people, ...door } = yield* identify
        const servers = yield* Served.serversOf(fleet)
        const { url } = yield* Endpoint.serve({ ...door, servers, hasStatus: () => false, introductionWait: 0 })
        const [ann, other] = yield* people(url)
        const { requestState, ...asked } = yield* question(ann)
        expect(asked).toEqual({ resultType: "input_required", inputRequests })
        const wrong = [...changed(requestState), "x", 7, null, {}]
        for (const state of wrong) expect([state, yield* bring(ann, state)]).toMatchObject([state, refusal])
        // As the server has given it, which is taken for one of the gateway's own here.
        const invalid = { status: 400, answer: { error: { code: -32_602 } } }
        expect(yield* bring(ann, "mcp-lifeline:1")).toMatchObject(invalid)
        if (other !== undefined) expect(yield* bring(other, requestState)).toMatchObject(refusal)
        expect(got).toHaveLength(1)
        const back = yield* bring(ann, requestState)
        expect(back.answer?.result.content[0].text).toBe("mcp-lifeline:1 Ada")
        expect(got).toHaveLength(2)
        // A server may ask again, and give the same state: then it is the same for the client, which compares them.
        if (other !== undefined) expect((yield* question(other)).requestState).not.toBe(requestState)
      },
      300_000
    )
  }

  test.scopedLive("[G22 E8] a state of another server, or of a task, is refused; a client with a session has none", function*() {
    const { fleet, got } = yield* asking
    const seal = SealedId.make(Redacted.make("a key"))
    const ann = Callers.caller("ann")
    const authentication = Callers.authentication(new Map([["the-token-of-ann", ann]]))
    const bound = yield* Endpoint.bind({ host: "127.0.0.1", port: 0, authentication })
    const servers = yield* Served.serversOf(fleet)
    const sessions = { seal, records: SessionRecords.inMemory() }
    const options = { ...bound, servers, sessions, hasStatus: () => false, introductionWait: 0 }
    const { url } = yield* Endpoint.serve(options)
    const states = RequestStates.make({ owner: ownerOf(ann), seal })
    const { requestState } = states.inResult("another", { requestState: "x" })
    const stateless = new HttpTalk(url, "the-token-of-ann", { isStateless: true })
    const refused = { answer: { error: { code: -32_602, message: RequestStates.refused.message } } }
    expect(yield* bring(stateless, requestState)).toMatchObject(refused)
    const own = states.inResult("b", { requestState: "x" }).requestState
    const said = { answer: { result: { content: [{ text: "x Ada" }] } } }
    expect(yield* bring(stateless, own, { name: "says" })).toMatchObject(said)
    const session = new HttpTalk(url, "the-token-of-ann")
    yield* Effect.promise(() => session.begin())
    expect(yield* bring(session, requestState)).toMatchObject(refused)
    expect(yield* bring(session, "x")).toMatchObject(refused)
    expect(got).toHaveLength(1)
  })

  test.scopedLive("[G26 G22] a state goes on with a new key besides the old one, and at another replica; not without its key", function*() {
    const { fleet, got } = yield* asking
    const key = (text: string) => SealedId.make(Redacted.make(text))
    let seals: readonly [SealedId.Seal, ...ReadonlyArray<SealedId.Seal>] = [key("old")]
    const serve = (seal: SealedId.Seal) =>
      Served.serve(fleet, { sessions: { seal, records: SessionRecords.inMemory() } })
    const talk = (seal: SealedId.Seal) =>
      Effect.map(serve(seal), ({ url }) => new HttpTalk(url, "", { isStateless: true }))
    const one = yield* talk(SealedId.several(() => seals))
    const replica = yield* talk(key("old"))
    const stranger = yield* talk(key("another"))
    const { requestState } = yield* question(one)
    const accepted = (talk: HttpTalk, state = requestState) =>
      Effect.map(bring(talk, state), ({ answer }) => answer?.error === undefined)
    expect([yield* accepted(one), yield* accepted(replica), yield* accepted(stranger)]).toEqual([true, true, false])
    seals = [key("new"), key("old")]
    const later = (yield* question(one)).requestState
    const answers = [true, true, false]
    expect([yield* accepted(one), yield* accepted(one, later), yield* accepted(replica, later)]).toEqual(answers)
    seals = [key("new")]
    expect([yield* accepted(one), yield* accepted(one, later)]).toEqual([false, true])
    expect(got.filter(({ inputResponses }) => inputResponses !== undefined).map((call) => call.requestState))
      .toEqual(["mcp-lifeline:1", "mcp-lifeline:1", "mcp-lifeline:1", "mcp-lifeline:4", "mcp-lifeline:4"])
  })
})
