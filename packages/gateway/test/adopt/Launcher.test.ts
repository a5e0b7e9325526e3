import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach } from "vitest"
import * as Launcher from "../../src/adopt/Launcher.js"

let folder: string
beforeEach(() => (folder = realpathSync(mkdtempSync(join(tmpdir(), "lifeline-launcher-")))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const file = (path: string, text = ""): string => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
  chmodSync(join(folder, path), 0o755)
  return join(folder, path)
}

const link = (to: string, path: string): string => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  symlinkSync(to, join(folder, path))
  return join(folder, path)
}

/** As npm installs it, with the versions of Node.js and of the program in their paths. */
const installed = (): Launcher.Running => ({
  platform: "linux",
  env: { PATH: `relative:${join(folder, "none")}:${join(folder, "bin")}` },
  execPath: file("node-24.1.0/node"),
  script: link(file("lib/node_modules/mcp-lifeline/esm/bin.js"), "bin/mcp-lifeline"),
  version: "1.2.3"
})

const find = (program: Launcher.Running) => Effect.runPromise(Launcher.find(program))

describe("what starts the program that runs now", () => {
  it("[W7] is its path and that of Node.js in files of the user, and its name in those of a project if the PATH finds it", async () => {
    const program = installed()
    const absolute = [program.execPath, program.script]
    expect(await find(program)).toEqual({ user: absolute, project: ["mcp-lifeline"], typed: "mcp-lifeline" })
    for (const env of [{}, { PATH: "" }, { PATH: join(folder, "none") }]) {
      expect(await find({ ...program, env })).toEqual({ user: absolute, project: absolute, typed: absolute.join(" ") })
    }
    const odd = file("a b $HOME/mcp-lifeline/esm/bin.js")
    expect((await find({ ...program, env: {}, script: odd })).typed).toBe(`${program.execPath} '${odd}'`)
  })

  it("[W7] is not what another program with its name is", async () => {
    const program = installed()
    const absolute = [program.execPath, program.script]
    file("other/mcp-lifeline")
    const env = { PATH: `${join(folder, "other")}:${program.env["PATH"]}` }
    expect((await find({ ...program, env })).project).toEqual(absolute)
  })

  it("[W7] is Node.js at the path that stays when it is updated, if that is the one that runs", async () => {
    const program = installed()
    const node = link(program.execPath, "bin/node")
    expect((await find(program)).user).toEqual([node, program.script])
    const other = file("node-20.0.0/node")
    expect((await find({ ...program, execPath: other })).user).toEqual([other, program.script])
  })

  it("[W7] is the file behind a link with another name, which would not be known for Lifeline later", async () => {
    const program = installed()
    const script = link(program.script, "bin/alive")
    const behind = [program.execPath, join(folder, "lib/node_modules/mcp-lifeline/esm/bin.js")]
    expect((await find({ ...program, script })).user).toEqual(behind)
  })

  it.each(["_npx/0f1e2d", "dlx-19c", "dlx/aa/bb", "bunx-0-mcp-lifeline@latest"])(
    "[W7] is npx with this version if it runs from %s, which is removed again; but never for a version that nobody has published",
    async (cache) => {
      const modules = `${cache}/node_modules`
      const script = link(file(`${modules}/mcp-lifeline/esm/bin.js`), `${modules}/.bin/mcp-lifeline`)
      const program = { ...installed(), script }
      const npx = ["npx", "-y", "mcp-lifeline@1.2.3"]
      expect(await find(program)).toEqual({ user: npx, project: npx, typed: npx.join(" ") })
      const { project, user } = await find({ ...program, version: "0.0.0" })
      expect([project, user]).toEqual([[program.execPath, script], [program.execPath, script]])
      const onWindows = { user: ["cmd", "/c", ...npx], typed: npx.join(" ") }
      expect(await find({ ...program, platform: "win32" })).toMatchObject(onWindows)
    }
  )
})

describe("the program that a script for Windows starts", () => {
  const npm = `IF EXIST "%dp0%\\node.exe" (\r\n  SET "_prog=%dp0%\\node.exe"\r\n)\r\n"%_prog%"  `

  it.each([
    ["npm", `${npm}"%dp0%\\node_modules\\mcp-lifeline\\esm\\bin.js" %*`, "node_modules\\mcp-lifeline\\esm\\bin.js"],
    ["pnpm", `@node  "%~dp0\\..\\mcp-lifeline\\esm\\bin.js" %*`, "..\\mcp-lifeline\\esm\\bin.js"],
    ["a copy of a program", `"%~dp0\\program.exe" %*`, undefined],
    ["a path that is too long", `"%~dp0\\${"x".repeat(1001)}.js" %*`, undefined]
  ])("[W7:unit] of %s", (_, text, path) => {
    expect(Launcher.programIn(text)).toBe(path)
  })
})
