import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { stringify as toToml } from "smol-toml"
import { Document, stringify as toYaml, visit } from "yaml"
import { bySize } from "../../../testing/test/support/bySize.js"
import type { Step } from "../../src/adopt/Copies.js"
import * as Entries from "../../src/adopt/Entries.js"
import * as Plan from "../../src/adopt/Plan.js"
import { undo } from "../../src/adopt/Undo.js"
import * as Json from "../../src/document/Json.js"
import type { Syntax } from "../../src/document/Syntax.js"
import * as Toml from "../../src/document/Toml.js"
import * as Tree from "../../src/document/Tree.js"
import * as Value from "../../src/document/Value.js"
import * as Yaml from "../../src/document/Yaml.js"

const runs = { numRuns: bySize(25, 150) }

const word = fc.oneof(
  fc.constantFrom("x", "-y", "--", "a b", "#", "//", "yes", "'", '"', "\\", "é", "1", ",", "]", ": "),
  fc.string({ unit: "grapheme" })
)
const name = fc.constantFrom("one", "two", "with.dot", "with space", "é", "1", "-")
const headers = fc.dictionary(fc.constantFrom("Authorization", "X-Key", "x.key", "A"), word, { maxKeys: 3 })
const command = fc.constantFrom("npx", "/opt/my server/run", "uvx")

const started = fc.record({
  command,
  args: fc.array(word, { minLength: 1, maxLength: 3 }),
  env: fc.dictionary(fc.constantFrom("A", "B_C"), word),
  cwd: fc.constantFrom("/srv", ".")
}, { requiredKeys: ["command", "args"] })
const remote = fc.record({
  type: fc.constantFrom("http", "sse"),
  url: fc.constant("https://a.example/mcp"),
  headers,
  env: fc.dictionary(fc.constantFrom("A", "B_C"), word),
  oauth: fc.constant(false),
  timeout: fc.nat()
}, { requiredKeys: ["url"] })
const servers = fc.dictionary(name, fc.oneof(started, remote), { minKeys: 1, maxKeys: 4 })

/** JSON with blanks, line ends, comments and trailing commas wherever they may be. */
const print = (value: unknown, gap: () => string, hasTrailing: () => boolean): string => {
  const between = (open: string, items: ReadonlyArray<string>, close: string) =>
    `${open}${items.map((item) => `${gap()}${item}${gap()}`).join(",")}${
      items.length > 0 && hasTrailing() ? "," : ""
    }${gap()}${close}`
  if (Array.isArray(value)) return between("[", value.map((item) => print(item, gap, hasTrailing)), "]")
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const pairs = Object.entries(value).map(([key, one]) =>
    `${JSON.stringify(key)}${gap()}:${gap()}${print(one, gap, hasTrailing)}`
  )
  return between("{", pairs, "}")
}

/** Without indentation, which a host may have changed. */
const lines = (text: string): string => text.replaceAll(/^[ \t]+/gm, "")

/** The host has printed the file anew, and somebody has edited one of its servers. */
const expectKept = (
  steps: ReadonlyArray<Step>,
  syntax: Syntax,
  where: ReadonlyArray<ReadonlyArray<string>>,
  print: (value: unknown) => string,
  which: number
) => {
  const { after, before: text, done } = steps[0]!
  const now = syntax.value(after)
  const entries = Entries.read(now, where)
  const edited = entries[which % entries.length]!
  const edit = new Map([...edited.value as Value.Table, ["edited", true]])
  const withEdit = (root: Value.Value) => ({ ...Value.plain(Value.put(root, edited.path, edit)) as object, more: 1 })
  const back = undo(print(withEdit(now)), steps, [], syntax)
  expect(back.steps.flatMap(({ done }) => done)).toEqual(done.filter(({ name }) => name === edited.name))
  for (const { name, outcome, reason } of back.servers) {
    const isEdited = name === edited.name
    expect([outcome, reason]).toEqual(isEdited ? ["not unwrapped", "it was changed since"] : ["unwrapped", undefined])
    if (isEdited) continue
    const { path } = entries.find((one) => one.name === name)!
    for (const { end, start } of Tree.spans({ text, root: syntax.tree(text), path })) {
      expect(lines(back.text)).toContain(lines(text.slice(start, end)))
    }
  }
  expect(Value.plain(syntax.value(back.text))).toEqual(withEdit(syntax.value(text)))
}

const roundTrip = (
  text: string,
  syntax: Syntax,
  where: ReadonlyArray<ReadonlyArray<string>>,
  print: (value: unknown) => string,
  which: number,
  platform: NodeJS.Platform = "linux"
): Plan.Plan => {
  const npx = ["npx", "-y", "mcp-lifeline"] as const
  const options: Plan.Options = { platform, launcher: platform === "win32" ? ["cmd", "/c", ...npx] : npx, only: [] }
  const plan = Plan.wrap(text, syntax, where, options)
  const again = Plan.wrap(plan.text, syntax, where, options)
  expect(again.text).toBe(plan.text)
  expect(again.servers.filter(({ outcome }) => outcome === "wrapped")).toEqual([])
  const steps = [{ before: text, after: plan.text, done: plan.done, isAdvised: false }]
  expect(undo(`${plan.text}\n`, steps, [], syntax)).toMatchObject({ text: `${text}\n`, steps: [] })
  expectKept(steps, syntax, where, print, which)
  return plan
}

const unexpected = ({ servers }: Plan.Plan) =>
  servers.filter(({ outcome, reason }) =>
    outcome === "left" && !/comment|name of a header|headers is written in an unusual way/.test(reason ?? "")
  )

const ofJson = (value: unknown): string => JSON.stringify(value, null, 4)

interface Parsed {
  readonly mcpServers: Readonly<Record<string, { readonly args?: unknown }>>
}

const expectWrapped = (plan: Plan.Plan, before: Readonly<Record<string, object>>, after: Parsed["mcpServers"]) => {
  for (const { name, outcome } of plan.servers) {
    const entry = before[name] as { readonly command?: string; readonly args?: ReadonlyArray<string> }
    if (outcome !== "wrapped" || entry.command === undefined) continue
    expect(after[name]?.args).toEqual(["-y", "mcp-lifeline", "wrap", "--", entry.command, ...entry.args ?? []])
  }
}

/** In JSON with these gaps, whose comments stay. */
const written = <A extends object>(
  servers: fc.Arbitrary<A>,
  gap: fc.Arbitrary<string>,
  more: object,
  comment: RegExp,
  check: (servers: A, plan: Plan.Plan) => void,
  platform?: NodeJS.Platform
) => {
  const [gaps, trailing] = [fc.infiniteStream(gap), fc.infiniteStream(fc.boolean())]
  return fc.property(servers, gaps, trailing, fc.nat(), (servers, gaps, trailing, which) => {
    const text = print({ mcpServers: servers, ...more }, () => gaps.next().value, () => trailing.next().value)
    const plan = roundTrip(text, Json.syntax, Entries.sections.json, ofJson, which, platform)
    expect(plan.text.match(comment)?.length).toBe(text.match(comment)?.length)
    check(servers, plan)
  })
}

describe("generated configurations", () => {
  it("[W7] in JSON however it is written, are wrapped, known as wrapped, and taken back with every comment", () => {
    const gap = fc.constantFrom("", " ", "\n  ", "\r\n\t", ' /* , " */ ', ' // { "a": [\n  ')
    const comment = /\/\* , " \*\/|\/\/ \{ "a": \[/g
    const property = written(servers, gap, { other: [1] }, comment, (servers, plan) => {
      expect(unexpected(plan)).toEqual([])
      const { mcpServers } = Value.plain(Json.syntax.value(plan.text)) as Parsed
      expectWrapped(plan, servers, mcpServers)
    })
    fc.assert(property, runs)
  })

  it("[W7] of Windows, whose servers a shell starts, are wrapped, known as wrapped, and taken back with every comment", () => {
    const gap = fc.constantFrom("", " ", "\n  ", "\r\n\t", ' /* , " */ ', " // the shell\r\n  ")
    const shell = fc.constantFrom(["/c"], ["/C"], ["/d", "/s", "/c"], ["/c", "call"], [])
    const program = fc.constantFrom("npx", "node.exe", "C:\\x\\y.cmd", "other")
    const more = fc.array(fc.constantFrom("x", "-y", "a b", "é", "\\\\nas\\x"))
    const args = fc.tuple(shell, program, more).map((parts) => parts.flat())
    const started = fc.record({ command: fc.constantFrom("cmd", "CMD.exe", "npx"), args })
    const all = fc.dictionary(name, started, { minKeys: 1, maxKeys: 3 })
    const comment = /\/\* , " \*\/|\/\/ the shell/g
    const property = written(all, gap, {}, comment, (_, plan) => {
      expect(plan.servers.map(({ outcome }) => outcome)).toEqual(plan.servers.map(() => "wrapped"))
    }, "win32")
    fc.assert(property, runs)
  })

  it.each([{ indent: 2 }, { indent: 4, indentSeq: false }, { collectionStyle: "flow" }, { lineWidth: 20 }] as const)(
    "[W7] in YAML as its own printer writes it with %j, and comments, are wrapped, known as wrapped, and taken back",
    (how) => {
      fc.assert(
        fc.property(servers, fc.boolean(), fc.infiniteStream(fc.nat(6)), fc.nat(), (servers, isList, places, which) => {
          const list = Object.entries(servers).map(([name, server]) => ({ name, ...server }))
          const document = new Document({ a: 1, mcpServers: isList ? list : servers, z: [] })
          visit(document, {
            Scalar: (key, node) => {
              const place = places.next().value
              if (place === 0) node.commentBefore = " above"
              if (place === 1 && key !== "key") node.comment = " beside"
            }
          })
          const text = document.toString(how)
          const print = (value: unknown) => toYaml(value, { indent: 3 })
          const plan = roundTrip(text, Yaml.syntax, Entries.sections.yaml, print, which)
          expect(plan.text.match(/# (above|beside)/g)).toEqual(text.match(/# (above|beside)/g))
          expect(unexpected(plan)).toEqual([])
        }),
        { numRuns: bySize(8, 40) }
      )
    }
  )

  it("[W7] in TOML as its own printer writes it, with comments, are wrapped, known as wrapped, and taken back", () => {
    fc.assert(
      fc.property(servers, fc.infiniteStream(fc.nat(6)), fc.nat(), (servers, places, which) => {
        const written = toToml({ a: [1.5, "x"], mcp_servers: servers, z: { b: new Date(0) } })
        const text = written.replaceAll(/^.+$/gm, (line) => {
          const place = places.next().value
          return place === 0 ? `# above\n${line}` : place === 1 ? `${line} # beside` : line
        })
        const plan = roundTrip(text, Toml.syntax, Entries.sections.toml, (value) => toToml(value), which)
        expect(plan.text.match(/# (above|beside)/g)).toEqual(text.match(/# (above|beside)/g))
        expect(unexpected(plan)).toEqual([])
      }),
      runs
    )
  })
})
