import { describe, expect, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import * as Cli from "../../src/Cli.js"
import { written } from "../../src/commandLine/help.js"

const page = readFileSync(new URL("../../../../docs/reference/command-line.md", import.meta.url), "utf8")
const commands = Cli.commands
const names = commands.map(({ name }) => name)

const codes = (text: string): ReadonlyArray<string> => [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code)

const sections = page.split(/^(?=## )/m).map((text) => ({
  text,
  named: codes(text.split("\n", 1)[0] ?? "").filter((code) => names.includes(code))
}))

const meant = (cell: string, all: ReadonlyArray<string>): ReadonlyArray<string> => {
  const [, excepted = ""] = /^all but (.+)$/.exec(cell) ?? []
  return cell.startsWith("all") ? all.filter((name) => !codes(excepted).includes(name)) : codes(cell)
}

const rows = (text: string, heading: string): ReadonlyArray<ReadonlyArray<string>> =>
  text.split("\n\n").filter((block) => block.startsWith(heading)).flatMap((block) =>
    block.trim().split("\n").slice(2).map((row) =>
      row.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim().replaceAll("\\|", "|"))
    )
  )

const told = sections.flatMap(({ named, text }) => [
  ...rows(text, "| option | default |").flatMap(([option = "", fallback = ""]) =>
    named.map((command) => [`${command} ${codes(option)[0]}`, fallback] as const)
  ),
  ...rows(text, "| option | of |").flatMap(([option = "", of = "", fallback = ""]) =>
    meant(of, named).map((command) => [`${command} ${codes(option)[0]}`, fallback] as const)
  )
])

const defaults: ReadonlyMap<string, string> = new Map(told)

const options = commands.flatMap(({ name, options }) =>
  Object.entries(options).map(([key, option]) => ({ key: `${name} ${written(key, option)}`, option }))
)

const never = (why: string): never => {
  throw new Error(why)
}

/** What the cell of an option's default says. */
const fallbackOf = (option: typeof options[number]["option"]): RegExp => {
  const value = option.read([], never)
  if (typeof value === "string" || typeof value === "number") return new RegExp(`^\`${value}\`$`)
  const [, amount] = /Default: (?:never; with --stdio, )?(\d[^.]*)\.$/.exec(option.help) ?? []
  if (amount !== undefined) return new RegExp(`\\b${amount}$`)
  return option.variable === undefined ? /\S/ : new RegExp(`\`${option.variable}\``)
}

describe("docs/reference/command-line.md", () => {
  it("[G1] has a section with an example for every command", () => {
    const named = sections.flatMap(({ named, text }) =>
      named.filter((name) => new RegExp(`^ {4}mcp-lifeline ${name}\\b`, "m").test(text))
    )
    expect(named.toSorted()).toEqual(names.toSorted())
  })

  it("[G1] names the arguments of every command in its examples", () => {
    for (const { arguments: places, name, usage } of commands.filter(({ name }) => name !== "help")) {
      const text = sections.find(({ named }) => named.includes(name))?.text ?? ""
      const examples = text.split("\n").filter((line) => line.startsWith(`    mcp-lifeline ${name}`)).join("\n")
      const words = Object.values(places).map((place) => place.name).filter((word) => !word.includes("|"))
      for (const word of usage === undefined ? words : []) expect(examples).toContain(word)
    }
  })

  it("[G1] lists every option with its value, and no other", () => {
    expect(told.map(([key]) => key).toSorted()).toEqual(options.map(({ key }) => key).toSorted())
  })

  it.each(options)("[G1] says the default of $key", ({ key, option }) => {
    expect(defaults.get(key)).toMatch(fallbackOf(option))
  })

  it("[G1] names every variable in whose place an option can be given", () => {
    const variables = options.flatMap(({ option }) => option.variable ?? [])
    for (const variable of variables) expect(page).toContain(`\`${variable}\``)
  })

  it("[G1] lists the exit codes of every command", () => {
    const listed = rows(page, "| code | of |").flatMap(([code = "", of = ""]) =>
      meant(of, names).map((name) => `${name} ${code}`)
    )
    const all = commands.flatMap(({ exitCodes, name }) =>
      ["2", ...Object.keys(exitCodes)].map((code) => `${name} ${code}`)
    )
    expect(listed.toSorted()).toEqual(all.toSorted())
  })
})
