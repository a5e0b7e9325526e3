/**
 * The command lines on the pages: in blocks, in sentences and in configurations. Each has to be one that the program understands.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { pages } from "../../../scripts/snippets.mjs"
import * as Adopt from "../src/adopt/Arguments.js"
import * as Cli from "../src/Cli.js"
import * as Wrap from "../src/wrap/Arguments.js"

const root = new URL("../../../", import.meta.url)

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

const parse = (args: ReadonlyArray<string>) => {
  const [command, ...rest] = args
  if (command === "wrap") return Effect.sync(() => void Wrap.read(rest))
  if (command === "adopt") return Effect.sync(() => void Adopt.read(rest))
  return Cli.parse(["node", "bin.js", ...args], false).pipe(Effect.provide(NodeContext.layer))
}

describe("a command line on a page", () => {
  it("[G1] is found", () => {
    const commands = new Set(commandLines.map(({ args: [command] }) => command))
    expect(commandLines.length).toBeGreaterThan(30)
    for (const command of ["wrap", "adopt", "serve", "check", "login"]) expect(commands).toContain(command)
  })

  it.effect.each(commandLines)("[G1] $page: mcp-lifeline $text", ({ args }) => parse(args))
})
