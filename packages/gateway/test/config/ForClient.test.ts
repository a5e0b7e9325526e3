import { Effect, Either, Logger, Redacted } from "effect"
import { Backends, Endpoint, McpJson, ServerPool } from "mcp-lifeline"
import { createServer, type IncomingHttpHeaders } from "node:http"
import { fileURLToPath } from "node:url"
import { inspect } from "node:util"
import { answerTo, bodyOf } from "../../../sign-in/test/support/AuthServer.js"
import { listening } from "../../../testing/test/support/listening.js"
import * as ClientValues from "../../src/config/clientValues.js"
import { authentication, call, caller, type Callers, connect } from "../support/Callers.js"
import { describe, expect, it, test } from "../support/vitest.js"

const who = fileURLToPath(new URL("../fixtures/who.mjs", import.meta.url))

const parse = (file: unknown, env: Record<string, string> = {}) =>
  Either.getOrThrow(McpJson.parse("mcp.json", JSON.stringify(file), env))

const own = { sessions: "per-client", clients: {} }

const problemsOf = (server: object, lifeline: object = own) =>
  parse({ lifeline, mcpServers: { s: server } }, { KEY: "s3cret-value" }).problems
    .filter(({ key }) => key.startsWith("mcpServers")).map(({ key, message }) => `${key} ${message}`)

const webServer = Effect.gen(function*() {
  const headers: Array<IncomingHttpHeaders> = []
  const url = yield* listening(createServer((request, response) =>
    void bodyOf(request).then((body) => {
      const message = JSON.parse(body || "{}") as { readonly id?: number; readonly method?: string }
      if (message.method === "tools/call") headers.push(request.headers)
      const json = { "content-type": "application/json" }
      if (request.method !== "POST") response.writeHead(405).end()
      else if (message.id === undefined) response.writeHead(202).end()
      else response.writeHead(200, json).end(JSON.stringify(answerTo(message)))
    })
  ))
  return { url: `${url}/mcp`, headers }
})

const gateway = Effect.fnUntraced(function*(mcpServers: object, callers: Callers) {
  const lifeline = { ...own, timeouts: { connect: "2 minutes", wait: "2 minutes" } }
  const { entries, problems } = parse({ lifeline, mcpServers }, { KEY: "s3cret-value" })
  expect(problems.filter(({ key }) => key.startsWith("mcpServers"))).toEqual([])
  const { backends, problems: refused } = Backends.fromEntries(entries, ".")
  expect(refused).toEqual([])
  const bound = yield* Endpoint.bind({ host: "127.0.0.1", port: 0, authentication: authentication(callers) })
  const servers = yield* ServerPool.make(backends, { waitTimeout: "2 minutes" })
  return { ...(yield* Endpoint.serve({ ...bound, servers, introductionWait: 0 })), servers }
})

describe("what a configuration says of the client", () => {
  it("[G22:unit] is for servers of which each client has its own, in headers and env, where clients are told apart", () => {
    const env = { WHO: "${client.name} <${client.claim.email}> ${KEY}" }
    expect(problemsOf({ command: "x", env })).toEqual([])
    expect(problemsOf({ url: "http://h/mcp", headers: env })).toEqual([])
    const shared = problemsOf({ command: "x", env }, { clients: {} })
    const sharing = [expect.stringMatching(/^mcpServers\.s\.env\.WHO has \$\{client\.name\}, and all clients share/)]
    expect(shared).toEqual(sharing)
    const unknown = problemsOf({ url: "http://h/mcp", headers: env }, { sessions: "per-client" })
    expect(unknown).toEqual([
      expect.stringContaining("mcpServers.s.headers.WHO has ${client.name}, and the gateway does not know")
    ])
    const misplaced = [
      { command: "x", args: ["${client.name}"] },
      { command: "x", cwd: "/home/${client.name}" },
      { url: "http://${client.name}/mcp" },
      { command: "x", env: { A: { command: ["y", "${client.name}"] } } }
    ]
    for (const server of misplaced) {
      const elsewhere = [expect.stringContaining("which is replaced only in the values of headers and env")]
      expect(problemsOf(server)).toEqual(elsewhere)
    }
    const refused = {
      "${client.email}": "which is not known; write ${client.name}",
      "${client.claim.}": "which is not known",
      [`\${client.claim.${"x".repeat(300)}}`]: "which is not known",
      "${client.claim.email:-nobody}": "could pass for another one",
      "${client.name} ${MISSING}": "has ${MISSING}, which is not set"
    }
    for (const [text, why] of Object.entries(refused)) {
      expect(problemsOf({ command: "x", env: { A: text } })).toEqual([expect.stringContaining(why)])
    }
    // A variable is not expanded again: what it says is a text like any other.
    const environment = { KEY: "${client.name}" }
    const { entries } = parse({ lifeline: own, mcpServers: { s: { command: "x", env: { A: "${KEY}" } } } }, environment)
    expect(entries[0]?.server.fromClient).toEqual({})
    const read = parse({ lifeline: own, mcpServers: { s: { command: "x", env } } }, { KEY: "s3cret-value" })
    expect(inspect(read, { depth: 20 })).not.toContain("s3cret-value")
  })

  it("[G22:unit] is replaced by texts, numbers and booleans only, and by nothing that could pass for something else", () => {
    const file = { lifeline: own, mcpServers: { s: { command: "x", env: { A: "-${client.claim.a.b}-" } } } }
    const { entries } = parse(file)
    const texts = entries[0]!.server.fromClient
    const of = (value: unknown, kind: ClientValues.Kind = "variable") =>
      Either.match(ClientValues.of(texts, caller("anna", { "a.b": value, a: { b: "nested" } }), kind), {
        onLeft: (why) => `refused: ${why}`,
        onRight: (values) => Redacted.value(values["A"]!)
      })
    expect([of("x y"), of(3), of(false), of("Zoë")]).toEqual(["-x y-", "-3-", "-false-", "-Zoë-"])
    const refusals: Readonly<Record<string, ReadonlyArray<unknown>>> = {
      "is missing": [undefined, "", null],
      "is neither a text": [["x"], { x: 1 }, Number.NaN],
      "line breaks": ["a\r\nX-Admin: 1", "a\u2028b"],
      "control characters": ["a\u0000b", "a\u0085b"],
      "not valid Unicode": ["a\ud800b"],
      "white space": [" anna"],
      "longer than 1000": ["x".repeat(1001)]
    }
    const said = "refused: this server is started for each client with what is known of it, and the claim"
    for (const [why, values] of Object.entries(refusals)) {
      for (const refused of values.map((value) => of(value))) {
        expect(refused).toContain(`${said} "a.b" of this client`)
        expect(refused).toContain(why)
        expect(refused).not.toMatch(/Admin|xxxx|nested/)
      }
    }
    expect(of("Zoë", "header")).toContain("a header cannot have")
  })

  test.scopedLive("[G22:real] each client's own server is started with what its token says, also when that changes", function*() {
    const callers: Callers = new Map([
      ["t-anna", caller("anna", { email: "anna@example.com", secret: "other-claim" })],
      ["t-ben", caller("ben", { email: "ben@example.com" })],
      ["t-carl", caller("carl", { secret: "other-claim" })]
    ])
    const lines: Array<string> = []
    const logger = Logger.make(({ cause, message }) => void lines.push(inspect([message, cause], { depth: 10 })))
    const web = yield* webServer
    const { servers, url } = yield* Effect.provide(
      gateway({
        s: { command: process.execPath, args: [who], env: { WHO: "${client.subject}/${client.claim.email}" } },
        w: { url: web.url, protocol: "2025", headers: { "X-User": "${client.claim.email}", "X-Key": "${KEY}" } }
      }, callers),
      Logger.replace(Logger.defaultLogger, logger)
    )
    const [anna, anna2] = [yield* connect(url, "t-anna"), yield* connect(url, "t-anna")]
    const [ben, carl] = [yield* connect(url, "t-ben"), yield* connect(url, "t-carl")]
    const startedAs = (client: typeof anna) =>
      Effect.map(call(client, "s__who"), (text) => JSON.parse(text) as { env: { WHO: string }; pid: number })
    const all = [startedAs(anna), startedAs(anna2), startedAs(ben)] as const
    const [first, second, third] = yield* Effect.all(all, { concurrency: "unbounded" })
    const people = ["anna/anna@example.com", "anna/anna@example.com", "ben/ben@example.com"]
    expect([first, second, third].map(({ env }) => env.WHO)).toEqual(people)
    expect(new Set([first.pid, second.pid, third.pid]).size).toBe(3)
    const askedAs = (client: typeof anna) =>
      Effect.map(call(client, "w__ask"), (text) => {
        expect(text).toBe("answered")
        const { "x-key": key, "x-user": user } = web.headers.at(-1)!
        return [user, key]
      })
    expect(yield* askedAs(anna)).toEqual(["anna@example.com", "s3cret-value"])
    expect(yield* askedAs(ben)).toEqual(["ben@example.com", "s3cret-value"])
    // Without the claim nothing is started, and the client is told which one that is.
    const [refused, refusedToo] = yield* Effect.all([call(carl, "s__who"), call(carl, "w__ask")])
    expect(refused).toContain(`the claim "email" of this client is missing: the variable WHO needs it`)
    expect(refusedToo).toContain(`the claim "email" of this client is missing: the header X-User needs it`)
    expect(refused + refusedToo).not.toContain("other-claim")
    callers.set("t-anna", caller("anna", { email: "anna@new.example" }))
    const renewed = yield* startedAs(anna)
    expect([renewed.env.WHO, renewed.pid === first.pid]).toEqual(["anna/anna@new.example", false])
    expect(yield* askedAs(anna)).toEqual(["anna@new.example", "s3cret-value"])
    expect((yield* startedAs(anna)).pid).toBe(renewed.pid)
    expect((yield* startedAs(ben)).pid).toBe(third.pid)
    callers.set("t-anna", caller("anna"))
    expect(yield* call(anna, "s__who")).toContain(`the claim "email" of this client is missing`)
    expect(yield* call(anna, "w__ask")).toContain(`the claim "email" of this client is missing`)
    callers.set("t-carl", caller("carl", { email: "carl@example.com" }))
    expect((yield* startedAs(carl)).env.WHO).toBe("carl/carl@example.com")
    const backends = yield* servers.backends("s")
    const statuses = yield* Effect.forEach(backends, ({ status }) => status)
    expect(inspect([lines, statuses], { depth: 20 })).not.toMatch(/@example|@new|other-claim|s3cret-value/)
  })
})
