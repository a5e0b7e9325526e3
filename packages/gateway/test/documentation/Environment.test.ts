import { describe, expect, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import * as Cli from "../../src/Cli.js"

const root = new URL("../../../../", import.meta.url)
const page = readFileSync(new URL("docs/reference/environment.md", root), "utf8")

const codes = (text: string): ReadonlyArray<string> => [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code)

const sources = readdirSync(new URL("packages", root)).flatMap((name) => {
  const folder = new URL(`packages/${name}/src/`, root)
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => /\.(ts|mjs)$/.test(file))
    .map((file) => readFileSync(new URL(file.replaceAll("\\", "/"), folder), "utf8"))
}).map((text) => text.replaceAll(/^\s*(?:\/\*|\*|\/\/).*$/gm, ""))

/** What stands for the name of a variable: what an environment is indexed with, its argument beside an environment, and all of ours. */
const forms = [
  /\benv\[["`]([^"`\]]+)["`]\]/gi,
  /\bprocess\.env\.(\w+)/g,
  /\benv\b\)?, \[?((?:"\w+"(?:, )?)+)/g,
  /const \{ ([^}]+) \} = (?:process\.)?env\b/g,
  /\b(MCP_LIFELINE_[A-Z_]+)/g
]

const found = [
  ...new Set(
    sources.flatMap((text) =>
      forms.flatMap((form) =>
        [...text.matchAll(form)].flatMap(([, names = ""]) =>
          names.split(/,\s*/).map((name) => name.replaceAll(`"`, "").trim()).filter((name) => /^[a-z]/i.test(name))
        )
      )
    )
  )
].toSorted()

/** What a name is on the page, where `_` at its end or `${..}` in it stands for any word. */
const shown = (name: string): RegExp =>
  new RegExp(`\`${name.replaceAll(/\$\{.*?\}(?=_|$)/g, "[A-Z]+").replace(/_$/, "_\\w+")}\``, "i")

const rows = page.split("\n").filter((line) => line.startsWith("| "))
const ofLibraries = codes(/^## Read by Node\.js and by libraries$[^]*?(?=^## )/m.exec(page)?.[0] ?? "")

describe("docs/reference/environment.md", () => {
  it("[G1] is compared with what the sources read", () => {
    expect(found.length).toBeGreaterThan(45)
    for (const name of ["CI", "CODEX_HOME", "COMSPEC", "HOME", "MCP_LIFELINE_STATE", "http_proxy"]) {
      expect(found).toContain(name)
    }
  })

  it.each(found)("[G1] lists %s", (name) => {
    expect(page).toMatch(shown(name))
  })

  it.each(Cli.commands)("[G1] lists the variables in the help of $name", ({ environment, name, options }) => {
    const named = [
      ...Object.keys(environment ?? {}),
      ...Object.values(options).flatMap(({ variable }) => variable ?? [])
    ]
    for (const variable of named) {
      const readers = rows.filter((row) => row.startsWith(`| \`${variable}\` |`)).map((row) => row.split("|")[2] ?? "")
      expect(readers.join()).toMatch(new RegExp(`all commands|\`${name}( [^\`]+)?\``))
    }
  })

  it("[G1] lists no other", () => {
    const text = sources.join("\n")
    const names = rows.flatMap((row) => codes(row.split("|")[1] ?? "")).filter((name) => /^\w+$/.test(name))
    expect(names.length).toBeGreaterThan(50)
    const inTexts = new Set(["DOCS_URL", "env_vars", "bearer_token_env_var", "env_http_headers", ...ofLibraries])
    const isRead = (name: string) => text.includes(name) || found.some((one) => shown(one).test(`\`${name}\``))
    expect(names.filter((name) => !inTexts.has(name) && !isRead(name))).toEqual([])
  })
})
