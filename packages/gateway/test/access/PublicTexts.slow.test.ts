import { describe, expect, it } from "@effect/vitest"
import { type ConnectError, type Event, RequestError } from "@mcp-lifeline/core"
import { Lifecycle } from "@mcp-lifeline/core/internal"
import { Reasons } from "@mcp-lifeline/core/text"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, HashMap, Logger } from "effect"
import type { ServerPool } from "mcp-lifeline"
import { createServer } from "node:http"
import { listening } from "../../../testing/test/support/listening.js"
import type { Audit } from "../../src/audit/Audit.js"
import * as JsonLog from "../../src/log/JsonLog.js"
import * as Lines from "../../src/log/Lines.js"
import { api, eventsUntil, type HttpTalk, talking, team } from "../support/Team.js"

/** A value of each kind: a new one has to be added here. */
const connectReasons = Object.keys(
  {
    ...{ timeout: 0, refused: 0, unreachable: 0, tls: 0, closed: 0, session: 0, spawn: 0, unauthorized: 0 },
    ...{
      forbidden: 0,
      notFound: 0,
      rateLimited: 0,
      server: 0,
      redirect: 0,
      protocol: 0,
      incompatible: 0,
      onConnected: 0,
      defect: 0
    }
  } satisfies Record<Reasons.ConnectReason, 0>
) as ReadonlyArray<Reasons.ConnectReason>

const losses = ["session", "closed", "health", "keepalive", "memory"] as const
const fates = ["notSent", "rejected", "unknown", "answered"] as const

const requestReasons = Object.keys(
  {
    ...{ lost: 0, session: 0, timeout: 0, remote: 0, protocol: 0, rateLimited: 0, unauthorized: 0 },
    ...{ network: 0, server: 0, fault: 0 }
  } satisfies Record<RequestError["reason"], 0>
) as ReadonlyArray<RequestError["reason"]>

const failures = fates.flatMap((fate) =>
  requestReasons
    // What a server answers is for who has called it.
    .filter((reason) => (fate === "answered") === (reason === "remote" || reason === "protocol"))
    .filter((reason) => reason !== "remote")
    .map((reason) => ({ key: `${fate}-${reason}`, fate, reason }))
)

const brief = { connect: "2 minutes", wait: 50 } as const
/** The attempt that follows a loss is under way as long as the test lasts. */
const patient = { ...brief, connect: "1 hour" } as const
const quiet = { ...brief, request: "2 minutes" } as const

const failing = (reason: Reasons.ConnectReason): ServerPool.Server => {
  const connector = ScriptedConnector.make()
  connector.otherwise = {
    connect: "fail",
    error: { reason, permanent: reason === "spawn" || reason === "forbidden", message: `secret-${reason}` }
  }
  return { id: `down-${reason}`, connector, timeouts: brief }
}

const answering = (): ServerPool.Server => {
  const connector = ScriptedConnector.make()
  connector.offer = {
    tools: failures.map(({ key }) => ScriptedConnector.tool(key)),
    prompts: failures.map(({ key }) => ({ name: key })),
    resources: failures.map(({ key }) => ({ name: key, uri: `x://${key}` })),
    resourceTemplates: []
  }
  connector.respond = (method, params) => {
    if (method.endsWith("/list")) return undefined
    const said = JSON.stringify(params ?? {})
    const found = failures.find(({ key }) => said.includes(`${key}"`))
    return found && {
      answer: "error",
      error: new RequestError({ fate: found.fate, reason: found.reason, message: `secret-${found.key}` })
    }
  }
  return { id: "asked", connector, timeouts: quiet, calls: { retry: "never" } }
}

const stdio = (id: string, command: string, args: ReadonlyArray<string>, more: object = {}): ServerPool.Server => ({
  id,
  connector: StdioConnector.make({ command, args, env: { TOKEN: "secret-env" }, protocol: "2025", ...more }),
  timeouts: brief
})

const script = "console.log('secret-said'); console.error('secret-written', process.env.TOKEN); process.exit(3)"

const overHttp = Effect.gen(function*() {
  const url = yield* listening(createServer((request, response) => {
    const status = Number(/\/(\d+)\//.exec(request.url ?? "")?.[1])
    response.writeHead(status, { Location: "http://127.0.0.1:9/secret-location", "Content-Type": "text/plain" })
    response.end("secret-body")
  }))
  return [200, 307, 400, 401, 403, 404, 429, 500, 503].map((status): ServerPool.Server => ({
    id: `down-http-${status}`,
    connector: HttpConnector.make({ url: `${url}/${status}/secret-path`, protocol: "2025" }),
    timeouts: brief
  }))
})

const gateway = Effect.gen(function*() {
  const lost = losses.map((kind) => ({ kind, connector: ScriptedConnector.make().script({}) }))
  for (const { connector } of lost) connector.otherwise = { connect: "hang" }
  const servers = [
    ...connectReasons.map(failing),
    ...lost.map(({ connector, kind }): ServerPool.Server => ({
      id: `down-lost-${kind}`,
      connector,
      timeouts: patient
    })),
    ...yield* overHttp,
    stdio("down-exit", process.execPath, ["-e", script, "secret-argument"]),
    stdio("down-missing", "/secret-folder/none", ["secret-argument"]),
    stdio("down-folder", process.execPath, ["-v"], { cwd: "/secret-folder" }),
    answering()
  ]
  const clients = {
    ci: {},
    boss: { admin: true },
    few: { servers: ["asked"] },
    part: { servers: ["asked"], admin: true }
  }
  const found = yield* team(servers, clients)
  for (const { connector, kind } of lost) connector.current.lose({ kind, message: `secret-lost-${kind}` })
  const { fleet } = found.servers.shared
  yield* Effect.repeat(Effect.delay(fleet.status, "20 millis"), {
    until: (all) => Object.values(all).every(({ backend, lastError }) => backend === "asked" || lastError !== undefined)
  })
  const warned = Effect.annotateLogs(Effect.logWarning("asked: secret-warning of down-refused"), { backend: "asked" })
  yield* Effect.provide(warned, Logger.add(JsonLog.eventLogger(found.record.log.add)))
  return { ...found, ids: servers.map(({ id }) => id) }
})

const events = (base: string, token: string) =>
  eventsUntil(base, token, (text) => /event: status\ndata: .*\n\n/.test(text))

type Era = readonly [name: string, isStateless: boolean]
const [withSessions, without] = [["with sessions", false], ["without", true]] as const
const eras: ReadonlyArray<Era> = [withSessions, without]

const read = Effect.fnUntraced(function*(
  { base, ids, url }: Effect.Effect.Success<typeof gateway>,
  client: string,
  asked: ReadonlyArray<Era> = eras
) {
  const token = `${client}-token`
  const found = new Map<string, string>()
  const get = (path: string) =>
    Effect.map(api(base, token, path), ({ body }) => void found.set(path, JSON.stringify(body)))
  for (const path of ["/api/status", "/api/logs?limit=500", "/api/tools", "/health", "/ready", "/metrics"]) {
    yield* get(path)
  }
  for (const id of ids) {
    yield* get(`/api/servers/${id}`)
    yield* get(`/api/logs?server=${id}`)
    const { body } = yield* api(base, token, "/api/call", "POST", { name: `${id}__any` })
    found.set(`/api/call ${id}`, JSON.stringify(body))
  }
  for (const { key } of failures) {
    const { body } = yield* api(base, token, "/api/call", "POST", { name: `asked__${key}` })
    found.set(`/api/call ${key}`, JSON.stringify(body))
  }
  found.set("/api/events", yield* events(base, token))
  for (const [era, isStateless] of asked) {
    const talk: HttpTalk = yield* talking(url, token, { isStateless })
    const ask = (name: string, method: string, params: object) =>
      Effect.promise(async () => {
        found.set(`${name} ${era}`, JSON.stringify({ ...(await talk.ask(method, params)).answer, id: 0 }))
      })
    for (const id of ids) yield* ask(`call ${id}`, "tools/call", { name: `${id}__any`, arguments: {} })
    for (const { key } of failures) {
      yield* ask(`call ${key}`, "tools/call", { name: `asked__${key}`, arguments: {} })
      yield* ask(`prompt ${key}`, "prompts/get", { name: `asked__${key}` })
      yield* ask(`read ${key}`, "resources/read", { uri: `x://${key}` })
      const ref = { type: "ref/prompt", name: `asked__${key}` }
      yield* ask(`complete ${key}`, "completion/complete", { ref, argument: { name: "a", value: "" } })
      if (!isStateless) yield* ask(`subscribe ${key}`, "resources/subscribe", { uri: `x://${key}` })
    }
    for (const list of ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]) {
      yield* ask(list, list, {})
    }
    yield* ask("status", "tools/call", { name: "lifeline__status", arguments: {} })
    yield* ask("status resource", "resources/read", { uri: "lifeline://status" })
    found.set(`introduced ${era}`, JSON.stringify(talk.introduced))
    found.set(`heard ${era}`, JSON.stringify(talk.heard))
  }
  return found
})

const silent = Logger.remove(Logger.defaultLogger)

const leaks = (found: ReadonlyMap<string, string>, pattern: RegExp) =>
  [...found].flatMap(([door, text]) => pattern.test(text) ? [[door, text.slice(0, 500)]] : [])

describe("texts about servers", () => {
  it.scopedLive("[G22] whatever fails in which way: no door tells who is no admin how a server is started or reached, nor what others said; an admin reads it all", () =>
    Effect.gen(function*() {
      const at = yield* gateway
      const seen = yield* read(at, "ci")
      expect(leaks(seen, /secret/i)).toEqual([])
      // It reads what happened, and not how.
      expect(seen.get("call down-spawn with sessions")).toContain(Reasons.inWords("spawn"))
      expect(seen.get("/api/status")).toContain(Reasons.inWords("keepalive"))
      const all = yield* read(at, "boss")
      const said = (door: string, secret: string) => all.get(door)?.includes(secret) === true ? [] : [[door, secret]]
      const missing = [
        ...[...connectReasons, ...losses.map((kind) => `lost-${kind}`)].flatMap((key) =>
          [
            "/api/status",
            "/api/events",
            `/api/servers/down-${key}`,
            "/api/tools",
            "/ready",
            `/api/call down-${key}`,
            ...eras.flatMap(([era]) => [`call down-${key} ${era}`, `status ${era}`, `status resource ${era}`])
          ]
            // The next attempt of a server that is connected again at once follows without a trace.
            .filter((door) => !(key.startsWith("lost-") && door === "/api/tools"))
            .flatMap((door) => said(door, `secret-${key}`))
        ),
        ...failures.filter(({ reason }) => reason !== "timeout" && reason !== "fault").flatMap(({ key }) =>
          [
            `/api/call ${key}`,
            ...eras.flatMap(([era]) => [`call ${key} ${era}`, `prompt ${key} ${era}`, `read ${key} ${era}`])
          ].flatMap((door) => said(door, `secret-${key}`))
        ),
        ...said("/api/logs?limit=500", "secret-warning"),
        ...said("/api/logs?server=down-spawn", "secret-spawn"),
        ...said("/api/servers/down-exit", "secret-written"),
        ...said("/api/servers/down-exit", "secret-argument"),
        ...said("/api/servers/down-http-404", "secret-path")
      ]
      expect(missing).toEqual([])
    }).pipe(Effect.provide(silent)))

  it.scopedLive("[G22] name no server that a caller may not use, whether it is an admin or not", () =>
    Effect.gen(function*() {
      const at = yield* gateway
      for (const [client, era] of [["few", withSessions], ["part", without]] as const) {
        const found = yield* read(at, client, [era])
        const asked = [...found].filter(([door]) => !door.includes("down-"))
        expect([client, leaks(new Map(asked), /down-/)]).toEqual([client, []])
        const about = (id: string) =>
          [...found].flatMap(([door, text]) => door.includes(id) ? [[door, text]] : []).join().replaceAll(id, "NAME")
        expect([client, about("down-spawn")]).toEqual([client, about("down-tls")])
      }
    }).pipe(Effect.provide(silent)))

  it.scopedLive("[G22] place no file of the audit for who is no admin, where calls are refused because they cannot be recorded", () =>
    Effect.gen(function*() {
      const audit = {
        refusal: () => "secret-file is full",
        problem: () => "secret-file is full",
        status: () => ({ file: "/secret-file", lost: 1, problem: "secret-file is full" }),
        begin: () => {
          throw new Error("nothing is called")
        }
      } as Audit
      const { base, url } = yield* team([answering()], { ci: {}, boss: { admin: true } }, { audit })
      const name = `asked__${failures[0]!.key}`
      for (const [client, isShown] of [["ci", false], ["boss", true]] as const) {
        const token = `${client}-token`
        const answers = [JSON.stringify((yield* api(base, token, "/api/call", "POST", { name })).body)]
        for (const [, isStateless] of eras) {
          const talk = yield* talking(url, token, { isStateless })
          answers.push(JSON.stringify(yield* Effect.promise(() => talk.ask("tools/call", { name, arguments: {} }))))
        }
        expect([client, answers.map((one) => one.includes("secret-file"))])
          .toEqual([client, [isShown, isShown, isShown]])
      }
    }).pipe(Effect.provide(silent)))
})

const about = { backend: "a", at: 0 }
const running = { ...about, generation: 1 }
const error = { message: "secret", reason: "spawn" } as ConnectError

/** Each event, with something that is for admins in each text of it. */
const all: { readonly [T in Event.Event["_tag"]]: ReadonlyArray<Extract<Event.Event, { readonly _tag: T }>> } = {
  StateChanged: (Object.keys(Lifecycle.entries) as ReadonlyArray<keyof typeof Lifecycle.entries>)
    .map((to) => ({ ...running, _tag: "StateChanged", from: "Connecting", to })),
  AttemptStarted: [{ ...about, _tag: "AttemptStarted", attempt: 1 }],
  AttemptFailed: [{ ...about, _tag: "AttemptFailed", error, duration: 1, nextAttemptAt: 5000 }],
  Installed: [{ ...running, _tag: "Installed", duration: 1, downtime: 1, resumed: false }],
  RuntimeLost: losses
    .map((kind) => ({ ...running, _tag: "RuntimeLost", loss: { kind, message: "secret" }, uptime: 1 })),
  RuntimeClosed: (["closed", "failed", "abandoned"] as const)
    .map((outcome) => ({ ...running, _tag: "RuntimeClosed", installed: true, outcome, message: "secret" })),
  Judged: (["busy", "held", "unknown", "wedged"] as const)
    .map((kind) => ({ ...running, _tag: "Judged", kind, reason: "secret", enforced: kind !== "wedged" })),
  CatalogChanged: [{ ...running, _tag: "CatalogChanged", revision: 1, stale: false }],
  MemoryHigh: [{ ...running, _tag: "MemoryHigh", memory: 1, limit: 1, message: "secret", nextRestartAt: undefined }],
  DiscoveryFailed: [{ ...running, _tag: "DiscoveryFailed", message: "secret" }],
  KeepaliveChanged: (["running", "off", "paused", "disabled"] as const)
    .map((state) => ({ ...running, _tag: "KeepaliveChanged", state, reason: "secret", nextProbeAt: undefined }))
}

describe("lines of the log", () => {
  it.each(Object.values(all).flat())("[G22:unit] $_tag: what it says to everybody has nothing for admins", (event) => {
    const status = {
      state: "Connected",
      generation: 1,
      peer: { url: "http://secret" },
      target: "secret",
      transport: "http",
      catalog: { generation: 1, revision: 1, stale: false, tools: 7777, hidden: undefined, truncated: [] }
    } as Lines.KnownStatus
    const [, line] = Lines.step(HashMap.empty(), event, status)
    expect(line?.publicMessage ?? "").not.toMatch(/secret|7777/)
    const isForAdmins = line !== undefined && JSON.stringify(event).includes("secret")
    expect(line?.message ?? "").toContain(isForAdmins ? "secret" : "")
  })
})
