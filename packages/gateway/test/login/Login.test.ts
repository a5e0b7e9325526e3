import * as Grant from "@mcp-lifeline/sign-in/Grant"
import * as PendingLogin from "@mcp-lifeline/sign-in/PendingLogin"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Clock, Duration, Effect, Either, Fiber, Redacted, Schedule } from "effect"
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { vi } from "vitest"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import { folder } from "../../../testing/test/support/folder.js"
import { listening } from "../../../testing/test/support/listening.js"
import * as Login from "../../src/login/login.js"
import { StartError, type UsageError } from "../../src/text/Errors.js"
import { version } from "../../src/text/Version.js"
import { environment } from "../support/environment.js"
import { loginOptions } from "../support/loginOptions.js"
import { mistake } from "../support/mistake.js"
import * as RecordedOutput from "../support/RecordedOutput.js"
import { describe, expect, it, test } from "../support/vitest.js"

const setup = Effect.fnUntraced(function*(knobs: Partial<AuthServer.Knobs> = {}) {
  const server = yield* AuthServer.make
  Object.assign(server.knobs, knobs)
  const state = yield* folder
  const kept = StateFolder.make(state)
  const begin = (more: Partial<Login.Options> = {}, target = server.url) => {
    const recorded = RecordedOutput.make()
    const given = loginOptions({ target, browser: false, ...more })
    const running = Effect.provide(Login.run(given, recorded.output), StateFolder.layerAt(state))
    return Effect.map(
      Effect.forkScoped(Effect.either(running)),
      (fiber) => ({ ...recorded, fiber, ended: Fiber.join(fiber) })
    )
  }
  return {
    server,
    state,
    grants: Effect.map(Grant.grants(kept).entries, (all) => all.map(([, grant]) => grant)),
    pending: Effect.map(PendingLogin.pendingLogins(kept).entries, (all) => all.map(([, login]) => login)),
    begin,
    run: Effect.fnUntraced(function*(more: Partial<Login.Options> = {}, target = server.url) {
      const { ended, lines, problems } = yield* begin(more, target)
      return { outcome: yield* ended, lines, problems }
    })
  }
})

const printed = /^ {2}(http:\S+)$/m

const visit = (address: string) => Effect.tryPromise(() => fetch(address).then((answer) => answer.text()))

const succeeded = Either.right(undefined)

const failureOf = (outcome: Either.Either<void, StartError | UsageError>): StartError | UsageError =>
  Either.getOrThrowWith(Either.flip(outcome), () => new Error("it has not failed"))

/** A clock on which intervals are short, and limits as long as they are. */
const hasty = (): Clock.Clock => {
  const real = Clock.make()
  const sleep = (duration: Duration.Duration) =>
    real.sleep(Duration.greaterThan(duration, "4 seconds") ? duration : Duration.millis(5))
  return Object.assign(Clock.make(), { sleep })
}

describe("login with a browser", () => {
  test.scopedLive("[A1] prints the address, waits, says when it is done, and stores the tokens; the next one finds them", function*() {
    const { begin, grants, pending, run, server } = yield* setup()
    const login = yield* begin()
    const address = yield* login.prints(printed)
    expect(yield* pending).toMatchObject([{ server: server.url, account: "default", address, opened: false }])
    expect(yield* visit(address)).toContain("<h1>Signed in</h1>")
    expect(yield* login.ended).toEqual(succeeded)
    expect(login.lines).toEqual([
      `Open this address to sign in:\n\n  ${address}\n\nWaiting for the login, for 10 min; Ctrl+C ends that`,
      `Signed in to ${server.url}`
    ])
    expect(login.problems).toEqual([])

    const [asked] = server.authorizations
    expect(Object.fromEntries(asked ?? [])).toMatchObject({
      response_type: "code",
      client_id: "client-1",
      code_challenge_method: "S256",
      scope: "basic",
      resource: server.url,
      redirect_uri: expect.stringMatching(/^http:\/\/localhost:\d+\/callback$/)
    })
    const uri = asked?.get("redirect_uri")
    const form = { grant_type: "authorization_code", client_id: "client-1", redirect_uri: uri }
    expect(server.tokenRequests).toMatchObject([{ status: 200, form }])
    expect(server.clients).toEqual([{ name: "mcp-lifeline", version }])
    const [grant, ...others] = yield* grants
    const kept = { server: server.url, account: "default", issuer: server.origin, method: "browser", scope: "basic" }
    expect(grant).toMatchObject(kept)
    expect(others).toEqual([])
    expect(grant && Redacted.value(grant.access)).toBe(server.presented.at(-1))
    expect(yield* pending).toEqual([])

    const already = [`Already signed in to ${server.url} (${server.origin})`]
    expect(yield* run()).toEqual({ outcome: succeeded, lines: already, problems: [] })
    const once = [1, 1, 1]
    expect([server.registrations.length, server.authorizations.length, server.tokenRequests.length]).toEqual(once)
  })

  test.scopedLive("[A1] asks for what was chosen: client, scope, port; and keeps the login apart for its account", function*() {
    const { begin, grants, server } = yield* setup()
    const free = new URL(yield* Effect.scoped(listening(createServer()))).port
    const options = { account: "work", scope: "read write", client: { id: "mine" }, callbackPort: Number(free) }
    const login = yield* begin(options)
    const address = yield* login.prints(printed)
    const asked = { client_id: "mine", scope: "read write", redirect_uri: `http://localhost:${free}/callback` }
    expect(Object.fromEntries(new URL(address).searchParams)).toMatchObject(asked)
    yield* visit(address)
    expect(yield* login.ended).toEqual(succeeded)
    expect(server.registrations).toEqual([])
    expect(yield* grants).toMatchObject([{ account: "work", scope: "read write", client: { id: "mine" } }])
  })

  test.scopedLive("[A1] says why it was refused, and asks again when it is run again", function*() {
    const { begin, grants, server } = yield* setup({ consent: false })
    for (const runs of [1, 2]) {
      const login = yield* begin({ account: "work" })
      const address = yield* login.prints(printed)
      const requests = server.headers.length
      expect(yield* visit(address)).toContain("<h1>Not signed in</h1>")
      const failure = failureOf(yield* login.ended)
      expect(failure).toBeInstanceOf(StartError)
      expect(failure.message).toBe(
        `${server.url}: the login was not granted: access_denied: the person said no; to be asked again, `
          + `run mcp-lifeline login ${server.url} --account work`
      )
      expect(login.lines).toHaveLength(1)
      // Without tokens the server is not asked again.
      expect(server.headers).toHaveLength(requests)
      expect(server.authorizations).toHaveLength(runs)
    }
    expect(yield* grants).toEqual([])
  })

  it.scopedLive("[A1] says that the authorization server gives no tokens for now", () =>
    Effect.gen(function*() {
      const { begin, server } = yield* setup({ tokenStatus: 503 })
      const login = yield* begin()
      const page = yield* visit(yield* login.prints(printed))
      const detail = `${server.origin}/token is not ready: HTTP 503`
      expect(page).toContain(detail)
      const failure = failureOf(yield* login.ended)
      expect(failure).toBeInstanceOf(StartError)
      expect(failure.message).toBe(`${server.url}: ${detail}`)
      expect(server.tokensAsked()).toBe(5)
    }).pipe(Effect.withClock(hasty())))

  test.scopedLive("[A1] fails where the server does not work with the tokens, which stay", function*() {
    const { begin, grants } = yield* setup({ mcpStatus: 500 })
    const login = yield* begin()
    yield* visit(yield* login.prints(printed))
    const failure = failureOf(yield* login.ended)
    expect(failure).toBeInstanceOf(StartError)
    expect(failure.message).toContain("500")
    expect(failure).toHaveProperty("cause._tag", "ConnectError")
    expect(login.lines).toHaveLength(1)
    expect(yield* grants).toHaveLength(1)
  })

  test.scopedLive("[A4] that is interrupted frees its port; the next one goes on at the same address", function*() {
    const { begin, grants, pending, server } = yield* setup()
    const first = yield* begin()
    const address = yield* first.prints(printed)
    yield* Fiber.interrupt(first.fiber)
    const { origin } = new URL(new URL(address).searchParams.get("redirect_uri") ?? "")
    expect(yield* Effect.promise(() => fetch(origin).then(() => "answers", () => "refused"))).toBe("refused")
    expect([yield* grants, (yield* pending).length]).toEqual([[], 1])
    const second = yield* begin()
    expect(yield* second.prints(printed)).toBe(address)
    // It is shown as soon as it is known, which may be before anybody listens there again.
    yield* Effect.retry(visit(address), Schedule.spaced("5 millis"))
    expect(yield* second.ended).toEqual(succeeded)
    expect(second.lines.at(-1)).toBe(`Signed in to ${server.url}`)
    expect([server.registrations.length, yield* pending]).toEqual([1, []])
  })

  test.scopedLive.skipIf(process.platform === "win32")(
    "[A4] opens the browser that the environment names where it is asked to, and not under CI",
    function*() {
      const path = yield* folder
      const [command, opened] = [join(path, "browser"), join(path, "opened")]
      writeFileSync(command, `#!/bin/sh\nprintf '%s' "$1" > '${opened}.new' && mv '${opened}.new' '${opened}'\n`)
      chmodSync(command, 0o755)
      yield* environment({ BROWSER: command, CI: "true" })
      const { begin, pending } = yield* setup()
      const quiet = yield* begin({ browser: true })
      const address = yield* quiet.prints(printed)
      expect(quiet.lines[0]).toMatch(/^Open this address to sign in:\n/)
      yield* Fiber.interrupt(quiet.fiber)
      yield* environment({ CI: "" })
      const login = yield* begin({ browser: true })
      expect(yield* login.prints(printed)).toBe(address)
      const shown = /^Open this address to sign in \(a browser is opened, unless another process has done so\):\n/
      expect(login.lines[0]).toMatch(shown)
      yield* Effect.promise(() => vi.waitUntil(() => existsSync(opened), { timeout: 60_000, interval: 5 }))
      expect(readFileSync(opened, "utf8")).toBe(address)
      expect(yield* pending).toMatchObject([{ address, opened: true }])
      yield* visit(address)
      expect(yield* login.ended).toEqual(succeeded)
    }
  )

  test.scopedLive("[A4] opens a browser by itself only where both standard input and output are a terminal", function*() {
    yield* environment({ BROWSER: "false", CI: "" })
    const { begin } = yield* setup()
    const real = { stdin: process.stdin, stdout: process.stdout }
    const isTerminal = { stdin: false, stdout: false }
    for (const stream of ["stdin", "stdout"] as const) {
      const spy = vi.spyOn(process, stream, "get")
      yield* Effect.addFinalizer(() => Effect.sync(() => spy.mockRestore()))
      spy.mockImplementation(() => Object.create(real[stream], { isTTY: { value: isTerminal[stream] } }))
    }
    for (const [stdin, stdout] of [[true, false], [false, true], [true, true]] as const) {
      Object.assign(isTerminal, { stdin, stdout })
      const login = yield* begin({ browser: undefined })
      yield* login.prints(printed)
      expect(login.lines[0]?.includes("a browser is opened")).toBe(stdin && stdout)
      yield* Fiber.interrupt(login.fiber)
    }
  })
})

describe("login where one is stored", () => {
  test.scopedLive("[A1] of another method, client, authorization server or scope fails, says what to do, and leaves the stored one", function*() {
    const { begin, grants, run, server } = yield* setup()
    const first = yield* begin({ scope: "read write" })
    yield* visit(yield* first.prints(printed))
    yield* first.ended
    const before = yield* grants
    const requests = server.tokenRequests.length
    const robot = { id: "robot", secret: Redacted.make("robot-secret"), issuer: server.origin }
    const document = "https://app.example/client.json"
    const others: ReadonlyArray<Partial<Login.Options>> = [
      { method: "credentials", client: robot },
      { client: { id: "mine" } },
      { client: { issuer: "https://login.example" } },
      { scope: "read admin" }
    ]
    for (const more of others) {
      const { lines, outcome } = yield* run(more)
      const failure = failureOf(outcome)
      expect(failure).toBeInstanceOf(StartError)
      expect(failure.message).toBe(
        `${server.url}: another login is stored: one made in a browser, by the client client-1 at ${server.origin}; `
          + `delete it with mcp-lifeline logout ${server.url} first, or keep both with another --account NAME`
      )
      expect(lines).toEqual([])
    }
    expect(yield* grants).toEqual(before)
    expect(server.tokenRequests).toHaveLength(requests)
    // What asks for nothing else, and a document that this authorization server does not take.
    for (const more of [{}, { scope: "read" }, { client: { issuer: `${server.origin}/`, document } }]) {
      const already = { outcome: succeeded, lines: [`Already signed in to ${server.url} (${server.origin})`] }
      expect(yield* run(more)).toMatchObject(already)
    }
    const apart = { method: "credentials", account: "robot", client: robot } as const
    for (const word of ["Signed", "Already signed"]) {
      const said = { outcome: succeeded, lines: [`${word} in to ${server.url} (${server.origin})`] }
      expect(yield* run(apart)).toMatchObject(said)
    }
    const other = failureOf((yield* run({ ...apart, client: { ...robot, id: "other" } })).outcome)
    expect(other.message).toContain("one made with client credentials, by the client robot at")
    expect(other.message).toContain(`mcp-lifeline logout ${server.url} --account robot first`)
    expect(yield* grants).toHaveLength(2)
  })
})

describe("login without a person", () => {
  test.scopedLive("[A1] with client credentials signs in at once, by the id and the secret of the client", function*() {
    const { grants, run, server } = yield* setup()
    const client = { id: "robot", secret: Redacted.make("robot-secret"), issuer: server.origin }
    const unbound = yield* run({ method: "credentials", client: { ...client, issuer: undefined } })
    expect(failureOf(unbound.outcome).message).toContain(`add --client-issuer ${server.origin}`)
    const signedIn = { outcome: succeeded, lines: [`Signed in to ${server.url} (${server.origin})`], problems: [] }
    expect(yield* run({ method: "credentials", client })).toEqual(signedIn)
    expect(server.tokenRequests).toMatchObject([{
      form: { grant_type: "client_credentials", scope: "basic", resource: server.url },
      authorization: `Basic ${Buffer.from("robot:robot-secret").toString("base64")}`
    }])
    expect(server.registrations).toEqual([])
    expect(yield* grants).toMatchObject([{ method: "credentials", client: { id: "robot", origin: "configured" } }])
  })

  test.scopedLive("[A1] client credentials without the id of a client are a mistake of the command line, and nothing is sent", function*() {
    const { run, server } = yield* setup()
    const client = { secret: Redacted.make("robot-secret"), issuer: server.origin }
    const { lines, outcome } = yield* run({ method: "credentials", client })
    expect(failureOf(outcome)).toEqual(mistake("--client-credentials needs --client-id"))
    expect([lines, server.headers, server.tokenRequests]).toEqual([[], [], []])
  })

  test.scopedLive("[A1] a server that asks for no login gets none", function*() {
    const { grants, run, state } = yield* setup()
    const origin = yield* listening(createServer((request, response) => {
      void AuthServer.bodyOf(request).then((body) => {
        if (request.method !== "POST") return response.writeHead(405).end()
        const message = JSON.parse(body) as { readonly id?: number }
        if (message.id === undefined) return response.writeHead(202).end()
        response.writeHead(200, { "content-type": "application/json" })
        return response.end(JSON.stringify(AuthServer.answerTo(message)))
      })
    }))
    const needless = { outcome: succeeded, lines: [`${origin}/mcp asks for no login`], problems: [] }
    expect(yield* run({}, `${origin}/mcp?key=secret`)).toEqual(needless)
    expect([yield* grants, existsSync(join(state, "logins"))]).toEqual([[], false])
  })

  test.scopedLive("[A1] a server that is not there ends it with the reason", function*() {
    const { run } = yield* setup()
    const gone = yield* Effect.scoped(listening(createServer()))
    const { lines, outcome } = yield* run({}, `${gone}/mcp`)
    const failure = failureOf(outcome)
    expect(failure).toBeInstanceOf(StartError)
    expect(failure.message).toContain("connection refused")
    expect(failure).toHaveProperty("cause._tag", "ConnectError")
    expect(lines).toEqual([])
  })

  test.scopedLive("[A1] a name that is not known ends it before anything is sent", function*() {
    const { run, server } = yield* setup()
    const { outcome } = yield* run({}, "docs")
    const unknown = mistake("docs is not an address; for the name of a server give its file with --config")
    expect(failureOf(outcome)).toEqual(unknown)
    expect(server.headers).toEqual([])
  })
})
