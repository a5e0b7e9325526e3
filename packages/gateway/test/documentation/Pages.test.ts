import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Script } from "node:vm"
import * as Yaml from "yaml"
import { blocksOf, pages } from "../../../../tools/snippets.mjs"
import * as Cli from "../../src/Cli.js"
import * as McpJson from "../../src/config/McpJson.js"

const root = new URL("../../../../", import.meta.url)

/** `mcp-lifeline ARGUMENTS` as a line of a shell, behind what a shell, npx or systemd has before it. */
const line =
  /^(?: {4})?(?:\w+=\S* )*(?:source <\(|ExecStart=\/usr\/bin\/env |.* -- )?(?:npx -y )?mcp-lifeline ([^#)|\n]+)/gm
/** With arguments: a command's name alone is its mention. */
const inSentence = /(?<!`)`(?:npx -y )?mcp-lifeline\s([^\s`]+\s(?!--`)[^`]+)`/g
const inConfiguration = /"mcp-lifeline",(?: "?args"?:)? \[?((?:"[^"]*"(?:, )?)+)\]/g

/** A synopsis becomes one use of what it shows; `..` stands for what is left out. */
const words = (text: string): ReadonlyArray<string> =>
  [...text.replaceAll("[options]", "").matchAll(/'[^']*'|[^\s[\]]+/g)].map(([word]) => word.replaceAll("'", ""))
    .filter((word) => !/^\.\.+$/.test(word)).map((word) => word === "number" ? "1" : word)

const all = pages.flatMap((page) => {
  const text = readFileSync(new URL(page, root), "utf8")
  return [
    ...[...text.matchAll(line), ...text.matchAll(inSentence)].map(([, args = ""]) => words(args)),
    ...[...text.matchAll(inConfiguration)].map(([, args = ""]) => JSON.parse(`[${args}]`) as ReadonlyArray<string>)
  ].filter(({ length }) => length > 0).map((args) => ({ page, args, text: args.join(" ") }))
})
const commandLines = [...new Map(all.map((one) => [one.text, one])).values()]

const parse = (args: ReadonlyArray<string>) => Effect.sync(() => void Cli.read(args, {}))

describe("a command line on a page", () => {
  it("[G1] is found", () => {
    const commands = new Set(commandLines.map(({ args: [command] }) => command))
    expect(commandLines.length).toBeGreaterThan(30)
    for (const command of ["wrap", "adopt", "serve", "check", "login"]) expect(commands).toContain(command)
  })

  it.effect.each(commandLines)("[G1] $page: mcp-lifeline $text", ({ args }) => parse(args))
})

const blocks = (...languages: ReadonlyArray<string>) =>
  pages.flatMap(blocksOf).filter(({ language }) => languages.includes(language))
    .map(({ code, language, line, path }) => ({ place: `${path}:${line}`, language, text: code.join("\n") }))

const { packageManager, scripts } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"))

const tarballs = pages.flatMap((page) => /^packages\/(\w|-)+\//.exec(page)?.[0] ?? []).map((folder) => {
  const { name, version } = JSON.parse(readFileSync(new URL(`${folder}package.json`, root), "utf8"))
  return `${name.replace("@", "").replace("/", "-")}-${version}.tgz`
})

const expand = (text: string): ReadonlyArray<string> => {
  const [, before = "", list, after = ""] = /^(.*)\{(.+)\}(.*)$/.exec(text) ?? []
  return list === undefined ? [text] : list.split(",").map((one) => `${before}${one}${after}`)
}

describe("lines for a shell on a page", () => {
  const lines = blocks("sh")

  it("[G1] can be parsed", () => {
    const text = lines.map(({ place, text }) => `: ${place}\n${text}\n`).join("")
    expect(spawnSync("bash", ["-n"], { input: text, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" })
  })

  it("[G1] name scripts, versions and files that there are", () => {
    const text = lines.map((block) => block.text).join("\n")
    const ofPnpm = [...text.matchAll(/npx --yes (pnpm@\S+) (\S+)/g)]
    expect(ofPnpm.length).toBeGreaterThan(3)
    for (const [, pnpm, script = ""] of ofPnpm) {
      expect(pnpm).toBe(packageManager)
      expect(scripts).toHaveProperty([script])
    }
    const packed = [...text.matchAll(/\/packed\/(\S+\.tgz)/g)].flatMap(([, file = ""]) => expand(file))
    expect(packed.length).toBeGreaterThan(5)
    for (const file of packed) expect(tarballs).toContain(file)
  })
})

describe("README.md", () => {
  const readme = readFileSync(new URL("README.md", root), "utf8")

  it("[G1] is short, and after that has for each kind of reader the one change that they make, a program's first", () => {
    expect(readme.split("\n").length - 1).toBeLessThanOrEqual(120)
    expect(readme.split(/\s+/).filter((word) => word !== "").length).toBeLessThanOrEqual(700)
    const parts = readme.split(/^## /m).slice(2)
    const changes = [
      /^\+await client\.connect\(supervisedTransport\(/m,
      /^mcp-lifeline adopt$/m,
      /`mcp-lifeline wrap -- /
    ]
    changes.push(/`mcp-lifeline serve --config/)
    changes.forEach((change, index) => expect(parts[index]).toMatch(change))
  })

  it("[G1] begins its first part with the two commands of a fresh clone, start and test", () => {
    const commands = ["start", "test"].map((script) => `npx --yes ${packageManager} ${script}\n`)
    expect(readme.split(/^## /m)[1]).toMatch(`Get it\n\n\`\`\`sh\n${commands.join("")}\`\`\`\n`)
    expect(scripts).toMatchObject({ start: expect.anything(), test: expect.anything() })
  })
})

describe("a file on a page", () => {
  it.each(blocks("json"))("[G1] $place is JSON", ({ text }) => {
    expect(JSON.parse(text)).toBeTypeOf("object")
  })

  const configurations = blocks("json", "jsonc").filter(({ text }) => text.includes('"mcpServers":'))

  it.each(configurations)("[G1] $place is a configuration that Lifeline accepts", ({ text }) => {
    const variables = Object.fromEntries([...text.matchAll(/\$\{(\w+)/g)].map(([, name = ""]) => [name, "x"]))
    expect(Effect.runSync(McpJson.parse("mcp.json", text, variables))).toMatchObject({ problems: [], isUsable: true })
  })

  it.each(blocks("yaml"))("[G1] $place is YAML", ({ text }) => {
    expect(Yaml.parse(text)).toBeTypeOf("object")
  })

  it.each(blocks("dockerfile"))("[G1] $place has known instructions, and arguments as JSON", ({ text }) => {
    for (const line of text.split("\n")) {
      const [, instruction, args = ""] = /^([A-Z]+) (?:CMD )?(.+)$/.exec(line) ?? []
      expect(["ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "USER", "VOLUME"]).toContain(instruction)
      if (!args.startsWith("[")) continue
      const [command, option, code] = JSON.parse(args)
      if (command === "node" && option === "-e") void new Script(code) // throws a SyntaxError
    }
  })
})

const verify = (unit: string) => {
  const folder = mkdtempSync(join(tmpdir(), "lifeline-"))
  try {
    writeFileSync(join(folder, "mcp-lifeline.service"), unit)
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", join(folder, "mcp-lifeline.service")])
    return status === 0 ? stderr.toString() : `status ${status}`
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const hasSystemd = verify("[Service]\nExecStart=/bin/sh\n") === ""

describe.skipIf(!hasSystemd)("a unit of systemd on a page (skipped without systemd-analyze)", () => {
  it.each(blocks("ini"))("[G1] $place", ({ text }) => {
    expect(verify(text)).toBe("")
  })
})

describe("a page that sources name, or a picture that a page shows", () => {
  it("[G1] exists", () => {
    const sources = readdirSync(new URL("packages/", root)).flatMap((name) => {
      const folder = new URL(`packages/${name}/src/`, root)
      return existsSync(folder)
        ? readdirSync(folder, { recursive: true, encoding: "utf8" }).map((file) => new URL(file, folder))
        : []
    }).filter(({ pathname }) => pathname.endsWith(".ts"))
    const named = sources.flatMap((source) =>
      [...readFileSync(source, "utf8").matchAll(/(?<![\w./-])docs\/[\w/-]+\.md\b/g)].map(([page]) =>
        new URL(page, root)
      )
    )
    const pictures = pages.flatMap((page) =>
      [...readFileSync(new URL(page, root), "utf8").matchAll(/(?:src|srcset)="(?!https:)([^"]+)"/g)].map((
        [, picture = ""]
      ) => new URL(picture, new URL(page, root)))
    )
    expect(Math.min(named.length, pictures.length)).toBeGreaterThan(0)
    expect([...named, ...pictures].filter((file) => !existsSync(file)).map(({ pathname }) => pathname)).toEqual([])
  })
})
