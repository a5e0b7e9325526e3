import type { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { build } from "esbuild"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

/** The `node.exe` of Node.js 20 or 22 for Windows, which Wine runs. */
const node = process.env["LIFELINE_WINE_NODE"] ?? ""
const isThere = existsSync(node) && spawnSync("wine", ["--version"]).status === 0

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const source = (name: string, module = "index"): string => here(`../../../${name}/src/${module}.ts`)
/** A path, as Wine shows it to programs. */
const windows = (path: string): string => `Z:${path.replaceAll("/", "\\")}`

/** As npx.cmd of Node.js ends. */
const npx = String.raw`@ECHO OFF
SETLOCAL
SET "CLI_JS=%~dp0\server.cjs"
"%NODE_EXE%" "%CLI_JS%" %*
`

/** As npm starts a program of a package. */
const made = String.raw`@ECHO off
GOTO start
:find_dp0
SET dp0=%~dp0
EXIT /b
:start
SETLOCAL
CALL :find_dp0

IF EXIST "%dp0%\node.exe" (
  SET "_prog=%dp0%\node.exe"
) ELSE (
  SET "_prog=node"
  SET PATHEXT=%PATHEXT:;.JS;=;%
)

endLocal & goto #_undefined_# 2>NUL || title %COMSPEC% & "%_prog%"  "%dp0%\server.cjs" %*
`

describe.skipIf(!isThere)(
  "servers on Windows (skipped without wine and LIFELINE_WINE_NODE, the path of a node.exe)",
  () => {
    let directory = ""
    let env: NodeJS.ProcessEnv = {}

    const wine = async (...args: ReadonlyArray<string>): Promise<void> => {
      // A pipe is no console for programs of Windows; a file will do.
      const log = openSync(join(directory, "wine.log"), "a")
      const child = spawn("wine", args, { cwd: directory, env, stdio: ["ignore", log, log] })
      await once(child, "exit")
      closeSync(log)
    }

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), "stdio-windows-"))
      env = {
        ...process.env,
        WINEPREFIX: join(directory, "prefix"),
        WINEARCH: "win64",
        WINEDEBUG: "-all",
        NODE_SKIP_PLATFORM_CHECK: "1"
      }
      mkdirSync(join(directory, "bin (x) & y"))
      for (const [name, text] of [["npx.cmd", npx], ["made.cmd", made]] as const) {
        writeFileSync(join(directory, "bin (x) & y", name), text.replaceAll("\n", "\r\n"))
      }
      // As it lies beside npx.cmd, for other systems.
      writeFileSync(join(directory, "bin (x) & y", "npx"), "#!/usr/bin/env bash\nexit 1\n")
      writeFileSync(join(directory, "bin (x) & y", "server"), "#!/usr/bin/env node\nrequire('./server.cjs')\n")
      copyFileSync(here("server.cjs"), join(directory, "bin (x) & y", "server.cjs"))
      await build({
        entryPoints: [here("client.ts")],
        outfile: join(directory, "client.cjs"),
        bundle: true,
        platform: "node",
        logLevel: "silent",
        alias: {
          "@mcp-lifeline/core": source("core"),
          "@mcp-lifeline/core/internal": source("core", "internal"),
          "@mcp-lifeline/protocol": source("protocol"),
          "@mcp-lifeline/transport-stdio": source("transport-stdio")
        }
      })
      await wine("winecfg", "-v", "win10")
    })
    afterAll(() => {
      spawnSync("wineserver", ["-k"], { env })
      rmSync(directory, { recursive: true, force: true, maxRetries: 20 })
    })

    /** What servers with these commands and arguments answered, or why they did not start. */
    const start = async (
      all: ReadonlyArray<readonly [command: string, args: ReadonlyArray<string>]>
    ): Promise<ReadonlyArray<unknown>> => {
      const PATH = `${windows(join(directory, "bin (x) & y"))};${windows(dirname(node))}`
      const servers = all.map(([command, args]): StdioConnector.Options => ({
        command,
        args,
        env: { PATH, NODE_EXE: windows(node), NODE_SKIP_PLATFORM_CHECK: "1" }
      }))
      writeFileSync(join(directory, "servers.json"), JSON.stringify(servers))
      await wine(node, windows(join(directory, "client.cjs")), "servers.json", "answers.json")
      return JSON.parse(readFileSync(join(directory, "answers.json"), "utf8")) as ReadonlyArray<unknown>
    }

    const plain = [
      "",
      " ",
      `a"b`,
      `a"&echo x>executed&"`,
      `a" & echo x>executed & "`,
      `\\"&echo x>executed`,
      `tail\\`,
      `\\\\"x`,
      "a&echo x>executed",
      "a|b",
      "a>executed",
      "^caret^",
      "(a)",
      "a,b;c=d",
      "!PATH!",
      "https://x/y?z=1",
      "ä-漢字-🎈",
      "-y",
      "tail\\"
    ]
    /**
     * Seen under Wine 8: what is between percent signs is replaced again where a script has `%*`, so these do not arrive. Windows, as it is
     * documented, does not do that, except with `call`: nothing may be executed then.
     */
    const percent = [
      "%PATH%",
      "100%",
      "%CMDCMDLINE:~-1%&echo x>executed",
      "%x:&echo x>executed&",
      `%"&echo x>executed&"%`
    ]
    const breaks = ["a\nb", "a\r\nb & echo x>executed"]

    it("[S10:real] start by their scripts, get their arguments as they are, and nothing else is executed", async () => {
      const long = "x".repeat(7_900 - directory.length)
      const all = [...plain, ...percent, ...breaks]
      const [byScript, byLong, byNpm, byShebang] = await start([
        ["npx", plain],
        ["npx", [long]],
        ["made", all],
        ["server", all]
      ])
      assert.deepStrictEqual(byScript, plain)
      assert.deepStrictEqual(byLong, [long])
      assert.deepStrictEqual(byNpm, all)
      assert.deepStrictEqual(byShebang, all)
      for (const answer of await start(percent.map((one) => ["npx", [one, "https://x"]]))) assert.isArray(answer)
      for (const folder of [directory, join(directory, "bin (x) & y")]) {
        assert.isFalse(
          existsSync(join(folder, "executed"))
        )
      }
    })

    it("[S10:real] what cannot be started says why, and where it was looked for", async () => {
      const [missing, path, lineBreak, tooLong] = await start([
        ["nowhere", []],
        [".\\nowhere", []],
        ["npx", breaks],
        ["npx", ["x".repeat(8_191)]]
      ])
      assert.match(
        String(missing),
        /^command "nowhere" was not found in PATH \(with .*\.exe.*\): looked in Z:\\.*bin \(x\) & y; Z:\\.*: install it/i
      )
      assert.match(String(path), /^command "\.\\\\nowhere" does not exist \(with .*\): correct it/)
      assert.match(
        String(lineBreak),
        /^command "npx" is a script \(Z:\\.*npx\.cmd\), and one of args contains a line break/
      )
      assert.match(String(tooLong), /is longer than 8,191 characters, more than cmd\.exe/)
    })
  }
)
