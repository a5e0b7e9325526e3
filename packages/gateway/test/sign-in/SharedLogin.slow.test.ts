import { Effect, Redacted, type Scope } from "effect"
import { Endpoint, ServerPool, StateFolder } from "mcp-lifeline"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import { folder } from "../../../testing/test/support/folder.js"
import * as GatewayAuthentication from "../../src/access/GatewayAuthentication.js"
import * as Configuration from "../../src/config/Configuration.js"
import * as Record from "../../src/http-api/Record.js"
import * as RecordedOutput from "../support/RecordedOutput.js"
import { api, eventsUntil, full, talking } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const gateway = Effect.gen(function*() {
  const server = yield* AuthServer.make
  const path = yield* folder
  const file = join(path, "mcp.json")
  writeFileSync(
    file,
    JSON.stringify({
      lifeline: {
        timeouts: { connect: "2 minutes", wait: "200 millis" },
        clients: { ci: { token: full("ci-token") }, boss: { token: full("boss-token"), admin: true } }
      },
      mcpServers: { docs: { url: server.url, protocol: "2025" } }
    })
  )
  return yield* Effect.gen(function*() {
    const configuration = yield* Configuration.make(file, RecordedOutput.make().output)
    const { access, personalSignIns, signIn } = configuration
    const record = yield* Record.make()
    const bound = yield* Endpoint.bind({
      host: "127.0.0.1",
      port: 0,
      authentication: GatewayAuthentication.byToken({
        tokens: () => [Redacted.make(full("operator"))],
        isNeeded: true,
        clients: access
      })
    })
    const servers = yield* ServerPool.make(configuration.servers, {
      waitTimeout: "2 minutes",
      telemetry: record.telemetry
    })
    yield* record.follow(servers.shared.fleet)
    yield* configuration.follow(servers)
    const { url } = yield* Endpoint.serve({
      ...bound,
      servers,
      rules: access.control,
      login: configuration.login,
      personalSignIn: (server, caller) => personalSignIns(server)?.inUse(caller),
      about: { record, startedAt: 0, config: file, signIn, personalSignIns }
    })
    yield* servers.shared.ready
    return { base: bound.listener.url, url }
  }).pipe(Effect.provide(StateFolder.layerAt(join(path, "state"))))
})

const events = (base: string, token: string) => eventsUntil(base, token, (text) => text.includes("event: status\n"))

type Door = (
  at: { readonly base: string; readonly url: string },
  token: string
) => Effect.Effect<string, never, Scope.Scope>

const get = (path: string): Door => ({ base }, token) =>
  Effect.map(api(base, token, path), ({ body }) => JSON.stringify(body))

const asked = (isStateless: boolean, method: string, params: object): Door => ({ url }, token) =>
  Effect.flatMap(
    talking(url, token, { isStateless }),
    (talk) => Effect.promise(async () => JSON.stringify((await talk.ask(method, params)).answer))
  )

const eras = [["with sessions", false], ["without", true]] as const

/** Where a caller hears of the login. `isToldAll`: whether an admin reads the address there. */
const doors: ReadonlyArray<readonly [name: string, isToldAll: boolean, door: Door]> = [
  ["GET /api/status", true, get("/api/status")],
  ["GET /api/servers/docs", true, get("/api/servers/docs")],
  ["GET /api/logs", true, get("/api/logs")],
  ["GET /api/logs?server=docs", true, get("/api/logs?server=docs")],
  ["GET /api/tools", true, get("/api/tools")],
  ["GET /api/events", true, ({ base }, token) => events(base, token)],
  ["GET /health", false, get("/health")],
  ["GET /ready", true, get("/ready")],
  ...eras.flatMap(([era, isStateless]) =>
    ([
      ["tools/call", { name: "lifeline__status", arguments: {} }],
      ["resources/read", { uri: "lifeline://status" }],
      ["tools/call", { name: "docs__ask", arguments: {} }],
      ["prompts/get", { name: "docs__ask" }],
      ["resources/read", { uri: "lifeline://docs/a%3Ab" }],
      ["completion/complete", { ref: { type: "ref/prompt", name: "docs__ask" }, argument: { name: "a", value: "" } }]
    ] as const).map(([method, params]) =>
      [
        `${method} of ${"name" in params ? params.name : "uri" in params ? params.uri : "docs__ask"} ${era}`,
        true,
        asked(isStateless, method, params)
      ] as const
    )
  )
]

describe("the login of all at a shared server", () => {
  test.scopedLive("[G22:real] no door tells its address to who is no admin; that says whom to ask", function*() {
    const at = yield* gateway
    const found: Array<readonly [string, boolean, boolean]> = []
    const wanted: typeof found = []
    for (const [name, isToldAll, door] of doors) {
      const [ofAdmin, ofOther] = [yield* door(at, "boss-token"), yield* door(at, "ci-token")]
      found.push([
        name,
        /authorize\?|[?&]state=/.test(ofAdmin),
        /https?:\/\/(?!127\.0\.0\.1:\d+\/mcp)|state=/.test(ofOther)
      ])
      wanted.push([name, isToldAll, false])
      expect([name, ofOther]).toEqual([name, expect.stringContaining("docs")])
    }
    expect(found).toEqual(wanted)
    const { body } = yield* api(at.base, "ci-token", "/api/status")
    expect(body.servers[0]).toMatchObject({
      state: "SignInNeeded",
      login: { message: "Ask an operator of the gateway to sign in to docs" },
      lastError: {
        message: "it requires a login or other credentials",
        reason: "unauthorized",
        remedy: "Ask an operator of the gateway to sign in to docs"
      }
    })
    expect(yield* asked(false, "tools/call", { name: "docs__ask", arguments: {} })(at, "ci-token"))
      .toContain("Ask an operator of the gateway to sign in to docs")
  })
})
