import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Yaml from "yaml"
import { blocksOf, pages } from "../../../../tools/snippets.mjs"
import { folder } from "../../../testing/test/support/folder.js"
import * as Program from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
}

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

interface Scrape {
  /** In milliseconds. */
  readonly at: number
  readonly series: ReadonlyArray<Sample>
}

const rules = new Map(
  pages.flatMap(blocksOf).filter(({ language }) => language === "yaml").flatMap(({ code }) => {
    const { groups = [] }: { readonly groups?: ReadonlyArray<{ readonly rules: ReadonlyArray<Rule> }> } =
      Yaml.parse(code.join("\n")) ?? {}
    return groups.flatMap(({ rules }) => rules)
  }).map((rule) => [rule.alert, rule])
)

const rule = (name: string): Rule => rules.get(name) ?? expect.unreachable(`no page has the rule ${name}`)

const minute = 60_000
const millis = (count: string, unit: string) => Number(count) * (unit === "h" ? 60 : 1) * minute

const scraped = (text: string): ReadonlyArray<Sample> =>
  [...text.matchAll(/^(\w+)\{(.*)\} (\S+)$/gm)].map(([, name = "", labels = "", value]) => ({
    name,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text]) => [key, text])),
    value: Number(value)
  }))

/** What all rules are made of: the sum, for each server, of one metric or of its increase. */
const form =
  /^sum by \(lifeline_backend\) \((increase\()?(\w+)\{(\w+)(=~|!~|=)"([^"]+)"\}(?:\[(\d+)([mh])\]\))?\) > (\d+)$/

/** The servers for which it is so now. Without Prometheus' extrapolation of an increase, which only adds to it. */
const found = (expr: string, scrapes: ReadonlyArray<Scrape>): ReadonlyArray<string> => {
  const [, increase, name, label = "", operator, text, count = "", unit = "", limit] = form.exec(expr) ??
    expect.unreachable(`${expr} is of another form`)
  const isMeant = ({ labels, name: of }: Sample) =>
    of === name && new RegExp(`^(?:${text})$`).test(labels[label] ?? "") === (operator !== "!~")
  const since = scrapes.at(-1)!.at - (increase === undefined ? 0 : millis(count, unit) - 1)
  const [before, sums] = [new Map<string, number>(), new Map<string, number>()]
  for (
    const { labels, value } of scrapes.filter(({ at }) => at >= since).flatMap(({ series }) => series.filter(isMeant))
  ) {
    const [key, server = ""] = [JSON.stringify(labels), labels["lifeline_backend"]]
    const last = before.get(key) ?? value
    // After a restart, a counter begins with 0.
    const grown = increase === undefined ? value : value < last ? value : value - last
    before.set(key, value)
    sums.set(server, (sums.get(server) ?? 0) + grown)
  }
  return [...sums].filter(([, sum]) => sum > Number(limit)).map(([server]) => server).toSorted()
}

/** The servers for which it fires at the last scrape. A rule is evaluated at each scrape. */
const firing = ({ expr, for: time = "0m" }: Rule, scrapes: ReadonlyArray<Scrape>): ReadonlyArray<string> => {
  const since = scrapes.at(-1)!.at - millis(time.slice(0, -1), time.slice(-1))
  const ends = scrapes.flatMap(({ at }, last) => at >= since ? [last + 1] : [])
  if (scrapes[0]!.at > since) return []
  const all = ends.map((end) => found(expr, scrapes.slice(0, end)))
  return all.at(-1)!.filter((server) => all.every((servers) => servers.includes(server)))
}

const chatty = Program.fixture("chatty")

/** Uses much memory, but only the first time. */
const largeOnce = (file: string) =>
  `data:text/javascript,${
    encodeURIComponent(`import { existsSync, writeFileSync } from "node:fs"
    if (!existsSync(${JSON.stringify(file)})) globalThis.large = new Uint8Array(100e6).fill(1)
    writeFileSync(${JSON.stringify(file)}, "")`)
  }`

const serversIn = (folder: string) => ({
  up: chatty,
  flapping: chatty,
  exits: { command: process.execPath, args: ["-e", "process.exit(1)"] },
  missing: { command: "/no/such/program" },
  disabled: { ...chatty, disabled: true },
  lazy: { ...chatty, lifeline: { lifecycle: { lazy: true } } },
  large: { ...chatty, args: ["--import", largeOnce(join(folder, "large")), ...chatty.args], maxMemory: "50 MB" }
})
/** A server that died is back at once. */
const lifeline = { reconnect: { initialDelay: "10 ms", maxDelay: "20 ms", stableAfter: "0 ms", maxAttempts: 3 } }

interface Server {
  readonly name: string
  readonly state: string
  readonly generation: number
  readonly pid?: number
  readonly memoryLimit?: { readonly restarts: number }
}

const gateway = Effect.gen(function*() {
  const path = yield* folder
  const config = join(path, "mcp.json")
  writeFileSync(config, JSON.stringify({ mcpServers: serversIn(path), lifeline }))
  const program = yield* Program.start(["serve", "--port", "0", "--config", config])
  const [, url = ""] = yield* program.prints(/^Serving (http:\S+)\/mcp$/m)
  const ask = (path: string, method = "GET") =>
    Effect.promise(async () => {
      const answer = await fetch(`${url}${path}`, { method, headers: { "x-lifeline": "1" } })
      expect(answer.status).toBe(200)
      return answer.text()
    })
  const servers = Effect.map(ask("/api/status"), (text): Readonly<Record<string, Server>> =>
    Object.fromEntries(
      (JSON.parse(text) as { readonly servers: ReadonlyArray<Server> }).servers.map((one) => [one.name, one])
    ))
  return {
    ask,
    servers,
    until: (is: (servers: Readonly<Record<string, Server>>) => boolean) =>
      Effect.sleep("50 millis").pipe(Effect.zipRight(servers), Effect.repeat({ until: (all) => is(all) })),
    scrape: (at: number) => Effect.map(ask("/metrics"), (text): Scrape => ({ at, series: scraped(text) }))
  }
})

describe("an alerting rule on a page", () => {
  test.scopedLive("[O2:real] fires for the servers that it is about, and for no other", function*() {
    expect([...rules.keys()]).toEqual(["McpServerFlapping", "McpServerDown", "McpServerLeaks"])
    const { ask, scrape, servers, until } = yield* gateway
    const states = {
      ...{ up: "Connected", flapping: "Connected", exits: "Dormant" },
      ...{ missing: "PermanentlyFailed", disabled: "Disabled", lazy: "Idle" }
    }
    const settled = (all: Readonly<Record<string, Server>>) =>
      Object.entries(states).every(([name, state]) => all[name]?.state === state)
    yield* until((all) =>
      settled(all) && all["large"]?.memoryLimit?.restarts === 1 && all["large"].state === "Connected"
    )
    const scrapes = [yield* scrape(0)]
    const fires = (name: string) => firing(rule(name), scrapes)

    // Every minute one server dies, and somebody reconnects another one.
    for (let minutes = 1; minutes <= 5; minutes++) {
      const { flapping, up } = yield* servers
      process.kill(flapping?.pid ?? expect.unreachable(), "SIGKILL")
      yield* ask("/api/servers/up/reconnect", "POST")
      const isNew = (before: Server | undefined, now: Server | undefined) =>
        before !== undefined && now !== undefined && now.generation > before.generation
      yield* until((all) => settled(all) && isNew(flapping, all["flapping"]) && isNew(up, all["up"]))
      expect(fires("McpServerDown")).toEqual([])
      scrapes.push(yield* scrape(minutes * minute))
    }
    expect(fires("McpServerFlapping")).toEqual(["flapping"])
    expect(fires("McpServerDown")).toEqual(["exits", "missing"])
    expect(fires("McpServerLeaks")).toEqual([])

    const last = scrapes.at(-1)!
    const stateOf = (name: string) =>
      last.series.filter((one) =>
        one.name === "lifeline_backend_state" && one.labels["lifeline_backend"] === name && one.value !== 0
      ).map(({ labels, value }) => [labels, value])
    for (const [name, state] of Object.entries(states)) {
      expect(stateOf(name)).toEqual([[{ lifeline_backend: name, lifeline_state: state }, 1]])
    }
    const restarts = last.series.filter(({ labels, name }) =>
      name === "lifeline_backend_reconnects_total" && labels["lifeline_cause"] === "memory"
    )
    expect(restarts.map(({ labels }) => labels["lifeline_backend"])).toEqual(["large"])

    // Restarts because of memory are a minute apart, so these are as three more of them would make them.
    const later = last.series.map((one) =>
      one.labels["lifeline_cause"] === "memory" ? { ...one, value: one.value + 3 } : one
    )
    scrapes.push({ at: 45 * minute, series: later })
    expect(fires("McpServerLeaks")).toEqual(["large"])

    yield* ask("/api/servers/exits/disable", "POST")
    yield* until((all) => all["exits"]?.state === "Disabled")
    scrapes.push(yield* scrape(46 * minute))
    expect(fires("McpServerDown")).toEqual(["missing"])
  }, 1_500_000)
})
