import type { Backend } from "@mcp-lifeline/core"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { ReservedPort } from "@mcp-lifeline/testing"
import { Effect, Fiber, Option, Redacted, Stream, TestClock } from "effect"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as SignIn from "../src/SignIn.js"
import { waiting } from "./support/grants.js"
import * as SignIns from "./support/SignIns.js"
import { addressOf, clientsIn, login, loginsIn, makeBrowser, network, passing, reaches } from "./support/SignIns.js"
import { json, type StubNetwork } from "./support/StubNetwork.js"

/** A process with a folder of its own, unless it shares one. Its logins come back to any port: those of a server are the same in each test. */
const make = (net = network(), options: Partial<SignIn.Options> = {}, shared?: string) =>
  Effect.gen(function*() {
    const path = shared ?? (yield* folder)
    const made = yield* SignIns.make(net, path, { redirect: { port: 0 }, ...options })
    return { ...made, path, pending: loginsIn(path).entries }
  })

/** A process that has begun a login. */
const begun = (...args: Parameters<typeof make>) => Effect.tap(make(...args), ({ renew }) => renew)

const machine = {
  method: "credentials",
  client: { id: "robot", secret: Redacted.make("secret"), issuer: login }
} as const

const withoutRefresh = () => {
  let count = 0
  return network().at(`${login}/token`, () => json(200, { access_token: `token-${++count}`, token_type: "Bearer" }))
}

const denied = "error=access_denied"

const comeBack = (address: string, answer = "code=1") =>
  Effect.promise(async () => {
    const { searchParams } = new URL(address)
    const back = `${searchParams.get("redirect_uri")}?state=${searchParams.get("state")}&${answer}`
    const shown = await fetch(back)
    return { status: shown.status, text: await shown.text() }
  })

/** A person comes back from where the login leads, which then is as it says. */
const answered = (signIn: SignIn.SignIn, tag: "SignedIn" | "Refused" = "SignedIn") =>
  Effect.gen(function*() {
    const page = yield* comeBack(yield* addressOf(signIn), tag === "Refused" ? denied : undefined)
    yield* reaches(signIn, tag)
    return page
  })

describe("a login that waits for a person", () => {
  test.scoped("[A4] is over, and shown by nobody, as soon as its process uses the tokens of another login", function*() {
    for (const way of ["tokens", "renew"] as const) {
      const net = network()
      const waiting = yield* begun(net)
      expect((yield* waiting.signIn.state)._tag).toBe("LoginNeeded")
      expect(yield* waiting.pending).toHaveLength(1)
      yield* begun(net, machine, waiting.path)
      expect((yield* waiting[way])._tag).toBe("Right")
      expect(yield* waiting.signIn.state).toMatchObject({ _tag: "SignedIn", issuer: login })
      expect(waiting.signIn.authorization.isRunning()).toBe(false)
      // No time has passed: not only after it has looked for them.
      expect(yield* waiting.pending).toEqual([])
    }
  })

  test.scoped("[A4] is over in a process that waits for the one that has begun it as well", function*() {
    const net = network()
    const first = yield* begun(net)
    const second = yield* begun(net, {}, first.path)
    const [one, two] = [yield* first.signIn.state, yield* second.signIn.state]
    expect(one).toEqual(two)
    expect(one._tag).toBe("LoginNeeded")
    yield* begun(net, machine, first.path)
    expect((yield* second.tokens)._tag).toBe("Right")
    expect((yield* second.signIn.state)._tag).toBe("SignedIn")
    expect(second.signIn.authorization.isRunning()).toBe(false)
  })
})

describe("a login that a person finishes", () => {
  test.scoped("[A1] is redeemed with its verifier, and shown as done; no query of the address is kept or sent", function*() {
    const net = network()
    const { pending, signIn, token } = yield* begun(net, { url: `https://user:pass@mcp.example/mcp?key=1#x` })
    expect(signIn.server).toBe(SignIns.server)
    const address = yield* addressOf(signIn)
    expect((yield* answered(signIn)).text).toContain("Signed in")
    const [form] = net.forms(`${login}/token`)
    expect(form).toMatchObject({
      grant_type: "authorization_code",
      code: "1",
      redirect_uri: new URL(address).searchParams.get("redirect_uri"),
      resource: SignIns.server
    })
    expect(form?.["code_verifier"]).toMatch(/^[\w.~-]{43,128}$/)
    expect(yield* token).toBe("token-1")
    expect(yield* pending).toEqual([])
  })

  const promised = { authorization_response_iss_parameter_supported: true }
  test.scoped.each(
    [
      ["iss=https://evil.example", {}, 400, "(issuer) response parameter value"],
      [`iss=${login}/other`, {}, 400, "(issuer) response parameter value"],
      [`iss=${login}/`, {}, 400, "(issuer) response parameter value"],
      // Who reads the first of them would not see the other.
      [`iss=${login}&iss=https://evil.example`, {}, 400, "Not signed in"],
      ["no=iss", promised, 400, "(issuer) missing"],
      [denied, promised, 400, "(issuer) missing"],
      [`iss=${login}`, promised, 200, "Signed in"]
    ] as const
  )("[A1] a page of another authorization server is not believed, with whatever it says: %s", function*(row) {
    const [answer, metadata, status, said] = row
    const net = network().authServer(login, metadata)
    const { signIn } = yield* begun(net)
    const page = yield* comeBack(yield* addressOf(signIn), `${answer}&code=1`)
    expect(page).toEqual({ status, text: expect.stringContaining(said) })
    yield* reaches(signIn, status === 200 ? "SignedIn" : "Refused")
    expect(net.to(`${login}/token`)).toHaveLength(status === 200 ? 1 : 0)
  })

  test.scoped.each(
    [
      [503, 3, "SignedIn"],
      [400, 1, "Refused"]
    ] as const
  )(
    "[A2] a code is redeemed also where the authorization server is away for a moment, and not twice where it refuses: %s",
    function*([status, asked, tag]) {
      let count = 0
      const [refusal, token] = [{ error: "invalid_grant" }, { access_token: "a", token_type: "Bearer" }]
      const net = network().at(`${login}/token`, () => ++count < 3 ? json(status, refusal) : json(200, token))
      const { signIn } = yield* begun(net)
      const page = yield* Effect.fork(comeBack(yield* addressOf(signIn)))
      const over = yield* Effect.fork(reaches(signIn, tag))
      yield* passing("500 millis", Effect.map(Fiber.poll(over), Option.isSome))
      yield* Fiber.join(page)
      expect(count).toBe(asked)
    }
  )

  test.scoped("[A4] one that is refused is asked for again after 10 minutes, or when somebody asks; the message says how", function*() {
    const net = network()
    const { path, pending, renew, signIn } = yield* begun(net, { account: "work" })
    const first = yield* addressOf(signIn)
    expect((yield* comeBack(first, `${denied}&error_description=no`)).status).toBe(400)
    yield* reaches(signIn, "Refused")
    expect(yield* signIn.state).toMatchObject({
      detail:
        `the login was not granted: access_denied: no; to be asked again, run mcp-lifeline login ${SignIns.server} --account work`
    })
    expect(yield* pending).toEqual([])
    yield* renew
    expect((yield* signIn.state)._tag).toBe("Refused")
    // Another account has been refused nothing.
    const other = yield* begun(net, {}, path)
    expect((yield* other.signIn.state)._tag).toBe("LoginNeeded")
    const asked = yield* Effect.fork(Effect.either(signIn.login))
    yield* reaches(signIn, "LoginNeeded")
    const second = yield* addressOf(signIn)
    expect(second).not.toBe(first)
    const same = yield* Effect.fork(Effect.either(signIn.login))
    yield* Effect.yieldNow()
    yield* comeBack(second)
    expect([(yield* Fiber.join(asked))._tag, (yield* Fiber.join(same))._tag]).toEqual(["Right", "Right"])
    expect(net.forms(`${login}/token`)).toHaveLength(1)
  })

  test.scoped("[A4] one that was refused is asked for again by its process after ten minutes, and by another one at once", function*() {
    yield* TestClock.setTime(1_000_000)
    const first = yield* make()
    const { renew, signIn } = first
    for (const one of [first, yield* make(network(), {}, first.path)]) {
      yield* one.renew
      yield* answered(one.signIn, "Refused")
    }
    for (const [wait, tag] of [[599_999, "Refused"], [1, "LoginNeeded"]] as const) {
      yield* TestClock.adjust(wait)
      yield* renew
      expect([wait, (yield* signIn.state)._tag]).toEqual([wait, tag])
    }
  })

  test.scoped("[A4] one that is done makes up for those that were refused for as much or less, and for no more", function*() {
    const net = withoutRefresh()
    const { path, refused, signIn } = yield* make(net)
    const asksFor = (scope: string) =>
      Effect.zipRight(refused(401, `Bearer scope="${scope}"`), Effect.map(signIn.state, ({ _tag }) => _tag))
    for (const scope of ["read write", "read"]) {
      expect(yield* asksFor(scope)).toBe("LoginNeeded")
      yield* answered(signIn, "Refused")
    }
    const other = yield* begun(net, { scope: "read" }, path)
    yield* answered(other.signIn)
    yield* passing("1 second", Effect.map(signIn.state, ({ _tag }) => _tag === "SignedIn"))
    expect([yield* asksFor("read write"), yield* asksFor("read")]).toEqual(["Refused", "LoginNeeded"])
  })

  test.scoped("[A4] one that a person asks for is begun, however far an attempt is that meets the last refusal", function*() {
    const { renew, signIn } = yield* begun()
    // From no step to more than an attempt takes.
    for (const steps of Array.from({ length: 40 }, (_, n) => Math.floor(1.25 ** n) - 1)) {
      yield* answered(signIn, "Refused")
      const attempt = yield* Effect.fork(renew)
      while (!signIn.authorization.isRunning()) yield* SignIns.turn
      for (let step = 0; step < steps; step++) yield* SignIns.turn
      const asked = yield* Effect.fork(Effect.either(signIn.login))
      const outcome = yield* Effect.raceFirst(Fiber.join(asked), reaches(signIn, "LoginNeeded"))
      expect(outcome, `after ${steps} steps`).toMatchObject({ _tag: "Some" })
      yield* Fiber.interrupt(attempt)
    }
  })

  test.scoped("[A4] while nobody is asked again, tokens of another login are looked for once a second, however often one is wanted", function*() {
    const net = withoutRefresh()
    const other = yield* make(net)
    const { counted, folder } = SignIns.counting(StateFolder.make(other.path))
    const { renew, signIn } = yield* SignIns.make(net, folder)
    const settle = Effect.repeatN(Effect.yieldNow(), 20)
    yield* other.tokens
    for (let times = 0; times < 2; times++) {
      yield* renew
      yield* answered(signIn, "Refused")
      for (let again = 0; again < 5; again++) yield* renew
      yield* settle
      counted.looks = 0
      yield* TestClock.adjust("1 second")
      yield* settle
      expect(counted.looks).toBe(1)
      const asked = yield* Effect.fork(other.signIn.login)
      yield* reaches(other.signIn, "LoginNeeded")
      yield* answered(other.signIn)
      yield* Fiber.join(asked)
      yield* TestClock.adjust("1 second")
      yield* reaches(signIn, "SignedIn")
    }
  })

  test.scoped("[A4] one that nobody finishes is over after 10 minutes, and asked for again; the browser is not opened a second time", function*() {
    const { browser, opened } = makeBrowser()
    const { renew, signIn } = yield* begun(withoutRefresh(), { browser })
    const first = yield* addressOf(signIn)
    yield* Effect.repeat(Effect.yieldNow(), { until: () => opened.length > 0 })
    expect(opened).toEqual([first])
    yield* TestClock.adjust("10 minutes")
    yield* reaches(signIn, "Refused")
    expect(yield* signIn.state).toMatchObject({ detail: "nobody has finished the login in time" })
    yield* renew
    const second = yield* addressOf(signIn)
    expect([second.startsWith("https"), second === first]).toEqual([true, false])
    yield* comeBack(second)
    yield* reaches(signIn, "SignedIn")
    expect(opened).toEqual([first])
    yield* renew
    const third = yield* addressOf(signIn)
    yield* Effect.repeat(Effect.yieldNow(), { until: () => opened.length > 1 })
    expect(opened).toEqual([first, third])
  })

  test.scoped.each(
    [
      ["invalid_client", undefined, "LoginNeeded"],
      ["unauthorized_client", undefined, "LoginNeeded"],
      ["invalid_client", { id: "mine" }, "Refused"],
      ["unauthorized_client", { id: "mine" }, "Refused"]
    ] as const
  )(
    "[A1] a client that is not known any more (%s) is registered again; one that the user has configured is not asked for again",
    function*([error, client, tag]) {
      const net = network().at(`${login}/token`, () => json(401, { error }))
      const { path, renew, signIn } = yield* begun(net, { client })
      yield* comeBack(yield* addressOf(signIn))
      yield* reaches(signIn, "Refused")
      expect(yield* clientsIn(path)).toEqual([])
      yield* renew
      expect((yield* signIn.state)._tag).toBe(tag)
    }
  )

  test.scoped("[A1] after three logins whose tokens are refused no more are asked for, for 10 minutes", function*() {
    const { renew, signIn } = yield* make(withoutRefresh())
    for (let logins = 1; logins <= 3; logins++) {
      yield* TestClock.adjust("1 second")
      yield* renew
      yield* answered(signIn)
    }
    expect(yield* renew).toMatchObject({
      left: { detail: expect.stringContaining("no further login is begun for 10 minutes") }
    })
    expect((yield* signIn.state)._tag).toBe("Refused")
    for (const [wait, tag] of [["597 seconds", "Refused"], ["1 second", "LoginNeeded"]] as const) {
      yield* TestClock.adjust(wait)
      expect((yield* renew)._tag).toBe("Left")
      expect((yield* signIn.state)._tag).toBe(tag)
    }
  })

  test.scoped("[A3] whoever waits for it is told once for each login, and not for tokens that are there", function*() {
    let told = 0
    const { renew, signIn, tokens } = yield* make()
    yield* SignIn.whenDone(signIn, Effect.sync(() => void told++))
    yield* renew
    yield* answered(signIn)
    yield* Effect.repeat(Effect.yieldNow(), { until: () => told > 0 })
    yield* TestClock.adjust("59 minutes")
    yield* tokens
    for (let times = 0; times < 20; times++) yield* Effect.yieldNow()
    expect(told).toBe(1)
  })
})

describe("a login that another process has begun", () => {
  /** Where the login of a process leads that begins one in the folder, other than `before`, and ends. */
  const left = (net: StubNetwork, path: string, options: Partial<SignIn.Options> = {}, before?: string) =>
    Effect.scoped(Effect.gen(function*() {
      const { signIn } = yield* begun(net, options, path)
      yield* signIn.changes.pipe(
        Stream.filter((state) => state._tag === "LoginNeeded" && state.address !== before),
        Stream.runHead
      )
      return yield* addressOf(signIn)
    }))

  /** Whether a process goes on with a login: who comes back to its address is signed in. */
  const goesOn = (net: StubNetwork, path: string, address: string, options: Partial<SignIn.Options>) =>
    Effect.scoped(Effect.gen(function*() {
      const { signIn } = yield* begun(net, options, path)
      const page = yield* Effect.eventually(Effect.sandbox(comeBack(address)))
      if (page.status === 200) yield* reaches(signIn, "SignedIn")
      return page.status === 200
    }))

  test.scoped("[A4] goes on at the same address, if it is for the same", function*() {
    const redirect = { port: (yield* ReservedPort.make).port }
    const begun = { scope: "a b", client: { id: "one" }, redirect }
    for (const options of [{ scope: "a", redirect }, begun]) {
      const [net, path] = [network(), yield* folder]
      const first = yield* left(net, path, begun)
      expect(first).toContain("client_id=one")
      yield* TestClock.adjust("595 seconds")
      expect(yield* goesOn(net, path, first, options)).toBe(true)
      expect(net.forms(`${login}/token`)).toHaveLength(1)
    }
  })

  test.scoped("[A4] is begun anew where something else is asked for, or too little time is left to finish it", function*() {
    const begun = { scope: "a b", client: { id: "one" } }
    const moved = network().authServer("https://other.example").resource(SignIns.server, "https://other.example")
    const cases = [
      [{ ...begun, scope: "c" }, network(), "scope=c"],
      [{ ...begun, client: { id: "two" } }, network(), "client_id=two"],
      [begun, moved, "https://other.example/authorize"]
    ] as const
    for (const [options, net, part] of cases) {
      const path = yield* folder
      expect(yield* left(net, path, options, yield* left(network(), path, begun))).toContain(part)
    }
    const path = yield* folder
    const first = yield* left(network(), path)
    yield* TestClock.adjust("595001 millis")
    expect(yield* left(network(), path, {}, first)).toContain(`${login}/authorize`)
  })

  test.scoped("[A1 A4] is begun anew where the server does not know its client any more", function*() {
    const [net, elsewhere] = [network(), yield* folder]
    const { path, renew, signIn } = yield* begun(net)
    yield* answered(signIn)
    const first = yield* left(network(), elsewhere)
    const [foreign] = yield* loginsIn(elsewhere).entries
    yield* loginsIn(path).set(...foreign!)
    net.at(`${login}/token`, () => json(401, { error: "invalid_client" }))
    yield* Effect.fork(renew)
    const isAnew = Effect.map(signIn.state, (state) => state._tag === "LoginNeeded" && state.address !== first)
    yield* passing("1 second", isAnew)
    expect(yield* isAnew).toBe(true)
  })

  test.scoped("[A4] is opened in a browser once, also by two at the same moment", function*() {
    const net = network()
    const browsers = [makeBrowser(), makeBrowser(), makeBrowser()]
    const { path } = yield* begun(net)
    const processes = yield* Effect.forEach(browsers, ({ browser }) => make(net, { browser }, path))
    yield* Effect.fork(Effect.all(processes.map(({ renew }) => renew), { concurrency: "unbounded" }))
    const opened = () => browsers.flatMap(({ opened }) => opened)
    yield* passing("50 millis", Effect.sync(() => opened().length > 0))
    let more = 0
    yield* passing("50 millis", Effect.sync(() => ++more > 50))
    expect(opened()).toHaveLength(1)
  })

  test.scoped("[A3] frees its port with its process", function*() {
    const address = yield* left(network(), yield* folder)
    const redirect = new URL(address).searchParams.get("redirect_uri") ?? ""
    expect(yield* Effect.promise(() => fetch(redirect).then(() => "answered", () => "closed"))).toBe("closed")
  })
})

describe("requests while a login waits", () => {
  test.scoped("[A3] ask nobody anything, and fail with its address", function*() {
    const net = network()
    const { renew, signIn } = yield* begun(net)
    const asked = net.asked.length
    expect(yield* renew).toMatchObject({
      left: { _tag: "LoginFailure", status: 401, address: yield* addressOf(signIn) }
    })
    expect(net.asked).toHaveLength(asked)
  })

  test.scoped("[A3] fail after a while where another process has not said where to go; what it said before does not count", function*() {
    const { path, renew } = yield* make()
    const slot = StateFolder.key(SignIns.server, "default")
    yield* StateFolder.make(path).lock(`login-${slot}`)
    yield* loginsIn(path).set(slot, waiting(-1))
    const failed = yield* Effect.fork(renew)
    yield* passing("5 seconds", Effect.map(Fiber.poll(failed), Option.isSome))
    expect(yield* Fiber.join(failed)).toMatchObject({
      left: { _tag: "LoginFailure", address: undefined, detail: expect.stringContaining("is not known yet") }
    })
  })

  test.scoped("[A3] a backend that is connected goes on; another one connects when the login is done", function*() {
    for (const isConnected of [true, false]) {
      let reconnects = 0
      const { renew, signIn } = yield* make()
      const backend = { isConnected: Effect.succeed(isConnected), reconnect: Effect.sync(() => void reconnects++) }
      yield* SignIn.reconnectWhenDone(signIn, backend as unknown as Backend.Backend)
      yield* renew
      yield* answered(signIn)
      for (let times = 0; times < 20; times++) yield* SignIns.turn
      expect(reconnects).toBe(isConnected ? 0 : 1)
    }
  })
})

describe("a process that ends", () => {
  /** An authorization server that is asked, and answers when it is told to. */
  const late = Effect.gen(function*() {
    const [asked, answer] = [yield* Effect.makeLatch(), yield* Effect.makeLatch()]
    const net = network().at(`${login}/token`, async () => {
      await Effect.runPromise(Effect.zipRight(asked.open, answer.await))
      return json(200, { access_token: "late", token_type: "Bearer" })
    })
    return { asked, answer, net, path: yield* folder }
  })

  test.scopedLive("[A2] keeps tokens that are on their way", function*() {
    const { answer, asked, net, path } = yield* late
    yield* Effect.scoped(Effect.gen(function*() {
      const { renew } = yield* make(net, machine, path)
      const caller = yield* Effect.fork(renew)
      yield* asked.await
      // Who wanted them goes away, and then all.
      yield* Fiber.interruptFork(caller)
      yield* answer.open
    }))
    expect(yield* (yield* make(net, {}, path)).token).toBe("late")
  })

  test.scopedLive("[A2] keeps the tokens of a code that has come back: it could not be redeemed again", function*() {
    const { answer, asked, net, path } = yield* late
    yield* Effect.scoped(Effect.gen(function*() {
      const { signIn } = yield* begun(net, {}, path)
      yield* Effect.forkDaemon(Effect.exit(comeBack(yield* addressOf(signIn))))
      yield* asked.await
      // Until the end has begun.
      yield* Effect.forkDaemon(Effect.delay(answer.open, "100 millis"))
    }))
    expect(yield* (yield* make(net, {}, path)).token).toBe("late")
  })
})
