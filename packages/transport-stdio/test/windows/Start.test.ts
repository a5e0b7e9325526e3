import type { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Wine from "../../../testing/test/support/Wine.js"

const here = (name: string): URL => new URL(name, import.meta.url)

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

for (const node of Wine.nodes) {
  describe(`servers on Windows (${node.name})`, () => {
    let wine: Wine.Wine
    let directory = ""

    beforeAll(async () => {
      wine = Wine.make(node)
      directory = wine.directory
      mkdirSync(join(directory, "bin (x) & y"))
      for (const [name, text] of [["npx.cmd", npx], ["made.cmd", made]] as const) {
        writeFileSync(join(directory, "bin (x) & y", name), text.replaceAll("\n", "\r\n"))
      }
      // As it lies beside npx.cmd, for other systems.
      writeFileSync(join(directory, "bin (x) & y", "npx"), "#!/usr/bin/env bash\nexit 1\n")
      writeFileSync(join(directory, "bin (x) & y", "server"), "#!/usr/bin/env node\nrequire('./server.cjs')\n")
      copyFileSync(here("server.cjs"), join(directory, "bin (x) & y", "server.cjs"))
      await wine.bundle(here("client.ts"))
    })
    afterAll(() => wine.end())

    const start = async (
      all: ReadonlyArray<readonly [command: string, args: ReadonlyArray<string>]>
    ): Promise<ReadonlyArray<unknown>> => {
      const PATH = `${Wine.windows(join(directory, "bin (x) & y"))};${Wine.windows(dirname(wine.node))}`
      const servers = all.map(([command, args]): StdioConnector.Options => ({
        command,
        args,
        env: { PATH, NODE_EXE: Wine.windows(wine.node), NODE_SKIP_PLATFORM_CHECK: "1" }
      }))
      writeFileSync(join(directory, "servers.json"), JSON.stringify(servers))
      await wine.run(wine.node, "client.cjs", "servers.json", "answers.json")
      return JSON.parse(wine.read("answers.json")) as ReadonlyArray<unknown>
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
    /** Wine 8 replaces these again where a script has `%*`, Windows only with `call`: nothing may be executed then. */
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
        /^command "nowhere" was not found in PATH \(with .*\.exe.*\): looked in [A-Z]:\\.*bin \(x\) & y; [A-Z]:\\.*: install it/i
      )
      assert.match(String(path), /^command "\.\\nowhere" does not exist \(with .*\): correct it/)
      assert.match(
        String(lineBreak),
        /^command "npx" is a script \([A-Z]:\\.*npx\.cmd\), and one of args contains a line break/
      )
      assert.match(String(tooLong), /is longer than 8,191 characters, more than cmd\.exe/)
    })
  })
}
