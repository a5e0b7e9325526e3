import { Backend } from "@mcp-lifeline/core"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Clock, Effect, Fiber, Logger, LogLevel, Stream } from "effect"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import type { Browser } from "../src/Browser.js"
import * as SignIn from "../src/SignIn.js"
import type { State } from "../src/State.js"
import * as AuthServer from "./support/AuthServer.js"
import * as Signer from "./support/Signer.js"
import { addressOf, reaches } from "./support/SignIns.js"

const makeBrowser = () => {
  const opened: Array<string> = []
  const browser: Browser = {
    open: (address) =>
      Effect.sync(() => {
        opened.push(address)
        void fetch(address).then((answer) => answer.text()).catch(() => undefined)
        return true
      })
  }
  return { browser, opened }
}

/** A refresh token that is refused is tried again for ten seconds. */
const unrenewable = { refresh: false }

const setup = (options: Partial<SignIn.Options> = {}, knobs: Partial<AuthServer.Knobs> = {}) =>
  Effect.gen(function*() {
    const server = yield* AuthServer.make
    Object.assign(server.knobs, knobs)
    const { browser, opened } = makeBrowser()
    const signIn = yield* SignIn.make({ url: server.url, loginWait: "10 seconds", browser, ...options }).pipe(
      Effect.provide(StateFolder.layerAt(yield* folder))
    )
    const backend = yield* Backend.make("docs", {
      connector: HttpConnector.make({ url: server.url, authorization: signIn.authorization }),
      keepalive: { method: "none" },
      reconnect: { initialDelay: "50 millis" },
      timeouts: { wait: "40 seconds" }
    })
    yield* SignIn.reconnectWhenDone(signIn, backend)
    const call = Effect.either(backend.callTool({ name: "ask", arguments: {} }))
    return { server, opened, signIn, backend, call, reaches: (tag: State["_tag"]) => reaches(signIn, tag) }
  }).pipe(Logger.withMinimumLogLevel(LogLevel.Warning))

const shiftedClock = () => {
  const real = Clock.make()
  let shift = 0
  const now = () => real.unsafeCurrentTimeMillis() + shift
  const clock: Clock.Clock = {
    ...real,
    unsafeCurrentTimeMillis: now,
    currentTimeMillis: Effect.sync(now),
    sleep: (duration) => real.sleep(duration)
  }
  return { clock, forward: (millis: number) => void (shift += millis) }
}

describe("the sign-in to a server", () => {
  test.scopedLive("[A1] signs in with PKCE, state and resource, as a native client, and asks for what the server names", function*() {
    const { call, server } = yield* setup()
    expect((yield* call)._tag).toBe("Right")
    expect(server.registrations).toMatchObject([
      { application_type: "native", token_endpoint_auth_method: "none", response_types: ["code"] }
    ])
    const [asked] = server.authorizations
    expect(Object.fromEntries(asked ?? [])).toMatchObject({
      response_type: "code",
      code_challenge_method: "S256",
      scope: "basic",
      resource: server.url,
      redirect_uri: expect.stringMatching(/^http:\/\/localhost:\d+\/callback$/)
    })
    expect(server.grants("authorization_code").map(({ form }) => form["resource"])).toEqual([server.url])
  })

  test.scopedLive("[A1] more rights are asked for with those that there are, the session goes on, and what is withheld is asked for once", function*() {
    const { call, opened, server } = yield* setup()
    expect((yield* call)._tag).toBe("Right")
    server.knobs.callScope = "write"
    expect((yield* call)._tag).toBe("Right")
    expect(server.authorizations.map((asked) => asked.get("scope"))).toEqual(["basic", "basic write"])
    expect(server.methods.filter((method) => method === "initialize")).toHaveLength(1)
    // There is a refresh token, which would bring the same rights.
    expect(server.grants("refresh_token")).toEqual([])

    server.knobs.callScope = server.knobs.withheld = "admin"
    for (let calls = 0; calls < 3; calls++) expect((yield* call)._tag).toBe("Left")
    const scopes = server.authorizations.map((asked) => asked.get("scope"))
    expect(scopes).toEqual(["basic", "basic write", "basic write admin"])
    expect(opened).toHaveLength(3)
  })

  test.scopedLive("[A2] a token is renewed before it ends: no request is refused for it", function*() {
    const { clock, forward } = shiftedClock()
    yield* Effect.withClock(
      Effect.gen(function*() {
        const { call, server } = yield* setup()
        expect((yield* call)._tag).toBe("Right")
        const before = server.presented.at(-1)
        forward(3_250_000)
        yield* call
        expect(server.grants("refresh_token")).toEqual([])
        forward(50_000)
        expect((yield* call)._tag).toBe("Right")
        expect(server.grants("refresh_token").map(({ status }) => status)).toEqual([200])
        expect(server.presented.at(-1)).not.toBe(before)
        expect(server.presented.filter((token) => token === undefined)).toHaveLength(1)
      }),
      clock
    )
  })

  test.scopedLive("[A2] an authorization server that is down, or a page in front of it, never leads to a login; the token is renewed later", function*() {
    const { call, opened, server, signIn } = yield* setup()
    expect((yield* call)._tag).toBe("Right")
    for (const fault of [{ tokenStatus: 503 }, { tokenStatus: 429 }, { portal: true }]) {
      server.expire()
      Object.assign(server.knobs, fault)
      expect((yield* call)._tag).toBe("Left")
      expect((yield* signIn.state)._tag).not.toBe("LoginNeeded")
      Object.assign(server.knobs, { tokenStatus: undefined, portal: false })
      expect((yield* call)._tag).toBe("Right")
    }
    expect(opened).toHaveLength(1)
  })

  test.scopedLive("[A2] calls at the same time share one renewal, and each goes on with the new token", function*() {
    const { backend, call, server } = yield* setup()
    yield* call
    server.expire()
    server.knobs.tokenDelay = 100
    const calls = yield* Effect.all(
      Array.from({ length: 20 }, () => Effect.exit(backend.callTool({ name: "ask", arguments: {} }))),
      { concurrency: "unbounded" }
    )
    expect(new Set(calls.map(({ _tag }) => _tag))).toEqual(new Set(["Success"]))
    expect(server.grants("refresh_token")).toHaveLength(1)
  })

  test.scopedLive("[A3] a login that waits is a state with its address; the running session goes on with the new token; others notice nothing", function*() {
    const other = yield* setup()
    const { backend, call, reaches, server, signIn } = yield* setup(
      { browser: undefined, loginWait: "50 millis" },
      unrenewable
    )
    yield* reaches("LoginNeeded")
    const first = yield* addressOf(signIn)
    expect(first).toContain(`${server.origin}/authorize`)
    expect(yield* signIn.state).toMatchObject({ stepUp: false })
    yield* backend.firstOutcome
    const failed = yield* Effect.either(backend.callTool({ name: "ask", arguments: {} }, { failFast: true }))
    expect(failed).toMatchObject({ _tag: "Left", left: { message: expect.stringContaining(first) } })
    expect((yield* other.call)._tag).toBe("Right")
    yield* Signer.visit(first)
    yield* reaches("SignedIn")
    expect((yield* call)._tag).toBe("Right")

    server.end()
    expect((yield* call)._tag).toBe("Left")
    expect((yield* signIn.state)._tag).toBe("LoginNeeded")
    yield* Signer.visit(yield* addressOf(signIn))
    yield* reaches("SignedIn")
    expect((yield* call)._tag).toBe("Right")
    expect(server.methods.filter((method) => method === "initialize")).toHaveLength(1)
  })

  test.scopedLive("[A3] metadata that is slow holds up nobody else", function*() {
    let answer: () => void = () => undefined
    const metadataReady = new Promise<void>((resolve) => (answer = resolve))
    const slow = yield* setup({}, { metadataReady })
    const other = yield* setup()
    expect((yield* other.call)._tag).toBe("Right")
    expect((yield* slow.signIn.state)._tag).not.toBe("SignedIn")
    answer()
    yield* slow.reaches("SignedIn")
    expect((yield* slow.call)._tag).toBe("Right")
  })

  test.scopedLive("[A3] calls that need a login at the same time share one, which counts once", function*() {
    const { call, opened, server } = yield* setup({}, unrenewable)
    expect((yield* call)._tag).toBe("Right")
    // After a third login whose tokens are refused as well, none would be begun.
    for (let logins = 2; logins <= 3; logins++) {
      server.end()
      const calls = yield* Effect.all([call, call, call, call], { concurrency: "unbounded" })
      expect(calls.map(({ _tag }) => _tag)).toEqual(["Right", "Right", "Right", "Right"])
      expect(opened).toHaveLength(logins)
    }
  })

  test.scopedLive("[A4] more rights that a person refuses are asked for once in 10 minutes; another question is asked", function*() {
    const { call, opened, reaches, server, signIn } = yield* setup()
    expect((yield* call)._tag).toBe("Right")
    Object.assign(server.knobs, { callScope: "write", consent: false })
    expect((yield* call)._tag).toBe("Left")
    const shown = new Set<string>()
    yield* Effect.forkScoped(Stream.runForEach(signIn.changes, ({ _tag }) => Effect.sync(() => shown.add(_tag))))
    for (let times = 0; times < 3; times++) {
      expect(yield* call).toMatchObject({
        left: { message: expect.stringContaining("access_denied: the person said no; to be asked again, wait") }
      })
    }
    expect([...shown]).not.toContain("LoginNeeded")
    expect((yield* signIn.state)._tag).toBe("SignedIn")
    server.knobs.callScope = undefined
    expect((yield* call)._tag).toBe("Right")
    expect(opened).toHaveLength(2)
    Object.assign(server.knobs, { callScope: "admin", consent: true })
    const asked = yield* Effect.fork(call)
    yield* reaches("LoginNeeded")
    yield* Signer.visit(yield* addressOf(signIn))
    expect((yield* Fiber.join(asked))._tag).toBe("Right")
    server.knobs.callScope = "write"
    expect((yield* call)._tag).toBe("Left")
    yield* signIn.askAgain
    expect((yield* call)._tag).toBe("Right")
    expect(opened).toHaveLength(3)
  })
})
