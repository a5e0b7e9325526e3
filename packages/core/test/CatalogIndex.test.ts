import type { Catalog } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import * as fc from "fast-check"
import { isDeepStrictEqual } from "node:util"
import { describe, expect, it } from "vitest"
import { kinds } from "../src/catalog/Kind.js"
import * as Template from "../src/catalog/Template.js"
import { CatalogIndex } from "../src/fleet/CatalogIndex.js"
import * as Claim from "../src/fleet/Claim.js"
import { difference, type FleetCatalog, listsSame } from "../src/fleet/FleetCatalog.js"
import * as Names from "../src/fleet/names.js"
import { snapshot } from "./support/Snapshot.js"

const ids = ["a", "a__b", "b c", "lifeline"]
const names = [
  "x",
  "b__x",
  "x y",
  Names.otherName("a__b", "x").slice("a__".length),
  Names.fullName("a", "x y").slice("a__".length)
]
const scoped = ["a", "b c", "gone"].map((id) => Names.scopedUri(id, "u:1")!)
const uris = ["u:1", "u:2", ...scoped]
const templates = ["u:{x}", "u:1{x}", "{x}:1", "v:{x}", "Lifeline:{x}", "{+x}"]

type Snapshot = Catalog.Snapshot

const listed = (of: ReadonlyArray<string>) => fc.shuffledSubarray([...of])

const snapshots: fc.Arbitrary<Snapshot | undefined> = fc.option(
  fc.record({
    tools: listed(names),
    prompts: listed(names),
    resources: listed(uris),
    resourceTemplates: listed(templates),
    stale: fc.boolean(),
    description: fc.constantFrom("one", "other"),
    problem: fc.boolean()
  }),
  { nil: undefined, freq: 4 }
).map((made) =>
  made && snapshot({
    tools: made.tools.map((name) => ({ ...ScriptedConnector.tool(name), description: made.description })),
    prompts: made.prompts.map((name) => ({ name })),
    resources: made.resources.map((uri) => ({ name: "r", uri })),
    resourceTemplates: made.resourceTemplates.map((uriTemplate) => ({ name: "t", uriTemplate })),
    stale: made.stale,
    problems: made.problem ? [{ backend: "?", kind: "tools", name: "", message: "bad" }] : []
  })
)

interface Edit {
  readonly kind: Catalog.Kind
  readonly entry: number
  readonly first: boolean
}

const editable: { readonly [K in Catalog.Kind]: ReadonlyArray<Catalog.Lists[K][number]> } = {
  tools: names.map((name) => ScriptedConnector.tool(name)),
  prompts: names.map((name) => ({ name })),
  resources: uris.map((uri) => ({ name: "r", uri })),
  resourceTemplates: templates.map((uriTemplate) => ({ name: "t", uriTemplate }))
}

const edited = (before: Snapshot, { entry, first, kind }: Edit): Snapshot => {
  const pool: ReadonlyArray<{ readonly name: string; readonly uri?: string; readonly uriTemplate?: string }> =
    editable[kind]
  const one = pool[entry % pool.length]!
  const same = (other: typeof one) => (["name", "uri", "uriTemplate"] as const).every((key) => other[key] === one[key])
  const list: ReadonlyArray<typeof one> = before[kind]
  const others = list.filter((other) => !same(other))
  return {
    ...before,
    [kind]: first ? [one, ...others] : others.length < list.length ? others : [...others, one]
  }
}

const id = fc.constantFrom(...ids)

const step = fc.record({
  change: fc.oneof(
    { weight: 2, arbitrary: fc.record({ do: fc.constant("offer" as const), id, snapshot: snapshots }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("edit" as const),
        id,
        kind: fc.constantFrom(...kinds),
        entry: fc.nat(4),
        first: fc.boolean()
      })
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("stale" as const), id, stale: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("prefix" as const),
        id,
        prefix: fc.constantFrom("", "a__", "lifeline__", `${"p".repeat(63)}`, "b c__")
      })
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("arrange" as const), ids: listed(ids), replace: listed(ids) }) }
  ),
  read: fc.boolean()
})

interface Wish {
  readonly backend: string
  readonly kind: Catalog.Kind
  readonly original: string
  readonly plain: string
  readonly wanted: string
  readonly other: string | undefined
  readonly stale: boolean
  readonly value: (key: string) => unknown
}

const wishesOf = (
  id: string,
  { prompts, resourceTemplates, resources, stale, tools }: Snapshot,
  prefix: string
): Array<Wish> => [
  ...(["tools", "prompts"] as const).flatMap((kind) =>
    (kind === "tools" ? tools : prompts).map((value) => ({
      backend: id,
      kind,
      original: value.name,
      plain: prefix + value.name,
      wanted: Names.fullName(id, value.name, prefix),
      other: Names.otherName(id, value.name),
      stale,
      value: (name: string) => ({ ...value, name })
    }))
  ),
  ...resources.map((value) => ({
    backend: id,
    kind: "resources" as const,
    original: value.uri,
    plain: value.uri,
    wanted: value.uri,
    other: Names.scopedUri(id, value.uri),
    stale,
    value: (uri: string) => ({ ...value, uri })
  })),
  ...resourceTemplates.map((value) => ({
    backend: id,
    kind: "resourceTemplates" as const,
    original: value.uriTemplate,
    plain: value.uriTemplate,
    wanted: value.uriTemplate,
    other: undefined,
    stale,
    value: () => value
  }))
]

/** The catalogue by the rule, from the beginning, without a thought for the costs. */
const fromScratch = (fleet: ReadonlyArray<readonly [string, Snapshot | undefined, string]>) => {
  const isReserved = ({ kind, wanted }: Wish) =>
    kind === "tools" || kind === "prompts" ? wanted.startsWith("lifeline__") : /^lifeline:/i.test(wanted)
  const wishes = fleet.flatMap(([id, one, prefix]) => one === undefined ? [] : wishesOf(id, one, prefix))
    .filter((wish) => !isReserved(wish))
  const same = (a: Wish, b: Wish) => a.kind === b.kind
  const hasWanted = (wish: Wish) => wishes.find((one) => same(one, wish) && one.wanted === wish.wanted) === wish
  const keyOf = (wish: Wish): string | undefined => {
    if (hasWanted(wish)) return wish.wanted
    const { other } = wish
    if (other === undefined || wishes.some((one) => same(one, wish) && one.wanted === other)) return undefined
    return wishes.find((one) => same(one, wish) && one.other === other && !hasWanted(one)) === wish ? other : undefined
  }
  const entries = Object.fromEntries(kinds.map((kind) => [
    kind,
    wishes.filter((wish) => wish.kind === kind).flatMap((wish) => {
      const key = keyOf(wish)
      const { backend, original, stale, value } = wish
      return key === undefined ? [] : [[key, { backend, original, stale, value: value(key) }] as const]
    })
  ])) as unknown as {
    readonly [K in Catalog.Kind]: ReadonlyArray<
      readonly [string, { readonly backend: string; readonly original: string; readonly value: unknown }]
    >
  }
  const problems = fleet.flatMap(([id, one, prefix]) =>
    one === undefined ? [] : [
      ...one.problems.map(({ message }) => message),
      ...wishesOf(id, one, prefix).flatMap((wish) => {
        if (isReserved(wish)) {
          const whose = wish.kind === "tools" || wish.kind === "prompts"
            ? "names that begin with lifeline__ are Lifeline's own; give the server another name, or another prefix"
            : "URIs that begin with lifeline: are Lifeline's own"
          return [`${id} offers ${JSON.stringify(wish.original)}, which is left out: ${whose}`]
        }
        const mine = wishes.find((other) =>
          same(other, wish) && other.backend === id && other.original === wish.original
        )!
        if (hasWanted(mine)) {
          if (mine.wanted === mine.plain) return []
          const why = mine.plain.length > 64
            ? "is longer than the 64 characters that hosts accept"
            : "has characters that hosts do not accept"
          return [
            `${id} offers ${JSON.stringify(wish.original)}, which with its prefix ${why}; it is offered as ${
              JSON.stringify(mine.wanted)
            }`
          ]
        }
        const key = keyOf(mine)
        const holder = wishes.find((other) => same(other, wish) && other.wanted === wish.wanted)!
        return [
          `${id} offers ${JSON.stringify(wish.original)}, which ${holder.backend} has under the name ${
            JSON.stringify(wish.wanted)
          }; ${key === undefined ? "it is left out" : `it is offered as ${JSON.stringify(key)}`}`
        ]
      })
    ]
  )
  return { entries, problems }
}

type Scratch = ReturnType<typeof fromScratch>

const plain = (catalog: FleetCatalog) => ({
  entries: Object.fromEntries(kinds.map((kind) => [kind, [...catalog[kind]]])),
  problems: catalog.problems.map(({ message }) => message)
})

const differenceOf = (before: Scratch, after: Scratch) => {
  const found = { added: [] as Array<string>, removed: [] as Array<string>, changed: [] as Array<string> }
  for (const kind of kinds) {
    const old = new Map(before.entries[kind])
    const now = new Map(after.entries[kind])
    for (const [key, { backend, value }] of now) {
      const was = old.get(key)
      if (was === undefined) found.added.push(`${kind} ${key}`)
      else if (was.backend !== backend || JSON.stringify(was.value) !== JSON.stringify(value)) {
        found.changed.push(`${kind} ${key}`)
      }
    }
    for (const key of old.keys()) if (!now.has(key)) found.removed.push(`${kind} ${key}`)
  }
  return found
}

const bare = (keys: ReadonlyArray<string>) => keys.map((key) => key.replace(/^\w+ /, "")).toSorted()

describe("the index of a fleet's names", () => {
  it("[P6, P7] after any changes it says what the catalogue made from the beginning says, and what was read before stays", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), (steps) => {
        const index = new CatalogIndex()
        let owners: ReadonlyArray<Claim.Source> = []
        /** Where names of a backend led when it was last read with a snapshot. */
        const last = new Map<string, ReadonlyMap<string, string>>()
        const arrange = (wanted: ReadonlyArray<string>, replace: ReadonlyArray<string>) => {
          const before = new Map(owners.map((owner) => [owner.id, owner]))
          owners = wanted.map((id) => (replace.includes(id) ? undefined : before.get(id)) ?? new Claim.Source(id))
          index.arrange(owners)
          for (const id of last.keys()) if (!wanted.includes(id)) last.delete(id)
        }
        arrange(ids, [])
        let before = index.catalog
        let scratch = fromScratch([])
        const read = () => {
          const catalog = index.catalog
          const now = fromScratch(owners.map(({ id, latest, prefix }) => [id, latest, prefix]))
          expect(plain(catalog)).toEqual(now)
          expect(index.catalog).toBe(catalog)
          // One expectation for all: a million of them would take longer than what they look at.
          const wrong: Array<string> = []
          for (const kind of kinds) {
            const listed = catalog[kind]
            if (listed.size !== now.entries[kind].length) wrong.push(`the size of ${kind}: ${listed.size}`)
            for (const [key, entry] of now.entries[kind]) {
              if (!listed.has(key) || !isDeepStrictEqual(listed.get(key), entry)) wrong.push(`${kind} ${key}`)
            }
            if (listed.has("nobody has this")) wrong.push(`${kind}: what nobody has`)
          }
          expect(wrong).toEqual([])
          expect(plain(before)).toEqual(scratch)
          const found = difference(before, catalog)
          const expected = differenceOf(scratch, now)
          expect([found.added, found.removed, found.changed].map((keys) => keys.toSorted())).toEqual(
            [expected.added, expected.removed, expected.changed].map(bare)
          )
          const textsOf = (of: Scratch, kind: Catalog.Kind) =>
            of.entries[kind].map(([, { value }]) => JSON.stringify(value))
          const sameText = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
          expect(kinds.filter((kind) => !listsSame(kind, before, catalog, sameText))).toEqual(
            kinds.filter((kind) => !isDeepStrictEqual(textsOf(scratch, kind), textsOf(now, kind)))
          )
          before = catalog
          scratch = now
          routes(now)
        }
        const routes = (now: Scratch) => {
          for (const { id, latest } of owners) {
            if (latest === undefined) continue
            const led = (["tools", "prompts", "resources"] as const).flatMap((kind) =>
              now.entries[kind].flatMap(([key, { backend, original }]) =>
                backend === id ? [[`${kind} ${key}`, original] as const] : []
              )
            )
            last.set(id, new Map(led))
          }
          const wrong: Array<unknown> = []
          const withdrawn = owners.flatMap(({ id, latest }) => latest === undefined ? [id] : [])
          for (const kind of ["tools", "prompts", "resources"] as const) {
            const keys = new Set([
              ...now.entries[kind].map(([key]) => key),
              ...uris,
              "u:3",
              "v:1",
              "w:1",
              "w:2",
              "lifeline://status",
              "LIFELINE:x",
              "lifeline__x"
            ])
            for (const led of last.values()) {
              for (const key of led.keys()) if (key.startsWith(`${kind} `)) keys.add(key.slice(kind.length + 1))
            }
            for (const key of keys) {
              const scoped = kind === "resources" ? Names.parseScopedUri(key) : undefined
              const live = now.entries[kind].find(([one]) => one === key)?.[1]
              const gone = withdrawn.flatMap((id) => {
                const original = last.get(id)?.get(`${kind} ${key}`)
                return original === undefined ? [] : [{ backend: id, original }]
              })
              const template = kind === "resources"
                ? now.entries.resourceTemplates.find(([one]) => Template.matches(one, key))?.[1].backend
                : undefined
              const named = scoped !== undefined && owners.some(({ id }) => id === scoped.backend)
                ? [{ backend: scoped.backend, original: scoped.uri }]
                : kind === "resources" && /^lifeline:/i.test(key)
                ? [undefined]
                : live !== undefined
                ? [{ backend: live.backend, original: live.original }]
                : gone.length > 0
                ? gone
                : [template && { backend: template, original: key }]
              const led = index.route(kind, key)
              if (!named.some((one) => isDeepStrictEqual(one, led))) wrong.push({ key: `${kind} ${key}`, led, named })
            }
          }
          expect(wrong).toEqual([])
        }
        for (const { change, read: reads } of steps) {
          if (change.do === "arrange") arrange(change.ids, change.replace)
          else {
            const owner = owners.find((one) => one.id === change.id)
            if (owner === undefined) continue
            if (change.do === "prefix") {
              // The names that led to it are forgotten with its prefix.
              if (owner.prefix !== change.prefix) last.delete(owner.id)
              index.rename(owner, change.prefix)
            } else if (change.do === "offer") index.offer(owner, change.snapshot)
            else if (change.do === "edit") index.offer(owner, edited(owner.latest ?? snapshot({}), change))
            else if (owner.latest !== undefined) index.offer(owner, { ...owner.latest, stale: change.stale })
          }
          if (reads) read()
        }
        read()
      }),
      { numRuns: 150 }
    )
  })

  it("[P10] what one backend changes leaves the entries of the others as they are", () => {
    const index = new CatalogIndex()
    const owners = ["a", "b"].map((id) => new Claim.Source(id))
    index.arrange(owners)
    for (const owner of owners) index.offer(owner, snapshot({ tools: [ScriptedConnector.tool("x")] }))
    const before = index.catalog
    index.offer(owners[0]!, snapshot({ tools: [ScriptedConnector.tool("y")] }))
    const after = index.catalog
    expect([...after.tools.keys()]).toEqual(["a__y", "b__x"])
    expect(after.tools.get("b__x")).toBe(before.tools.get("b__x"))
    expect(after.shares[1]).toBe(before.shares[1])
    expect([...before.tools.keys()]).toEqual(["a__x", "b__x"])
  })
})
