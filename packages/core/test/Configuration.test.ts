/** Holds docs/reference/options.md and tools.md to the code. */
import { describe, expect, it } from "@effect/vitest"
import { Policy } from "@mcp-lifeline/core"
import { type ListFilter, ServerOptions } from "@mcp-lifeline/extensions"
import { Either } from "effect"
import { readFileSync } from "node:fs"

type Names<Options> = { readonly [K in keyof Required<Options>]: true }

const options: {
  readonly [G in Exclude<keyof Policy.PolicyOptions, "tools" | "prompts" | "resources">]: Names<
    NonNullable<Policy.PolicyOptions[G]>
  >
} = {
  keepalive: {
    method: true,
    toolArguments: true,
    interval: true,
    timeout: true,
    fallbackAfter: true,
    failureThreshold: true,
    suspectInterval: true,
    reprobeAfter: true,
    idleTtl: true,
    authenticated: true
  },
  reconnect: {
    auto: true,
    initialDelay: true,
    factor: true,
    maxDelay: true,
    maxAttempts: true,
    stableAfter: true,
    dormantProbe: true,
    maxRetryAfter: true,
    demandInterval: true,
    overlap: true
  },
  timeouts: { connect: true, request: true, wait: true, close: true, drain: true },
  health: { busyLimit: true, enforce: true },
  calls: {
    retry: true,
    trustAnnotations: true,
    failFast: true,
    afterSessionLoss: true,
    afterRefusal: true,
    callId: true,
    tasks: true,
    maxInFlight: true,
    concurrency: true,
    maxWaiting: true,
    progressInterval: true
  },
  lifecycle: { lazy: true, idleRelease: true, disabled: true },
  discovery: {
    mode: true,
    refreshInterval: true,
    minRefreshInterval: true,
    maxPages: true,
    maxEntries: true,
    maxDepth: true
  }
}

const toolOptions: Names<Policy.ToolOptions> = { timeout: true, retry: true, concurrency: true, idempotent: true }

const filters: Names<ListFilter> = { hide: true, only: true }
const filtered = ["tools", "prompts", "resources"] as const

interface Row {
  readonly fallback: string
  readonly accepted: string
}

/** The rows whose first cell is an option with its group. What `lifeline` has belongs to the gateway. */
const document = ["options", "tools"]
  .map((name) => readFileSync(new URL(`../../../docs/reference/${name}.md`, import.meta.url), "utf8")).join("\n")

const entries = document.split("\n").flatMap((line) => {
  const [, name, fallback = "", accepted = ""] =
    /^\| `((?!lifeline\.)\w+\.(?:<name>\.)?\w+)` \| ([^|]*) \| ([^|]*) \|/.exec(line) ?? []
  return name === undefined ? [] : [[name, { fallback, accepted }] as const]
})

const rows: ReadonlyMap<string, Row> = new Map(entries)

const all = Object.entries(options).flatMap(([group, names]) =>
  Object.keys(names).map((name) => ({ group, name, key: `${group}.${name}` }))
)

const decode = (group: string, name: string, value: unknown) =>
  Policy.decode("one", { [group]: { [name]: value } } as Policy.PolicyOptions)

const valueOf = (policy: Policy.Policy, group: string, name: string): unknown =>
  (policy as unknown as Record<string, Record<string, unknown>>)[group]?.[name]

describe("the tables of options", () => {
  it("[R1] have a row for every option, and for nothing else", () => {
    const tools = Object.keys(toolOptions).map((name) => `tools.<name>.${name}`)
    const lists = filtered.flatMap((group) => Object.keys(filters).map((name) => `${group}.${name}`))
    expect(entries.map(([name]) => name).toSorted()).toEqual(
      [...all.map(({ key }) => key), ...tools, ...lists].toSorted()
    )
  })

  it.each(Object.keys(toolOptions))("[K5] say what tools.<name>.%s accepts, in the words of its error", (name) => {
    const refused = Either.getOrThrow(Either.flip(decode("tools", "write_*", { [name]: Number.NaN })))
    const accepted = rows.get(`tools.<name>.${name}`)?.accepted
    expect(refused.message).toBe(`one: tools.write_*.${name} is NaN; accepted: ${accepted}`)
  })

  it.each(filtered.flatMap((group) => Object.keys(filters).map((name) => ({ group, name }))))(
    "[K5] say what $group.$name accepts, in the words of its error",
    ({ group, name }) => {
      const accepted = rows.get(`${group}.${name}`)?.accepted
      expect(ServerOptions.problems({ [group]: { [name]: Number.NaN } })).toEqual([
        { path: [group, name], message: `is a number; accepted: ${accepted}` }
      ])
    }
  )

  it.each(all)("[R1] say the default of $key", ({ group, key, name }) => {
    const fallback = rows.get(key)?.fallback ?? "no row"
    // What has no default of its own is told in words.
    const literal = /^`([^`]*)`$/.exec(fallback)?.[1]
    const told = literal === undefined ? {} : { [name]: JSON.parse(literal) as unknown }
    const policy = Either.getOrThrow(Policy.decode("one", { [group]: told }))
    expect(valueOf(policy, group, name)).toEqual(valueOf(Policy.defaults, group, name))
    expect(literal === undefined).toBe(valueOf(Policy.defaults, group, name) === undefined && fallback !== '`"never"`')
  })

  it.each(all)("[K5] say what $key accepts, in the words of its error", ({ group, key, name }) => {
    const refused = Either.getOrThrow(Either.flip(decode(group, name, Number.NaN)))
    expect(refused.message).toBe(`one: ${key} is NaN; accepted: ${rows.get(key)?.accepted}`)
  })
})
