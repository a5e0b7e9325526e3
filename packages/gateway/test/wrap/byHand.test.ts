import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gateway } from "../../../testing/test/support/Built.js"
import { folder } from "../../../testing/test/support/folder.js"
import * as ByHand from "../../src/wrap/byHand.js"
import { inTerminal } from "../support/inTerminal.js"
import * as Program from "../support/Program.js"
import { describe, expect, it, test } from "../support/vitest.js"

const server = fileURLToPath(new URL("../fixtures/who.mjs", import.meta.url))

const hasTerminals = process.platform !== "win32" &&
  /util-linux/.test(String(spawnSync("script", ["--version"]).stdout))

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

const started = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
  const command = ["exec", ...[process.execPath, gateway, ...args].map(quoted)].join(" ")
  return yield* inTerminal(command, { NO_COLOR: "1", MCP_LIFELINE_STATE: yield* folder })
})

const configuration = Effect.map(folder, (folder) => {
  const file = join(folder, "mcp.json")
  writeFileSync(file, JSON.stringify({ mcpServers: { who: { command: process.execPath, args: [server] } } }))
  return file
})

describe("the command that serve --stdio names", () => {
  const named = (file: string, platform?: NodeJS.Platform): string =>
    /^To try its servers here, run (.*)$/.exec(ByHand.serve(file, platform).tryIt)?.[1] ?? ""

  const odd = ['we"ird.json', "it's; id.json", "a\\b.json", "$HOME.json", "!!.json"]
  const all = ["/etc/mcp.json", "my file.json", "$(id).json", "`id`.json", ...odd]

  it.skipIf(process.platform === "win32").each(all)(
    "[G14:unit] gives a shell the file %s as it is, and nothing to run",
    (file) => {
      const words = named(file).replace(/^mcp-lifeline/, "printf '%s\\n'")
      const { stderr, stdout } = spawnSync("sh", ["-c", words])
      expect([String(stdout), String(stderr)]).toEqual([`check\n${file}\n--connect\n`, ""])
    }
  )

  it("[G14:unit] has no quotes around a plain file, and double ones on Windows", () => {
    expect(named("/etc/mcp.json", "linux")).toBe("mcp-lifeline check /etc/mcp.json --connect")
    expect(named("C:\\a\\mcp.json", "win32")).toBe("mcp-lifeline check C:\\a\\mcp.json --connect")
    expect(named("C:\\my files\\mcp.json", "win32")).toBe('mcp-lifeline check "C:\\my files\\mcp.json" --connect')
  })
})

describe.skipIf(!hasTerminals)(
  `what a host starts, in a terminal${hasTerminals ? "" : " (without script of util-linux)"}`,
  () => {
    test.scopedLive("[W1:terminal] wrap says in one line what it waits for, and how to try a server", function*() {
      const wrap = yield* started("wrap", "--", process.execPath, server)
      yield* Program.eventually(() => wrap.shown().includes("\n") ? true : undefined)
      // Ctrl+C
      wrap.child.stdin.write("\u0003")
      expect(yield* Effect.promise(() => wrap.ended)).toBe(0)
      expect(wrap.shown().replace("^C", "")).toBe(
        "mcp-lifeline: wrap waits for a host to speak MCP on stdin; mcp-lifeline adopt puts it into the configurations of your hosts. "
          + "To try a server here, run mcp-lifeline check FILE --connect, with an mcp.json that has it. Ctrl+C ends it\r\n"
      )
    })

    test.scopedLive("[G14:terminal] so does serve --stdio, which names its own file", function*() {
      const file = yield* configuration
      const join = yield* started("serve", "--stdio", "--config", file)
      yield* Program.eventually(() => join.shown().includes("\n") ? true : undefined)
      join.child.stdin.write("\u0003")
      yield* Effect.promise(() => join.ended)
      const tryIt = `To try its servers here, run mcp-lifeline check ${file} --connect. Ctrl+C ends it\r\n`
      expect(join.shown()).toContain(tryIt)
    })

    test.scopedLive("[W1:terminal] a host, which has no terminal, is not bothered", function*() {
      const wrap = yield* Program.start(["wrap", "--", process.execPath, server])
      expect(yield* wrap.ended).toEqual({ code: 0, signal: null })
      expect([wrap.stdout(), wrap.stderr()]).toEqual(["", ""])
    })
  }
)
