import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Caller from "@mcp-lifeline/http-server/Caller"
import { Effect, PubSub, Stream, TestClock } from "effect"
import { EventEmitter } from "node:events"
import type { IncomingMessage } from "node:http"
import * as EventStream from "../../src/http-api/EventStream.js"
import type { GatewayStatus, Server } from "../../src/http-api/GatewayStatus.js"
import type * as EventLog from "../../src/log/EventLog.js"
import * as MadeUp from "../support/MadeUpReplica.js"
import { eventsIn } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const line = (text: string): EventLog.Entry => ({ at: 1, server: "a", level: "info", text })

const made = Effect.fnUntraced(function*(view: () => EventStream.View | undefined = () => undefined) {
  const lines = yield* PubSub.unbounded<EventLog.Entry>()
  const now = { status: MadeUp.statusOf("a", [MadeUp.serverOf("a"), MadeUp.serverOf("b")]) }
  const followers = { count: 0 }
  const follow = Effect.acquireRelease(Effect.sync(() => followers.count++), () => Effect.sync(() => followers.count--))
  const statusNow = Effect.sync(() => now.status)
  const handler = yield* EventStream.make(
    { follow: Effect.asVoid(follow), lines: Stream.fromPubSub(lines), statusNow },
    () => view
  )
  const ask = Effect.fnUntraced(function*(address: string, caller?: Caller.Caller) {
    const source = { socket: { remoteAddress: address }, headers: {} } as IncomingMessage
    if (caller !== undefined) Caller.note(source, caller)
    const response = new EventEmitter()
    const request = { source, response } as unknown as HttpServerRequest.HttpServerRequest
    const answer = yield* Effect.provideService(handler, HttpServerRequest.HttpServerRequest, request)
    const close = () => void response.emit("close")
    yield* Effect.addFinalizer(() => Effect.sync(close))
    return { answer, close }
  })
  const read = Effect.gen(function*() {
    const { answer } = yield* ask("10.0.0.1")
    const events: Array<readonly [string, any]> = []
    const { body } = answer
    if (body._tag !== "Stream") return yield* Effect.dieMessage("no stream")
    const take = (text: string) => void events.push(...eventsIn(text).map(({ data, event }) => [event, data] as const))
    yield* Effect.forkScoped(Stream.runForEach(Stream.decodeText(body.stream), (text) => Effect.sync(() => take(text))))
    yield* TestClock.adjust(0)
    return () => events.splice(0)
  })
  const set = (...servers: ReadonlyArray<Server>) =>
    Effect.zipRight(Effect.sync(() => void (now.status = MadeUp.statusOf("a", servers))), TestClock.adjust(250))
  const say = (text: string) => Effect.zipRight(PubSub.publish(lines, line(text)), TestClock.adjust(0))
  return { ask, followers, read, say, set }
})

const textsOf = (events: ReadonlyArray<readonly [string, any]>) =>
  events.flatMap(([name, data]) => name === "event" ? [data.text] : [])

describe("the events of a gateway", () => {
  test.scoped("[G16, X5:unit] one address, and one known caller wherever it is, has at most 100 streams; one that closes gives its place back", function*() {
    const ann: Caller.Caller = { subject: "client ann", name: "ann", claims: {} }
    for (const caller of [undefined, ann]) {
      const { ask } = yield* made()
      const reader = (i: number) => caller === undefined ? ask("10.0.0.1") : ask(`10.0.1.${i}`, caller)
      const open = yield* Effect.forEach(Array.from({ length: 100 }, (_, i) => i), reader)
      expect(new Set(open.map(({ answer }) => answer.status))).toEqual(new Set([200]))
      for (const { close } of open.slice(0, 3)) {
        const { answer: { body, status } } = yield* reader(100)
        const place = caller === undefined ? "from this address" : "for this caller"
        expect([status, new TextDecoder().decode((body as { readonly body: Uint8Array }).body)])
          .toEqual([503, expect.stringContaining(`100 streams of events are open ${place} already; close one`)])
        close()
        expect((yield* reader(100)).answer.status).toBe(200)
      }
      expect((yield* ask("10.0.0.2")).answer.status).toBe(200)
    }
  })

  test.scoped("[G16:unit] have the history of a server only where it is another one than that which was sent last", function*() {
    const { read, set } = yield* made()
    const next = yield* read
    const histories = () => next().map(([, { servers }]) => servers.map(({ history }: Server) => history?.length))
    const [a, b] = [MadeUp.serverOf("a"), MadeUp.serverOf("b")]
    const longer = (server: Server, length: number): Server => ({
      ...server,
      history: Array.from({ length }, (_, at) => ({ at, state: "Connected" as const }))
    })
    const two = longer(a, 2)
    next()
    yield* set(two, b)
    const [first] = histories()
    expect(first?.[0]).toBe(2)
    yield* set(two, { ...b, since: 7 })
    expect(histories()).toEqual([[undefined, undefined]])
    yield* set(two, { ...b, since: 7 })
    expect(histories()).toEqual([])
    yield* set(longer(a, 3), { ...b, since: 7 })
    expect(histories()).toEqual([[3, undefined]])
    yield* set({ ...b, since: 7 })
    yield* set(longer(a, 4), { ...b, since: 7 })
    expect(histories().at(-1)).toEqual([4, undefined])
  })

  test.scoped("[G22:unit] are seen by the rules of the moment in which they come, not by those of the beginning", function*() {
    let view: EventStream.View | undefined = {
      line: ({ text }) => text.startsWith("public") ? line(`seen: ${text}`) : undefined,
      status: (status: GatewayStatus) => Effect.succeed({ ...status, servers: [] })
    }
    const { followers, read, say, set } = yield* made(() => view)
    const next = yield* Effect.scoped(Effect.gen(function*() {
      const next = yield* read
      expect(followers.count).toBe(1)
      yield* say("public one")
      yield* say("for operators")
      expect(textsOf(next())).toEqual(["seen: public one"])
      yield* set({ ...MadeUp.serverOf("a"), since: 5 })
      expect(next().every(([, { servers }]) => servers.length === 0)).toBe(true)
      view = undefined
      yield* say("for operators")
      expect(textsOf(next())).toEqual(["for operators"])
      yield* set({ ...MadeUp.serverOf("a"), since: 6 })
      expect(next().at(-1)?.[1].servers).toHaveLength(1)
      return next
    }))
    // Who has gone follows nothing any more.
    expect(followers.count).toBe(0)
    yield* say("later")
    expect(next()).toEqual([])
  })
})
