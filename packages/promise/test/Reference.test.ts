/** Holds docs/reference/client.md to the types. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8")

const page = read("docs/reference/client.md")

const section = (heading: string): string => {
  const [, after] = page.split(new RegExp(`^#+ ${heading}$`, "m"))
  assert.isDefined(after, `the page has no section ${heading}`)
  return after?.split(/^#/m)[0] ?? ""
}

/** All names in code on a text: `a.b(c?)` names `a`, `b` and `c`. */
const named = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/`([^`]+)`/g)].flatMap(([, code = ""]) => code.match(/\w+/g) ?? []))

const rows = (
  heading: string
): ReadonlyArray<{ readonly first: ReadonlySet<string>; readonly all: ReadonlySet<string> }> =>
  section(heading).split("\n").filter((line) => line.startsWith("| `")).map((line) => ({
    first: named(line.split(" | ")[0] ?? ""),
    all: named(line)
  }))

const declaration = (path: string, start: string): string => {
  const [, after] = `\n${read(path)}`.split(start)
  assert.isDefined(after, `${path} has no ${start}`)
  return after?.split(/^}/m)[0] ?? ""
}

const members = (path: string, name: string): ReadonlyMap<string, ReadonlyArray<string>> => {
  const text = declaration(path, `\nexport interface ${name} `).replaceAll(/^ *(\/\/|\/?\*).*$/gm, "")
  return new Map(
    text.split(/^(?= {2}(?:readonly )?\w+\??[:(<])/m).slice(1).map((member) => {
      const [, own = ""] = /^ {2}(?:readonly )?(\w+)/.exec(member) ?? []
      return [
        own,
        [...member.matchAll(/readonly (\w+)\??:/g)].map(([, field = ""]) => field).filter((one) => one !== own)
      ]
    })
  )
}

const agree = (heading: string, of: ReadonlyMap<string, ReadonlyArray<string>>): void => {
  const table = rows(heading)
  for (const [member, fields] of of) {
    const row = table.find(({ first }) => first.has(member))
    assert.isDefined(row, `${heading} has no row for ${member}`)
    for (const field of fields) {
      assert.isTrue(row?.all.has(field), `${heading}: the row of ${member} does not name ${field}`)
    }
  }
  for (const { first } of table) {
    assert.isTrue(
      [...first].some((name) => of.has(name)),
      `${heading} has a row for ${[...first].join(", ")}, which is gone`
    )
  }
}

const client = members("packages/promise/src/Client.ts", "Client")
const core = "packages/core/src"

describe("docs/reference/client.md", () => {
  it("[F2] has each member of a client", () => {
    assert.isAbove(client.size, 20)
    const known = new Set(rows("A client").flatMap(({ first }) => [...first]))
    for (const name of client.keys()) assert.isTrue(known.has(name), `a client has ${name}, and the page does not`)
    for (const { first } of rows("A client")) {
      assert.isTrue([...first].some((name) => client.has(name)), `a client has no ${[...first].join(", ")}`)
    }
    assert.includeMembers([...named(section("A client"))], [
      ...members("packages/promise/src/Client.ts", "HealthCheck").keys()
    ])
  })

  it("[F2] has each member of a fleet, and what apply returns", () => {
    const path = "packages/promise/src/Fleet.ts"
    agree("A fleet", new Map([...members(path, "Fleet"), ...members(path, "Applied")].map(([name]) => [name, []])))
  })

  it("[F2] has each member of a supervised transport", () => {
    const path = "packages/promise/src/Transport.ts"
    const own = members(path, "SupervisedTransport")
    agree("A supervised transport", new Map(["start", ...own.keys()].map((name) => [name, []])))
    const supervision = read(path).split("export type Supervision")[1]?.split("\n>")[0] ?? ""
    const picked = [...supervision.matchAll(/\| "(\w+)"/g)].map(([, name = ""]) => name)
    assert.isAbove(picked.length, 8)
    assert.includeMembers([...named(section("A supervised transport"))], picked)
  })

  it("[N1] has each field of a status", () => {
    const pins = members("packages/extensions/src/PinStatus.ts", "PinsStatus")
    const filters = members("packages/extensions/src/FilterStatus.ts", "FiltersStatus")
    const connector = members(`${core}/port/ConnectorStatus.ts`, "ConnectorStatus")
    agree("`status`", new Map([...members(`${core}/state/Status.ts`, "Status"), ...connector, ...filters, ...pins]))
  })

  it("[N1] has the fields of what a status consists of", () => {
    const status = named(section("`status`"))
    for (
      const [file, name] of [
        ["port/ResourceUsage.ts", "ResourceUsage"],
        ["port/ResourceUsage.ts", "LimitStatus"],
        ["port/ConnectorStatus.ts", "Peer"],
        ["port/ConnectorStatus.ts", "NeededSignIn"],
        ["../../extensions/src/FilterStatus.ts", "FilterStatus"],
        ["../../extensions/src/FilterStatus.ts", "UnmatchedPattern"],
        ["../../extensions/src/PinStatus.ts", "PinStatus"],
        ["../../extensions/src/PinStatus.ts", "PinChange"],
        ["state/Status.ts", "KeepaliveStatus"]
      ] as const
    ) assert.includeMembers([...status], [...members(`${core}/${file}`, name).keys()], name)
    agree("A loss", members(`${core}/port/Loss.ts`, "Loss"))
  })

  it("[N1] has each state", () => {
    const names = declaration(`${core}/lifecycle/States.ts`, "export type States = {").matchAll(/^ {2}(\w+):/gm)
    assert.sameMembers(rows("States").flatMap(({ first }) => [...first]), [...names].map(([, name = ""]) => name))
  })

  it("[N1] has each kind of event with its fields", () => {
    const text = declaration(`${core}/observe/Events.ts`, "export type Events<Failure> = {")
    const kinds = text.split(/^(?= {2}\w+: Common)/m).slice(1).map((kind) => ({
      name: /\w+/.exec(kind)?.[0] ?? "",
      fields: [...kind.matchAll(/readonly (\w+):/g)].map(([, field = ""]) => field)
    }))
    assert.isAbove(kinds.length, 8)
    agree("Events", new Map(kinds.map(({ fields, name }) => [name, fields])))
  })

  it("[F5] has the fields of an entry of the log, of telemetry and of a session", () => {
    agree("The log", members("packages/promise/src/Options.ts", "LogEntry"))
    agree("Telemetry", members("packages/promise/src/TelemetryOptions.ts", "TelemetryOptions"))
    const session = members("packages/promise/src/Session.ts", "Session")
    agree("`onConnected`", new Map([...session.keys()].map((name) => [name, []])))
  })

  it("[F2] has each member of a backend and of a fleet of both Effects", () => {
    const everything = named(section("With Effect"))
    for (
      const [path, name] of [
        ["packages/core/src/backend/Backend.ts", "Backend"],
        ["packages/core/src/Fleet.ts", "Fleet"],
        ["packages/effect4/src/BackendClient.ts", "Backend"],
        ["packages/effect4/src/Fleet.ts", "Fleet"]
      ] as const
    ) {
      for (const member of members(path, name).keys()) {
        assert.isTrue(
          everything.has(member) || client.has(member),
          `${path}: ${name} has ${member}, and the page does not`
        )
      }
    }
  })
})
