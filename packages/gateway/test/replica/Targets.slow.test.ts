import { Effect } from "effect"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { raw, statusOf } from "../../../http-server/test/support/raw.js"
import { describeCluster, ManyGateways } from "../support/ManyGateways.js"
import { fixture } from "../support/Program.js"

const patience = 300_000
const host = "mcp.example.com"
const token = "token-of-all-replicas"

describeCluster("targets of requests at a cluster", () => {
  let all: ManyGateways
  beforeAll(async () => {
    vi.stubEnv("MCP_LIFELINE_TOKEN", token)
    all = await ManyGateways.start(2, {
      servers: [],
      entries: { chatty: fixture("chatty") },
      args: () => ["--public-url", `https://${host}`],
      lease: "1min"
    })
  }, patience)
  afterAll(async () => {
    vi.unstubAllEnvs()
    await all[Symbol.asyncDispose]()
  }, patience)

  const get = (port: number, target: string, ...headers: ReadonlyArray<string>) =>
    Effect.runPromise(raw(port, [`GET ${target} HTTP/1.1`, `Host: ${host}`, ...headers].join("\r\n")))

  it("[X6:real D4] none of them leads a stranger to another path than the one that was checked", async () => {
    const [first] = all.replicas
    const { clusterPort, port } = first!
    const aims = ["api/status", "api/servers/chatty", "api/log", "metrics", "api/call"]
    const open = ["/login", "/login/callback", "/", "/health", "/ready", "/.well-known"]
    const steps = ["..", "%2e%2e", "%2E.", ".", ".%2e/..", "..%2f", "..%5c", "..\\", "x/../..", "%2f.."]
    const targets = open.flatMap((path) => steps.flatMap((step) => aims.map((aim) => `${path}/${step}/${aim}`)))
    const odd = [...targets, "//api/status", "/\\api/status", `http://${host}/api/status`, "*", "/login//api/status"]
    const found: Array<readonly [string, string]> = []
    for (const target of odd) {
      const answer = await get(port, target)
      const status = statusOf(answer)
      if (![400, 401, 403, 404].includes(status) || /chatty|lifeline_/.test(answer)) found.push([target, answer])
    }
    expect(found).toEqual([])
    for (const target of ["/cluster/logins/api/status", "/cluster/gateway/api/status"]) {
      expect(statusOf(await get(clusterPort, target))).toBe(403)
    }
    expect(await get(port, "/api/status", `Authorization: Bearer ${token}`)).toContain("chatty")
  })
})
