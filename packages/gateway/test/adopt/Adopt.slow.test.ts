import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect } from "effect"
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import * as Built from "../../../testing/test/support/Built.js"
import { folder as temporary } from "../../../testing/test/support/folder.js"
import * as Adopt from "../../src/adopt/Adopt.js"
import { hosts, places } from "../../src/adopt/Hosts.js"
import * as Launcher from "../../src/adopt/Launcher.js"
import { adoptOf } from "../support/arguments.js"
import * as Program from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

/** What starts the program in what these tests adopt: Node.js, as the PATH finds it, with the file of the program. */
const [node, gateway] = (await Effect.runPromise(Launcher.find({ ...Launcher.running(), script: Built.gateway }))).user
const typed = `${node} ${gateway}`

const fixtures = new URL("../fixtures/adopt/", import.meta.url)

const home = Effect.map(temporary, (folder) => {
  const path = (name: string) => join(folder, name)
  const elsewhere = { CLAUDE_CONFIG_DIR: "", CODEX_HOME: "", COPILOT_HOME: "" }
  const env = { HOME: folder, MCP_LIFELINE_STATE: path("state"), XDG_CONFIG_HOME: path(".config"), ...elsewhere }
  mkdirSync(path("project"))
  return {
    folder,
    path,
    write: (name: string, text: string | Buffer) => {
      mkdirSync(dirname(path(name)), { recursive: true })
      writeFileSync(path(name), text)
      return path(name)
    },
    read: (name: string) => readFileSync(path(name), "utf8"),
    adopt: (...args: ReadonlyArray<string>) => Program.run(["adopt", ...args], env, path("project"))
  }
})

const files = (name: string, more = "") =>
  JSON.stringify({ mcpServers: { [name]: { command: "npx", args: ["files"] } } }, null, 2) + more

const isWrapped = (text: string) => /\bwrap\b/.test(text)

describe("adopt", () => {
  test.scopedLive("[W7] finds the file of each host in its place, changes it, a second time nothing, and --undo brings back its bytes", function*() {
    const { adopt, folder, path, read, write } = yield* home
    const machine = { platform: "linux", env: {}, home: folder, cwd: join(folder, "project") } as const
    const written = new Map<string, string>()
    for (const name of readdirSync(fixtures).filter((name) => !name.includes(".after."))) {
      const extension = name.split(".").at(-1) ?? ""
      const place = places(machine).find(({ host, path, scope }) =>
        host.id === name.split(".")[0] && path.endsWith(`.${extension}`) && !path.includes("*") &&
        // The user file of Claude Code has a test of its own.
        (host.id !== "claude-code" || scope === "project") &&
        (name !== "vscode.settings.json" || path.endsWith("settings.json")) &&
        !written.has(path.slice(folder.length + 1))
      )
      if (place === undefined) throw new Error(`no place for ${name}`)
      const file = place.path.slice(folder.length + 1)
      const text = readFileSync(new URL(name, fixtures), "utf8")
      write(file, text)
      written.set(file, text)
    }
    expect(written.size).toBeGreaterThan(hosts.length)
    const first = yield* adopt("--yes")
    expect(first).toMatchObject({ code: 0, stderr: "" })
    const adopted = new Map([...written.keys()].map((file) => [file, read(file)]))
    for (const [file, text] of adopted) expect([file, isWrapped(text)]).toEqual([file, true])
    expect(yield* adopt("--yes")).toMatchObject({ code: 0, stderr: "" })
    for (const [file, text] of adopted) expect(read(file)).toBe(text)
    expect(statSync(path("state")).mode & 0o777).toBe(0o700)
    for (const copy of readdirSync(path("state/adopted"))) {
      expect(statSync(path(`state/adopted/${copy}`)).mode & 0o777).toBe(0o600)
    }
    const undone = yield* adopt("--undo", "--yes")
    expect(undone).toMatchObject({ code: 0, stderr: "" })
    for (const [file, text] of written) expect(read(file)).toBe(text)
    expect(readdirSync(path("state/adopted"))).toEqual([])
    expect((yield* adopt("--undo", "--yes")).stdout).toContain("Nothing to undo")
  })

  test.scopedLive("[W7] without a terminal and without --yes it shows the change, makes none, and ends with 1; --dry-run with 0", function*() {
    const { adopt, path, read, write } = yield* home
    const file = write("mcp.json", files("one"))
    const asked = yield* adopt(file)
    expect(asked).toMatchObject({ code: 1, stderr: "" })
    expect(asked.stdout).toMatch(/^\+.*"wrap"/m)
    expect(asked.stdout).toContain("--yes")
    expect(asked.stdout).not.toContain("\u001B")
    const dry = yield* adopt(file, "--dry-run")
    expect(dry.code).toBe(0)
    expect(dry.stdout).toMatch(/^\+.*"wrap"/m)
    expect(read("mcp.json")).toBe(files("one"))
    expect(existsSync(path("state"))).toBe(false)
  })

  test.scopedLive("[W7] one bad file does not stop the others: each is named with the remedy, and the exit code is 1", function*() {
    const { adopt, read, write } = yield* home
    write(".cursor/mcp.json", '{ "mcpServers": ')
    write(".codeium/windsurf/mcp_config.json", Buffer.from([0xFF, 0xFE, 0x7B, 0x00]))
    write(".junie/mcp/mcp.json", files("one"))
    chmodSync(write(".lmstudio/mcp.json", files("two")), 0o444)
    write(".kiro/settings/mcp.json", "")
    const { code, stdout } = yield* adopt("--yes")
    expect(code).toBe(1)
    expect(stdout).toMatch(/Cursor: .*line 1: not valid JSON/)
    expect(stdout).toMatch(/Windsurf: .*UTF-8/)
    expect(stdout).toMatch(/LM Studio: .*read-only.*chmod u\+w/)
    expect(isWrapped(read(".junie/mcp/mcp.json"))).toBe(true)
    expect(read(".lmstudio/mcp.json")).toBe(files("two"))
    expect(stdout).toContain("Wrapped 1 server in 1 file")
  })

  test.scopedLive("[W7] a symbolic link stays one, its file is changed with the mode that it has, and is found once", function*() {
    const { adopt, path, read, write } = yield* home
    chmodSync(write("dotfiles/mcp.json", files("one")), 0o640)
    mkdirSync(path(".cursor"))
    symlinkSync(path("dotfiles/mcp.json"), path(".cursor/mcp.json"))
    expect((yield* adopt("--yes")).code).toBe(0)
    expect(lstatSync(path(".cursor/mcp.json")).isSymbolicLink()).toBe(true)
    expect(isWrapped(read("dotfiles/mcp.json"))).toBe(true)
    expect(statSync(path("dotfiles/mcp.json")).mode & 0o777).toBe(0o640)
    expect(readdirSync(path("dotfiles"))).toEqual(["mcp.json"])
    expect((yield* adopt("--undo", "--yes", path(".cursor/mcp.json"))).code).toBe(0)
    expect(read("dotfiles/mcp.json")).toBe(files("one"))
  })

  test.scopedLive("[W7] --only takes the servers that are named, also back; a name that nobody has ends with 1", function*() {
    const { adopt, read, write } = yield* home
    const mcpServers = { one: { command: "a" }, two: { command: "b" }, three: { command: "c" } }
    const text = JSON.stringify({ mcpServers }, null, 2)
    const file = write("mcp.json", text)
    const commands = () =>
      Object.values(JSON.parse(read("mcp.json")).mcpServers).map((one) => (one as { command: string }).command)
    expect((yield* adopt(file, "--only", "one", "--only", "two", "--yes")).code).toBe(0)
    expect(commands()).toEqual([node, node, "c"])
    const missing = yield* adopt(file, "--only", "four", "--yes")
    expect(missing.code).toBe(1)
    expect(missing.stdout).toContain("No server is called four")
    expect(missing.stdout).toContain("The servers that were found: one, two, three.")
    expect(missing.stdout).not.toContain("No servers were found")
    expect((yield* adopt(file, "--undo", "--only", "two", "--yes")).code).toBe(0)
    expect(commands()).toEqual([node, "b", "c"])
    expect((yield* adopt(file, "--undo", "--yes")).code).toBe(0)
    expect(read("mcp.json")).toBe(text)
  })

  test.scopedLive("[W7] --undo of a file that was changed since unwraps its servers alone, and says so", function*() {
    const { adopt, read, write } = yield* home
    const file = write(
      "mcp.json",
      '{\n  // mine\n  "mcpServers": {\n    "one": { "command": "a", "args": ["x"] },\n    "two": { "command": "b" },\n    "gone": { "command": "c" }\n  }\n}\n'
    )
    expect((yield* adopt(file, "--yes")).code).toBe(0)
    const edited = read("mcp.json").replace("// mine", "// mine, changed").replace('"--", "b"', '"--", "other"')
      .replace(/"gone": .*/, '"new": { "command": "d" }')
    write("mcp.json", edited)
    const { code, stdout } = yield* adopt(file, "--undo", "--yes")
    expect(code).toBe(1)
    expect(stdout).toContain("was changed since")
    expect(stdout).toMatch(/leave +two: it was changed since/)
    expect(read("mcp.json")).toBe(edited.replace(/"one": .*/, '"one": { "command": "a", "args": ["x"] },'))
  })

  test.scopedLive("[W7] several changes of a file are taken back together, also where version control took the first back before", function*() {
    const { adopt, read, write } = yield* home
    const [first, second] = ['{"mcpServers":{"one":{"command":"a"}}}', '{"mcpServers":{"two":{"command":"b"},']
    const file = write("mcp.json", first)
    yield* adopt(file, "--yes")
    write("mcp.json", read("mcp.json").replace('{"mcpServers":{', second))
    yield* adopt(file, "--yes")
    expect((yield* adopt(file, "--undo", "--yes")).code).toBe(0)
    expect(JSON.parse(read("mcp.json"))).toEqual({ mcpServers: { two: { command: "b" }, one: { command: "a" } } })
    write("mcp.json", first)
    yield* adopt(file, "--yes")
    write("mcp.json", first)
    yield* adopt(file, "--yes")
    expect((yield* adopt(file, "--undo", "--yes")).code).toBe(0)
    expect(read("mcp.json")).toBe(first)
  })

  test.scopedLive("[W7] nothing is changed where its copy cannot be kept", function*() {
    const { adopt, read, write } = yield* home
    const file = write("mcp.json", files("one"))
    write("state", "a file where the folder should be")
    const { code, stdout } = yield* adopt(file, "--yes")
    expect(code).toBe(1)
    expect(stdout).toMatch(/is not changed: its copy cannot be kept in .*MCP_LIFELINE_STATE/)
    expect(read("mcp.json")).toBe(files("one"))
  })

  test.scopedLive("[W7] the state of Claude Code is not written: it prints commands without secrets, and changes the file only when it is named", function*() {
    const { adopt, folder, read, write } = yield* home
    const keyed = { command: "x", env: { KEY: "hunter-22" } }
    const mcpServers = { "it's": { type: "stdio", command: "npx", args: ["a b"] }, keyed }
    const projects = { "/work/p": { mcpServers: { local: { command: "y" } } } }
    const text = JSON.stringify({ numStartups: 3, mcpServers, projects }, null, 2)
    const file = write(".claude.json", text)
    const { code, stdout } = yield* adopt("--yes", "--host", "claude-code")
    expect(code).toBe(0)
    expect(read(".claude.json")).toBe(text)
    expect(stdout).toContain(`claude mcp remove 'it'\\''s' --scope user`)
    const entry = { type: "stdio", command: node, args: [gateway, "wrap", "--", "npx", "a b"] }
    expect(stdout).toContain(`claude mcp add-json 'it'\\''s' '${JSON.stringify(entry)}' --scope user`)
    expect(stdout).toContain(`${typed} adopt ${folder}/.claude.json --only keyed --only local`)
    expect(stdout).not.toMatch(/hunter/)
    expect((yield* adopt("--yes", file)).stdout).toContain("quit it and run this command again")
    expect(JSON.parse(read(".claude.json")).projects["/work/p"].mcpServers.local.command).toBe(node)
    expect((yield* adopt("--undo", "--yes")).code).toBe(0)
    expect(read(".claude.json")).toBe(text)
  })

  test.scopedLive("[W7] what commands of Claude Code have wrapped, --undo unwraps with commands, until it is done", function*() {
    const { adopt, folder, read, write } = yield* home
    const servers = {
      files: { type: "stdio", command: "npx", args: ["files"] },
      docs: { type: "http", url: "https://docs.example/mcp" },
      keyed: { command: "x", env: { KEY: "hunter-22" } }
    }
    const file = write(".claude.json", JSON.stringify({ mcpServers: servers }))
    const follow = (stdout: string) => {
      const config = JSON.parse(read(".claude.json"))
      const commands = stdout.matchAll(/claude mcp (remove|add-json) (\S+) '?(.*?)'? ?--scope user/g)
      for (const [, act, name = "", json = ""] of commands) {
        if (act === "remove") delete config.mcpServers[name]
        else config.mcpServers[name] = JSON.parse(json)
      }
      write(".claude.json", JSON.stringify(config))
    }
    const given = () => JSON.parse(read(".claude.json")).mcpServers
    // Also where it is read twice before it is followed.
    yield* adopt("--yes")
    const wrapped = yield* adopt("--yes")
    expect(wrapped.stdout.slice(wrapped.stdout.indexOf("3 servers")).replaceAll(/'\{.*?\}'/g, "JSON")).toBe(
      [
        "3 servers are not wrapped yet.",
        "What is left to do:",
        `  1. Claude Code (keyed): it writes its file while it runs. Quit it, and run: ${typed} adopt ${file} --only keyed`,
        "  2. Claude Code (files, docs): run these commands.",
        ...["files", "docs"].flatMap((name) => [`remove ${name}`, `add-json ${name} JSON`]).map((words) =>
          `       claude mcp ${words} --scope user`
        ),
        "  3. Restart the hosts: they read their files when they start.",
        ""
      ].join("\n")
    )
    follow(wrapped.stdout)
    expect((yield* adopt(file, "--yes", "--only", "keyed")).code).toBe(0)
    expect(Object.values(given()).every((one) => isWrapped(JSON.stringify(one)))).toBe(true)
    const undone = yield* adopt("--undo", "--yes", "--host", "claude-code")
    expect(undone.code).toBe(0)
    expect(undone.stdout).toContain("3 servers are not unwrapped yet.")
    expect(undone.stdout).toContain(`run: ${typed} adopt ${folder}/.claude.json --undo --only keyed`)
    expect(undone.stdout).not.toMatch(/hunter/)
    follow(undone.stdout)
    expect((yield* adopt(file, "--undo", "--yes", "--only", "keyed")).code).toBe(0)
    expect(given()).toEqual(servers)
    yield* adopt("--undo", "--yes")
    expect((yield* adopt("--undo", "--yes")).stdout).toBe("Nothing to undo: no copies are kept.\n")
  })

  test.scopedLive("[W7] a file of a project in Git is asked for by itself, and with --yes changed only if it is named", function*() {
    const { adopt, path, read, write } = yield* home
    const file = write("project/.mcp.json", files("one"))
    mkdirSync(path(".git"))
    const refused = yield* adopt("--yes")
    expect(refused.code).toBe(1)
    expect(refused.stdout).toContain("others who have this project get this command, and need mcp-lifeline as well")
    expect(refused.stdout).toContain(`run: ${typed} adopt ${file} --yes`)
    expect(read("project/.mcp.json")).toBe(files("one"))
    expect((yield* adopt(file, "--yes")).code).toBe(0)
    expect(isWrapped(read("project/.mcp.json"))).toBe(true)
    expect((yield* adopt("--undo", "--yes")).code).toBe(0)
    expect(read("project/.mcp.json")).toBe(files("one"))
  })

  test.scopedLive("[W7] --json prints one document and asks nothing", function*() {
    const { adopt, write } = yield* home
    const file = write("mcp.json", files("one"))
    const run = (...args: ReadonlyArray<string>) =>
      Effect.map(adopt(file, "--json", ...args), ({ code, stdout }) => ({ code, ...JSON.parse(stdout) }))
    const messages = ["Not changed, because --json asks nothing; --yes changes it."]
    const unasked = { code: 1, exitCode: 1, files: [{ file, status: "not asked", messages }] }
    expect(yield* run()).toMatchObject(unasked)
    const dry = { code: 0, files: [{ status: "would change", diff: expect.any(Array) }] }
    expect(yield* run("--dry-run")).toMatchObject(dry)
    const changed = { code: 0, files: [{ status: "changed", servers: [{ name: "one", outcome: "wrapped" }] }] }
    expect(yield* run("--yes")).toMatchObject(changed)
    const unchanged = { code: 0, files: [{ status: "nothing to do", servers: [{ outcome: "already wrapped" }] }] }
    expect(yield* run("--yes")).toMatchObject(unchanged)
  })

  test.scopedLive("[W7] where nothing is found it says so and ends with 0; a file that is not there ends with 1; --help names all hosts", function*() {
    const { adopt, path } = yield* home
    expect(yield* adopt("--host", "cursor")).toMatchObject({
      code: 0,
      stdout: `No servers were found. If a file has some, name it: ${typed} adopt path/mcp.json\n`,
      stderr: ""
    })
    const missing = yield* adopt(path("none.json"))
    expect(missing.code).toBe(1)
    expect(missing.stdout).toMatch(/none\.json is not there; check the path/)
    const help = yield* adopt("--help")
    expect(help.code).toBe(0)
    for (const { id } of hosts) expect(help.stdout).toMatch(new RegExp(`\\b${id}\\b`))
  })

  test.scopedLive.each<[ReadonlyArray<string>, RegExp]>([
    [["--host", "emacs"], /--host emacs is not known; accepted: .*zed/],
    [["--host"], /--host needs a value/],
    [["--host", "zed", "x.json"], /cannot be combined/],
    [["--hots", "zed"], /unknown option --hots; did you mean --host\?/],
    [["a.json", "b.json"], /adopt takes only FILE/],
    [["--yes=1"], /--yes takes no value/],
    [["--only="], /--only needs a value/]
  ])("[W7] a wrong command line ends with 2 and one line that says what is right: %j", function*([args, message]) {
    const { adopt } = yield* home
    const { code, stderr, stdout } = yield* adopt(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
    expect(stderr).toMatch(/^mcp-lifeline: [^\n]+(; see|\? See) mcp-lifeline adopt --help\n$/)
    expect(stderr).toMatch(message)
  })
})

describe("on a terminal", () => {
  const asked = (args: ReadonlyArray<string>, state: string, answer: () => boolean, colour = false) => {
    const [lines, questions]: [Array<string>, Array<string>] = [[], []]
    const terminal = {
      canAsk: true,
      colour,
      line: (text: string) => Effect.sync(() => void lines.push(text)),
      ask: (question: string) =>
        Effect.sync(() => {
          lines.push(question)
          questions.push(question)
          return answer()
        })
    }
    return Adopt.run(adoptOf(...args), terminal).pipe(
      Effect.provide(StateFolder.layerAt(state)),
      Effect.map((code) => ({ code, text: lines.join("\n"), questions }))
    )
  }

  test.scopedLive("[W7] it asks after the change was shown in colour, and changes the file only after a yes", function*() {
    const { path, read, write } = yield* home
    const run = (args: ReadonlyArray<string>, answer: boolean) => asked(args, path("state"), () => answer, true)
    const file = write("mcp.json", files("one"))
    const no = yield* run([file], false)
    expect(no.code).toBe(0)
    expect(no.text).toContain("\u001B[32m+")
    expect(no.text).toMatch(/\+ .*"wrap"[\s\S]*Change this file\?[\s\S]*Not changed/)
    expect(read("mcp.json")).toBe(files("one"))
    const yes = yield* run([file], true)
    expect(yes.code).toBe(0)
    expect(isWrapped(read("mcp.json"))).toBe(true)
    const nobody = { code: 1, text: "No server is called two among those that were wrapped." }
    expect(yield* run(["--undo", "--only", "two"], true)).toEqual({ ...nobody, questions: [] })
    expect((yield* run(["--undo", file], true)).text).toMatch(/Change this file\?/)
    expect(read("mcp.json")).toBe(files("one"))
  })

  test.scopedLive("[W7] a file that changes while it asks is not overwritten", function*() {
    const { path, read, write } = yield* home
    const file = write("mcp.json", files("one"))
    const { code } = yield* asked([file], path("state"), () => write("mcp.json", files("other")) !== "")
    expect(code).toBe(1)
    expect(read("mcp.json")).toBe(files("other"))
    expect(readdirSync(path("state/adopted"))).toEqual([])
  })

  test.scopedLive("[W7] a link of a project that leads out of it: the real file is named, asked for by itself, and refused with --yes", function*() {
    const { adopt, folder, path, read, write } = yield* home
    const real = write("elsewhere/mcp.json", files("one"))
    mkdirSync(path("project/.cursor"))
    symlinkSync(real, path("project/.cursor/mcp.json"))
    const refused = yield* adopt("--yes")
    expect(refused.code).toBe(1)
    expect(refused.stdout).toContain(`${path("project/.cursor/mcp.json")}, a symbolic link to ${real}`)
    expect(refused.stdout).toContain(`run: ${typed} adopt ${real}`)
    const json = yield* adopt("--yes", "--json")
    expect(JSON.parse(json.stdout)).toMatchObject({ exitCode: 1, files: [{ leadsTo: real, status: "not asked" }] })
    expect(read("elsewhere/mcp.json")).toBe(files("one"))

    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const before = process.cwd()
        process.chdir(join(folder, "project"))
        return before
      }),
      (before) => Effect.sync(() => process.chdir(before))
    )
    const answered = (...rest: Array<boolean>) =>
      asked([".cursor/mcp.json"], path("state"), () => rest.shift() ?? false)
    expect((yield* answered(true, false)).questions).toEqual([
      expect.stringContaining("Change this file?"),
      expect.stringContaining(`This changes ${real}, which is outside of this project.`)
    ])
    expect(read("elsewhere/mcp.json")).toBe(files("one"))
    yield* answered(true, true)
    expect(isWrapped(read("elsewhere/mcp.json"))).toBe(true)
    // What was agreed to is taken back without another question.
    expect((yield* adopt("--undo", "--yes")).code).toBe(0)
    expect(read("elsewhere/mcp.json")).toBe(files("one"))
    // A folder that is a link leads out as well; a link within the project does not.
    rmSync(path("project/.cursor"), { recursive: true })
    symlinkSync(path("elsewhere"), path("project/.cursor"))
    expect((yield* adopt("--yes")).stdout).toContain("outside of this project")
    rmSync(path("project/.cursor"))
    mkdirSync(path("project/.cursor"))
    write("project/shared.json", files("one"))
    symlinkSync("../shared.json", path("project/.cursor/mcp.json"))
    const inside = yield* adopt("--yes")
    expect(inside.code).toBe(0)
    expect(inside.stdout).toContain(`a symbolic link to ${path("project/shared.json")}`)
    expect(isWrapped(read("project/shared.json"))).toBe(true)
  })

  test.scopedLive("[W7] a file with another name (a hard link) is changed under both", function*() {
    const { adopt, path, read, write } = yield* home
    const file = write("mcp.json", files("one"))
    linkSync(file, path("other.json"))
    expect((yield* adopt(file, "--yes")).code).toBe(0)
    expect(isWrapped(read("mcp.json"))).toBe(true)
    expect(read("other.json")).toBe(read("mcp.json"))
    expect(statSync(file).nlink).toBe(2)
  })

  test.scopedLive("[W7] short values of headers, variables and secret options are not shown either, in no form", function*() {
    const { adopt, write } = yield* home
    const [args, env] = [["--token", "t0k", "--port", "80"], { PASSWORD: "p4s", PIN: 4711, OTHER: "${REF}" }]
    const docs = { url: "https://docs.example/mcp", headers: { "X-Key": "s3c" } }
    const file = write("mcp.json", JSON.stringify({ mcpServers: { docs, files: { command: "x", args, env } } }))
    for (const form of [[], ["--json"]]) {
      const { stdout } = yield* adopt(file, "--dry-run", ...form)
      expect(stdout).not.toMatch(/s3c|t0k|p4s|4711/)
      expect(stdout.replaceAll("\\", "")).toContain('"PASSWORD":"***","PIN":***,"OTHER":"${REF}"')
    }
  })
})
