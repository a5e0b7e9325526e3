import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { ElicitationCompleteNotificationSchema, ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import { Endpoint, ServerPool, StateFolder } from "mcp-lifeline"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { inspect } from "node:util"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import { Browser } from "../../../sign-in/test/support/Browser.js"
import { folder } from "../../../testing/test/support/folder.js"
import * as NamedCaller from "../../src/access/NamedCaller.js"
import * as Configuration from "../../src/config/Configuration.js"
import * as Gateway from "../../src/http-api/Gateway.js"
import * as Logout from "../../src/login/logout.js"
import { accountOf, personOf } from "../../src/sign-in/PersonalSignIns.js"
import { answered, authentication, call, caller, type Callers, connect } from "../support/Callers.js"
import * as RecordedOutput from "../support/RecordedOutput.js"
import { HttpTalk } from "../support/Team.js"
import { describe, expect, it, test } from "../support/vitest.js"

const callers = (): Callers => new Map([["t-anna", caller("anna")], ["t-ben", caller("ben")]])

const gateway = Effect.fnUntraced(function*(path: string, url: string, known: Callers, options: object = {}) {
  const file = join(path, "mcp.json")
  const timeouts = { connect: "2 minutes", wait: "2 minutes" }
  writeFileSync(
    file,
    JSON.stringify({
      lifeline: { sessions: "per-client", timeouts, ...options },
      mcpServers: { docs: { url, protocol: "2025" } }
    })
  )
  const { lines, output, problems } = RecordedOutput.make()
  const logger = Logger.make(({ cause, message }) => void lines.push(inspect([message, cause], { depth: 10 })))
  return yield* Effect.gen(function*() {
    const configuration = yield* Configuration.make(file, output)
    const bound = yield* Endpoint.bind({ host: "127.0.0.1", port: 0, authentication: authentication(known) })
    const servers = yield* ServerPool.make(configuration.servers, { waitTimeout: "2 minutes" })
    yield* configuration.follow(servers)
    const { personalSignIns, signIn } = configuration
    const endpoint = yield* Endpoint.serve({
      ...bound,
      servers,
      introductionWait: 0,
      login: configuration.login,
      personalSignIn: (server, caller) => personalSignIns(server)?.inUse(caller),
      about: { ...(yield* Gateway.about(servers)), signIn, personalSignIns }
    })
    return { ...endpoint, configuration, said: () => [...lines, ...problems].join(), servers, base: bound.listener.url }
  }).pipe(
    Effect.provide(Layer.merge(StateFolder.layerAt(join(path, "state")), Logger.replace(Logger.defaultLogger, logger)))
  )
})

const addressIn = (text: string): string =>
  /http:\/\/localhost:\d+\/sign-in\/[\w-]+/.exec(text)?.[0] ?? `none in: ${text}`

const logIn = (account: string, address: string) => Effect.promise(() => new Browser(account).logIn(address))

describe("who logs in", () => {
  it("[G22:unit] is known by issuer and subject, or by the name in the file; a name of a token is only beside that", () => {
    const person = { name: "the client ci of this gateway", claims: {} }
    expect(personOf({ ...person, subject: "https://issuer a b" }))
      .toEqual({ identity: "the account a b of https://issuer", name: "the client ci of this gateway" })
    expect(personOf(NamedCaller.of("ci"))).toEqual({ identity: "the client ci of this gateway" })
  })
})

describe("each person's own login at a server", () => {
  test.scopedLive("[G22:real G15] so do clients without a session, which are told where in the error of a call", function*() {
    const server = yield* AuthServer.make
    const known: Callers = new Map(["anna", "ben"].map((name) => [`the-token-of-${name}`, caller(name)]))
    const { url } = yield* gateway(yield* folder, server.url, known)
    const talk = (name: string) => new HttpTalk(url, `the-token-of-${name}`, { isStateless: true })
    const [anna, ben] = [talk("anna"), talk("ben")]
    const ask = (one: HttpTalk) =>
      Effect.promise(async () => (await one.ask("tools/call", { name: "docs__ask", arguments: {} })).answer)
    const answeredTo = Effect.fnUntraced(function*(one: HttpTalk) {
      for (;;) {
        const answer = yield* ask(one)
        if (answer?.result !== undefined) return answer.result.content[0].text
        yield* Effect.sleep("20 millis")
      }
    })
    const address = (one: HttpTalk) => Effect.map(ask(one), (answer) => addressIn(JSON.stringify(answer)))
    const [toAnna, toBen] = [yield* address(anna), yield* address(ben)]
    expect(toAnna).not.toBe(toBen)
    yield* logIn("anna@idp", toAnna)
    expect(yield* answeredTo(anna)).toBe("anna@idp")
    expect(yield* address(ben)).toBe(toBen)
    yield* logIn("ben@idp", toBen)
    expect([yield* answeredTo(ben), yield* answeredTo(anna)]).toEqual(["ben@idp", "anna@idp"])
  })

  test.scopedLive("[G22:real G19] a call of a tool whose name has another prefix is told where to log in, and does not wait for the list", function*() {
    const server = yield* AuthServer.make
    for (const [prefix, name] of [["{server}-", "docs-ask"], ["our_", "our_ask"], ["", "ask"]] as const) {
      const { url } = yield* gateway(yield* folder, server.url, callers(), { prefix })
      const anna = yield* connect(url, "t-anna")
      expect(addressIn(yield* call(anna, name))).toMatch(/^http/)
    }
  })

  test.scopedLive("[G22:real] nobody acts as somebody else: not at a renewal, a reconnect, a restart, nor when another login ends", function*() {
    const server = yield* AuthServer.make
    const path = yield* folder
    const known = callers()
    const first = yield* Scope.make()
    const before = yield* Scope.extend(gateway(path, server.url, known), first)
    const [anna, anna2, ben] = yield* Effect.all(
      ["t-anna", "t-anna", "t-ben"].map((token) => connect(before.url, token))
    ) as never as Effect.Effect<[Client, Client, Client], never, Scope.Scope>
    const [ofAnna, ofBen] = yield* Effect.all([call(anna, "docs__ask"), call(ben, "docs__ask")])
    const [toAnna, toBen] = [addressIn(ofAnna), addressIn(ofBen)]
    expect(toAnna).not.toBe(toBen)
    // Both sessions of one subject have one login. Its status tells it where, and nobody else.
    expect(addressIn(yield* call(anna2, "docs__ask"))).toBe(toAnna)
    const status = yield* call(ben, "lifeline__status")
    expect([addressIn(status), status.includes(toAnna)]).toEqual([toBen, false])
    expect((yield* logIn("anna@idp", toAnna)).text).toContain("Signed in")
    expect(yield* answered(anna)).toBe("anna@idp")
    expect(yield* answered(anna2)).toBe("anna@idp")
    expect(addressIn(yield* call(ben, "docs__ask"))).toBe(toBen)
    expect((yield* logIn("ben@idp", toBen)).text).toContain("Signed in")
    expect(yield* answered(ben)).toBe("ben@idp")
    const who = (clients: ReadonlyArray<Client>) => Effect.forEach(clients, answered, { concurrency: "unbounded" })
    server.expire()
    expect(yield* who([anna, ben, anna2, ben, anna]))
      .toEqual(["anna@idp", "ben@idp", "anna@idp", "ben@idp", "anna@idp"])
    expect(new Set(server.grants("refresh_token").map(({ form }) => form["client_id"])).size).toBe(2)
    for (const backend of yield* before.servers.backends("docs")) yield* backend.reconnect
    expect(yield* who([anna, ben, anna2])).toEqual(["anna@idp", "ben@idp", "anna@idp"])
    expect((yield* before.servers.backends("docs")).length).toBe(3)
    const counts = yield* before.configuration.personalSignIns("docs")!.counts
    expect(counts).toEqual({ signedIn: 2, waiting: 0 })
    // What others may read has no address, no token, and no name.
    const statuses = yield* Effect.promise(async () => {
      const headers = { authorization: "Bearer t-ben" }
      const [all, one] = await Promise.all(
        ["status", "servers/docs"].map((at) => fetch(`${before.base}/api/${at}`, { headers }))
      )
      return `${await all!.text()} ${await one!.text()}`
    })
    expect(statuses).toContain('"clientLogins":{"signedIn":2,"waiting":0}')
    expect(statuses + before.said()).not.toMatch(/sign-in\/|anna|ben@/)
    const kept = readdirSync(join(path, "state", "grants")).map((name) =>
      readFileSync(join(path, "state", "grants", name), "utf8")
    )
    expect(kept.map((text) => (JSON.parse(text) as { readonly account: string }).account).toSorted())
      .toEqual([caller("anna"), caller("ben")].map(accountOf).toSorted())
    yield* Scope.close(first, Exit.void)

    const after = yield* gateway(path, server.url, known)
    const [annaAgain, benAgain] = yield* Effect.all([connect(after.url, "t-anna"), connect(after.url, "t-ben")])
    expect(yield* who([benAgain, annaAgain])).toEqual(["ben@idp", "anna@idp"])
    server.end("ben@idp")
    const gone = yield* call(benAgain, "docs__ask")
    expect(addressIn(gone)).toMatch(/^http/)
    expect(yield* answered(annaAgain)).toBe("anna@idp")
    expect((yield* logIn("ben2@idp", addressIn(gone))).text).toContain("Signed in")
    expect(yield* who([benAgain, annaAgain])).toEqual(["ben2@idp", "anna@idp"])
    const said = RecordedOutput.make()
    yield* Effect.provide(
      Logout.run({ target: server.url, config: undefined, account: undefined, client: "anna" }, said.output),
      StateFolder.layerAt(join(path, "state"))
    )
    expect(said.lines).toEqual([expect.stringContaining("Signed out of")])
    server.end("anna@idp")
    expect(addressIn(yield* call(annaAgain, "docs__ask"))).toMatch(/^http/)
    expect(yield* answered(benAgain)).toBe("ben2@idp")
  })

  test.scopedLive("[G22:real] a client that can show an address asks its user during the call, which then goes on", function*() {
    const server = yield* AuthServer.make
    const path = yield* folder
    const { base, url } = yield* gateway(path, server.url, callers())
    const asked: Array<any> = []
    const completed: Array<string> = []
    const prepare = (answer: (params: any) => Promise<"accept" | "decline">) => (client: Client) => {
      client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
        asked.push(params)
        return { action: await answer(params) }
      })
      client.setNotificationHandler(ElicitationCompleteNotificationSchema, ({ params }) => {
        completed.push(params.elicitationId)
      })
    }
    const capable = { elicitation: { url: {} } }
    const refuses = yield* connect(url, "t-ben", capable, prepare(() => Promise.resolve("decline")))
    expect(addressIn(yield* call(refuses, "docs__ask"))).toMatch(/^http/)
    expect(asked).toMatchObject([{ mode: "url", message: expect.stringContaining("docs needs a login") }])
    const anna = yield* connect(
      url,
      "t-anna",
      capable,
      prepare(async ({ url }) => {
        await new Browser("anna@idp").logIn(url as string)
        return "accept"
      })
    )
    expect(yield* call(anna, "docs__ask")).toBe("anna@idp")
    expect(asked).toHaveLength(2)
    expect(asked[1].url).not.toBe(asked[0].url)
    yield* Effect.promise(() => expect.poll(() => completed, { timeout: 60_000 }).toEqual([asked[1].elicitationId]))
    expect(yield* call(anna, "docs__ask")).toBe("anna@idp")
    expect(asked).toHaveLength(2)
    const login = yield* Effect.promise(async () => {
      const headers = { authorization: "Bearer t-ben", "x-lifeline": "1" }
      const response = await fetch(`${base}/api/servers/docs/login`, { method: "POST", headers })
      return await response.json() as { readonly state: string; readonly url: string }
    })
    expect(login).toMatchObject({ state: "login-needed", url: asked[0].url })
    yield* logIn("ben@idp", login.url)
    expect(yield* answered(refuses)).toBe("ben@idp")
    expect(yield* call(anna, "docs__ask")).toBe("anna@idp")
  })
})
