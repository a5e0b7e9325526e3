import { Exit, FiberId } from "effect"
import { assert, describe, it } from "vitest"
import { render, renderServer } from "../../src/commands/StatusView.js"
import { CallCounts } from "../../src/http-api/CallCounts.js"
import type { GatewayStatus } from "../../src/http-api/GatewayStatus.js"
import { serverOf } from "../support/MadeUpReplica.js"

const status = (calls: GatewayStatus["servers"][number]["calls"]): GatewayStatus => ({
  gateway: { name: "mcp-lifeline", version: "1", url: "http://127.0.0.1:1/mcp", pid: 1, startedAt: 0, clients: 1 },
  servers: [serverOf("stub", { since: 0, calls })]
})

const { gateway, servers } = status(new CallCounts().counts)
const [stub] = servers

const options = { now: 1000, width: 200, colour: false }

const shown = (counts: CallCounts): string =>
  render(status(counts.counts), options).split("\n").find((line) => line.includes("stub")) ?? ""

describe("status", () => {
  it("[H9] calls that their clients gave up stand beside those that failed", () => {
    const counts = new CallCounts()
    const end = (exit: Exit.Exit<unknown, unknown>): void => {
      counts.begin()
      counts.end(exit, 1)
    }
    end(Exit.succeed({}))
    assert.include(shown(counts), "│ 1 ")
    end(Exit.fail("no"))
    end(Exit.interrupt(FiberId.none))
    end(Exit.interrupt(FiberId.none))
    assert.deepInclude(counts.counts, { total: 4, failed: 1, givenUp: 2, inFlight: 0 })
    assert.include(shown(counts), "4 (2 given up)")
    counts.begin()
    assert.include(shown(counts), "5 (1 in flight, 2 given up)")
  })

  it("[G16] of a server that is disabled no old error is shown, with what to do about that", () => {
    const lastError = { message: "was killed by SIGKILL", remedy: "Enable it.", at: 0 }
    const shown = (state: NonNullable<typeof stub>["state"]): string =>
      render({ gateway, servers: [{ ...stub!, state, lastError }] }, options)
    assert.include(shown("PermanentlyFailed"), "stub: was killed by SIGKILL")
    for (const state of ["Disabling", "Disabled"] as const) assert.notInclude(shown(state), "SIGKILL")
  })

  it("[V9] what was learned of a server is a line below its row", () => {
    const learned = ["ignores pings", "has taken 2s to start"]
    assert.include(renderServer({ ...stub!, learned }, options), `\nstub: ${learned.join(", ")}`)
  })

  it("[H10:virtual] the score of each server, of each client's too, and why keepalive does not run", () => {
    const off = { state: "off", reason: "the server keeps no session" } as const
    const one = { ...stub!, health: "UNHEALTHY", healthScore: 0.533, keepalive: off } as const
    assert.match(render({ gateway, servers: [one] }, options), /health.*\n.*\n.*stub.*│ 0\.53 /)
    assert.include(renderServer(one, options), "stub: keepalive is off: the server keeps no session")
    const connected = { number: 1, state: "Connected", since: 0, generation: 1 } as const
    const runtimes = [{ ...connected, healthScore: 0.25, keepalive: { state: "running" } }] as const
    const { health: _0, healthScore: _1, keepalive: _2, ...own } = one
    assert.match(renderServer({ ...own, runtimesByState: { Connected: 1 }, runtimes }, options), /0\.25 .*running/)
  })

  it("[G22] a member of the gateway, who gets neither file nor process, is not shown a demo", () => {
    const { pid: _, ...forMembers } = gateway
    const first = (gateway: GatewayStatus["gateway"]): string | undefined =>
      render({ gateway, servers }, options).split("\n")[0]
    const known = "mcp-lifeline 1 at http://127.0.0.1:1/mcp"
    assert.strictEqual(first(gateway), `${known}, pid 1, up 1 s, 1 client, without a file`)
    assert.strictEqual(first({ ...gateway, config: "/a/mcp.json" }), `${known}, pid 1, up 1 s, 1 client, /a/mcp.json`)
    assert.strictEqual(first(forMembers), `${known}, up 1 s, 1 client`)
  })

  it("[G21 G26 G5] what is wrong with keys, tokens or the last save stands above the servers", () => {
    const problems = { authProblem: "no keys", tokenProblem: "the same", configProblem: "no JSON" }
    const [, ...lines] = render({ gateway: { ...gateway, ...problems }, servers }, options).split("\n")
    const saved = "The last save, or a part of it, is not in force: no JSON"
    assert.deepEqual(lines.slice(0, 3), ["Access tokens: no keys", "Tokens of clients: the same", saved])
  })

  it("[G23] what keeps calls from being recorded stands above the servers, without control sequences, and so does how many were not", () => {
    const lines = (audit: NonNullable<GatewayStatus["gateway"]["audit"]>): ReadonlyArray<string> =>
      render({ gateway: { ...gateway, audit }, servers }, options).split("\n").filter((one) => one.startsWith("Audit"))
    assert.deepEqual(lines({ file: "f", lost: 0 }), [])
    const shown = ["Audit: f cannot be written", "Audit: 1 call has no line in f"]
    assert.deepEqual(lines({ file: "f\u001b[31m", lost: 1, problem: "f\u001b[31m cannot be written" }), shown)
    assert.deepEqual(lines({ file: "f", lost: 2 }), ["Audit: 2 calls have no line in f"])
  })

  it("[S13] memory and processor time have columns once any server is measured", () => {
    const shown = (...usages: ReadonlyArray<NonNullable<typeof stub>["usage"]>): string =>
      render({ gateway, servers: usages.map((usage, index) => ({ ...stub!, name: `s${index}`, usage })) }, options)
    assert.notInclude(shown(undefined), "memory")
    const lines = shown({ memoryBytes: 152_300_000, cpuPercent: 3.46 }, undefined, { memoryBytes: 1, cpuPercent: null })
    assert.match(lines, /p50 +│ memory +│ cpu +│ target/)
    assert.match(lines, /s0 .*│ 152 MB +│ 3\.5% +│ stub/)
    assert.match(lines, /s1 .*│ +│ +│ stub/)
    assert.match(lines, /s2 .*│ 1 B +│ +│ stub/)
  })

  it("[D8] the replicas stand above the servers, with those that are not reached; a column has the owners", () => {
    const servers = [{ ...stub!, owner: { replica: "aaaaaaaa", since: 0 } }, { ...stub!, name: "free" }]
    const here = {
      id: "aaaaaaaa",
      address: "http://a",
      isHere: true,
      state: "reached",
      since: 0,
      startedAt: 0
    } as const
    const replicas = [
      { ...here, clients: 2, servers: ["stub", "other"] },
      { id: "bbbbbbbb", address: "http://b", isHere: false, state: "not reached", since: 400_000, problem: "away" }
    ] as const
    const lines = (width: number): ReadonlyArray<string> =>
      render({ gateway, replicas, servers }, { now: 600_000, width, colour: false }).split("\n")
    const text = lines(200).join("\n").replaceAll(/ +/g, " ")
    assert.include(text, "│ aaaaaaaa (asked) │ reached │ 10 min 0 s │ 10 min 0 s │ 2 │ 2 │ http://a │")
    assert.match(text, /│ bbbbbbbb │ not reached │ 3 min[^│]*│ │ │ │ http:\/\/b │/)
    assert.include(text, "The replica bbbbbbbb at http://b is not reached: away")
    assert.match(text, /│ stub │ Connected │.*│ aaaaaaaa 10 min 0 s │ stub │/)
    assert.match(text, /│ free │ Connected │.*│ │ stub │/)
    const alone = render(status(new CallCounts().counts), options)
    assert.notInclude(alone, "owner")
    assert.notInclude(alone, "replica")
  })
})
