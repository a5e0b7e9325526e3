import { copyFileSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, beforeAll, describe, it } from "vitest"
import * as Wine from "../../../testing/test/support/Wine.js"
import * as Program from "./program.js"

for (const node of Wine.oneNode) {
  describe(`an mcp.json on Windows (${node.name})`, () => {
    let wine: Wine.Wine
    Program.before(node, "checking.ts", (made) => (wine = made))
    let printed = ""

    beforeAll(async () => {
      const path = (name: string): string => join(wine.directory, name)
      mkdirSync(path("sub"))
      copyFileSync(fileURLToPath(new URL("environment.cjs", import.meta.url)), path("sub/environment.cjs"))
      writeFileSync(path("sub/.env"), "\uFEFFONE=1\r\nPath=C:\\of file\r\n")
      const command = Wine.windows(node.path)
      const mcpServers = {
        relative: { command, args: ["environment.cjs"], cwd: ".\\sub", envFile: ".\\sub\\.env" },
        absolute: {
          command: command.replaceAll("\\", "/"),
          args: ["${workspaceFolder}${/}sub\\environment.cjs"],
          cwd: Wine.windows(path("sub")),
          env: { ONE: "${systemDRIVE}", pATH: "D:\\of entry" }
        },
        program: { command: ".\\nowhere\\x", cwd: "sub" },
        folder: { command, cwd: "nowhere" },
        file: { command, envFile: "\\\\127.0.0.1\\nowhere\\.env" }
      }
      writeFileSync(path("mcp.json"), JSON.stringify({ mcpServers }))
      await wine.run(node.path, "checking.cjs")
      printed = wine.read("printed.txt")
    })

    const sub = (): string => Wine.windows(join(wine.directory, "sub"))

    it("[G2] a cwd, an envFile and a command may have backslashes and drives; Path and PATH are one variable", () => {
      assert.include(printed, `connected: ${sub()}|ONE=1|Path=C:\\of file 1`)
    })

    it("[G2] variables are found by their names in any case", () => {
      assert.include(printed, `connected: ${sub()}|ONE=C:|pATH=D:\\of entry 1`)
    })

    it("[G2] what is not there is named as it is written", () => {
      assert.include(printed, `command ".\\nowhere\\x" does not exist`)
      assert.include(printed, `cwd "${Wine.windows(join(wine.directory, "nowhere"))}" does not exist`)
      assert.include(printed, "names \\\\127.0.0.1\\nowhere\\.env, and ")
    })
  })
}
