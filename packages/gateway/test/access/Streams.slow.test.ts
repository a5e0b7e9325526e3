import { Effect, type Scope } from "effect"
import { mayLeave } from "../../../testing/test/support/Holdings.js"
import { chatty } from "../support/Talk.js"
import { full, type HttpTalk, talking, team } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

type Stream = { readonly ended: Promise<unknown>; readonly isOpen: () => boolean }

/** The stream of events of the API. Ends when it is open. */
const events = async (base: string, token: string, signal: AbortSignal): Promise<Stream> => {
  const response = await fetch(`${base}/api/events`, { headers: { Authorization: `Bearer ${full(token)}` }, signal })
  const reader = response.body!.getReader()
  await reader.read()
  let isOpen = true
  const read = async (): Promise<void> => {
    while (!(await reader.read()).done);
  }
  const ended = read().catch(() => undefined).then(() => {
    isOpen = false
  })
  return { ended, isOpen: () => isOpen }
}

const ofTalk = async (talk: HttpTalk): Promise<Stream> => {
  await talk.listen()
  const gone = "the stream has ended"
  return { ended: talk.until(gone), isOpen: () => !talk.heard.some(({ method }) => method === gone) }
}

type At = { readonly base: string; readonly url: string }

type Door = (at: At, token: string) => Effect.Effect<Stream, never, Scope.Scope>

const doors: ReadonlyArray<readonly [string, Door]> = [
  [
    "GET /api/events",
    ({ base }, token) =>
      Effect.flatMap(
        Effect.acquireRelease(Effect.sync(() => new AbortController()), (one) => Effect.sync(() => one.abort())),
        ({ signal }) => Effect.promise(() => events(base, token, signal))
      )
  ],
  ...([["GET /mcp", false], ["subscriptions/listen", true]] as const).map(([name, isStateless]) =>
    [
      name,
      ({ url }: At, token: string) =>
        Effect.flatMap(talking(url, token, { isStateless }), (talk) => Effect.promise(() => ofTalk(talk)))
    ] as const
  )
]

describe.each(doors)("an open stream, by %s", (_, open) => {
  test.scopedLive("[G22] ends when its client is removed, or its token is replaced; those of others go on", function*() {
    mayLeave("timers")
    const { change, ...at } = yield* team([chatty("s")], { ci: {}, gone: {}, stays: {} })
    const [ci, gone, stays, operator] = yield* Effect.all(
      ["ci-token", "gone-token", "stays-token", "operator"].map((token) => open(at, token))
    ) as never as Effect.Effect<[Stream, Stream, Stream, Stream], never, Scope.Scope>
    yield* change({ ci: { token: full("another-token") }, stays: { servers: ["s"] } })
    yield* Effect.promise(() => Promise.all([ci.ended, gone.ended]))
    // What ends, ends in the step of the change.
    expect([stays.isOpen(), operator.isOpen()]).toEqual([true, true])
    const ofStays = yield* open(at, "stays-token")
    yield* change({ ci: { token: full("stays-token") }, stays: { token: full("new-token") } })
    yield* Effect.promise(() => Promise.all([stays.ended, ofStays.ended]))
    expect(operator.isOpen()).toBe(true)
  })

  test.scopedLive("[G22] ends when the gateway needs credentials from then on, with the sessions of before", function*() {
    mayLeave("timers")
    const { change, ...at } = yield* team([chatty("s")], {}, { isOpen: true })
    const session = yield* talking(at.url, "nobody")
    const before = yield* open(at, "nobody")
    expect(before.isOpen()).toBe(true)
    yield* change({ ci: {} })
    yield* Effect.promise(() => before.ended)
    expect((yield* Effect.promise(() => session.ask("tools/list"))).status).toBe(401)
    const operator = yield* talking(at.url, "operator")
    operator.session = session.session
    expect((yield* Effect.promise(() => operator.ask("tools/list"))).status).toBe(404)
    const after = yield* open(at, "ci-token")
    yield* change({ ci: {}, all: {} })
    expect(after.isOpen()).toBe(true)
  })
})
