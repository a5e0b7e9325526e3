import { Backend } from "@mcp-lifeline/core"
import { Deferred, Effect, Fiber } from "effect"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Watch from "../../src/wrap/Watch.js"
import { WatchedVersion } from "../../src/wrap/WatchedVersion.js"
import { initialized, stateFolder, wrap } from "../support/Host.js"
import * as RawServer from "../support/RawServer.js"
import { scripted } from "../support/Scripted.js"
import { assert, describe, it, test } from "../support/vitest.js"

const watching = () => {
  const path = mkdtempSync(join(tmpdir(), "lifeline-watch-"))
  const folder = join(path, "dist")
  mkdirSync(folder)
  writeFileSync(join(folder, "server.mjs"), "first")
  return { folder, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

describe("--watch", () => {
  it("[W4] a glob may be absolute, a file or a folder; of a program from elsewhere nothing else counts than itself", () => {
    const [absolute] = Watch.watched("/some/where/**/*.mjs", "node", [])
    assert.deepEqual([absolute?.folder, absolute?.counts("/some/where/in/a.mjs")], ["/some/where", true])
    assert.isFalse(absolute?.counts("/some/where/in/a.txt"))
    const current = process.cwd()
    for (const glob of ["src/**/*.ts", "./src/**/*.ts"]) {
      const [below] = Watch.watched(glob, "node", [])
      assert.deepEqual([below?.folder, below?.counts(join(current, "src", "in", "a.ts"))], [join(current, "src"), true])
    }
    const [file] = Watch.watched("package.json", "node", [])
    assert.deepEqual([file?.folder, file?.counts(join(current, "package.json"))], [current, true])
    assert.isFalse(file?.counts(join(current, "package.json.other")))
    const [folder] = Watch.watched("node_modules/", "node", [])
    const inModules = [join(current, "node_modules"), true]
    assert.deepEqual([folder?.folder, folder?.counts(join(current, "node_modules", "a"))], inModules)
    const [program, ...others] = Watch.watched(undefined, process.execPath, ["--version"])
    assert.deepEqual(others, [])
    assert.isTrue(program?.counts(process.execPath))
    assert.isFalse(program?.counts(`${process.execPath}.other`))
  })

  it("[W4] a version that ends as it is started is started once, and calls fail at once until the next change", async () => {
    using state = stateFolder()
    using one = watching()
    const journal = join(state.path, "journal")
    const works = scripted(`send(said(String(process.pid)))`, journal).at(-1)!
    const file = join(one.folder, "server.mjs")
    const starts = (): number => readFileSync(journal, "utf8").length
    writeFileSync(file, works)
    await using host = await initialized(["--watch", "--", process.execPath, file], { state: state.path })
    const before = await host.call("pid")
    writeFileSync(journal, "")
    writeFileSync(file, works.replace("const heard", `throw new Error("a mistake of the author")\nconst heard`))
    await host.until(() =>
      /does not start: .*; the next change of a watched file starts it again/.test(host.stderr) || undefined
    )
    for (const _ of [1, 2, 3]) {
      const { error } = await host.request("tools/call", { name: "pid", arguments: {} })
      assert.match(
        error?.message ?? "",
        /^\S+ does not connect by itself: .*a mistake of the author.* The next change of a watched file starts the server again/s
      )
      assert.notInclude(error?.message ?? "", "automatically")
      assert.strictEqual(error?.data.state, "Disconnected")
    }
    assert.strictEqual(starts(), 1)
    writeFileSync(file, works)
    let after: string | undefined
    while (after === undefined) after = await host.call("pid").catch(() => undefined)
    assert.notStrictEqual(after, before)
    assert.strictEqual(starts(), 2)
    // One that has been connected is started again as always.
    process.kill(Number(after), "SIGKILL")
    let again: string | undefined
    while (again === undefined) again = await host.call("pid").catch(() => undefined)
    assert.notStrictEqual(again, after)
    assert.strictEqual(starts(), 3)
  })

  it("[W4] what Lifeline itself writes into a watched folder restarts nothing", async () => {
    using one = watching()
    const file = join(one.folder, "server.mjs")
    const server = readFileSync(new URL("../fixtures/who.mjs", import.meta.url))
    writeFileSync(file, server)
    const [state, log, record, audit] = ["state", "a.log", "a.jsonl", "audit"].map((name) => join(one.folder, name))
    const files = [...["--log", log!], ...["--record", record!], ...["--audit", audit!]]
    await using host = await initialized(["--watch", ...files, "--", process.execPath, file], { state: state! })
    for (const _ of [1, 2]) {
      const before = JSON.parse(await host.call("who")).pid
      writeFileSync(file, server)
      writeFileSync(`${audit}.1`, "") // As a full file is kept.
      let after = before
      while (after === before) after = await host.call("who").then((text) => JSON.parse(text).pid, () => before)
    }
    // What is written last would be seen within this time.
    await new Promise((resolve) => setTimeout(resolve, 600))
    for (const own of [state, log, record]) assert.isTrue(existsSync(own!), own)
    const changed = [...host.stderr.matchAll(/mcp-lifeline: (.*) has changed/g)].map(([, name]) => name)
    assert.deepEqual([...new Set(changed)], [file])
  })

  it("[W4:unit] what belongs to a file or folder of Lifeline is it, what is in it, and a full file that is kept", () => {
    using one = watching()
    const at = (name: string): string => join(one.folder, name)
    const isOwn = Watch.ownedBy([at("rec"), at("state")])(one.folder)
    for (const name of ["rec", "rec.1", "rec.12", "state", "state/cache/a.json"]) assert.isTrue(isOwn(at(name)), name)
    for (const name of ["rec.mjs", "rec.1.mjs", "record", "states", "states/a.json", "src/rec"]) {
      assert.isFalse(isOwn(at(name)), name)
    }
  })

  it.skipIf(process.platform === "win32")(
    "[W4] a file of Lifeline restarts nothing where the folder, or the file, is named through a symbolic link",
    async () => {
      for (const [isWatchedByLink, isNamedByLink] of [[false, true], [true, false], [true, true]] as const) {
        using one = watching()
        const link = join(one.folder, "..", "link")
        symlinkSync(one.folder, link)
        writeFileSync(join(one.folder, "kept"), "")
        symlinkSync(join(one.folder, "kept"), join(one.folder, "audit"))
        const watched = isWatchedByLink ? link : one.folder
        const own = ["rec", "state", "audit"].map((name) => join(isNamedByLink ? link : one.folder, name))
        const changed: Array<string> = []
        await Effect.gen(function*() {
          yield* Watch.start([{ folder: watched, counts: () => true }], own, (file) => changed.push(file))
          mkdirSync(join(one.folder, "state"))
          for (const name of ["rec", "rec.1", "state/a.json", "kept"]) writeFileSync(join(one.folder, name), "")
          yield* Effect.sleep("400 millis")
          assert.deepEqual(changed, [])
          writeFileSync(join(one.folder, "rec.mjs"), "")
          for (let i = 0; changed.length === 0 && i < 500; i++) yield* Effect.sleep("20 millis")
          assert.deepEqual(changed, [join(watched, "rec.mjs")])
        }).pipe(Effect.scoped, Effect.runPromise)
      }
    }
  )

  test.scopedLive("[W4] a change while the server is being started starts it once more", function*() {
    const version = new WatchedVersion()
    const server = RawServer.connector(() => undefined)
    const isOpen = yield* Deferred.make<void>()
    const isAsked = yield* Deferred.make<void>()
    let starts = 0
    const connector = version.around({
      ...server,
      connect: (options) =>
        Effect.suspend(() => {
          starts++
          return Effect.zipRight(Deferred.succeed(isAsked, undefined), Deferred.await(isOpen))
        }).pipe(Effect.zipRight(server.connect(options)))
    })
    const backend = yield* Backend.make("edited", { connector })
    yield* Deferred.await(isAsked)
    const twice = [version.restart(backend), version.restart(backend)]
    const restarts = yield* Effect.fork(Effect.all(twice, { concurrency: "unbounded" }))
    yield* Effect.yieldNow()
    yield* Deferred.succeed(isOpen, undefined)
    yield* Fiber.join(restarts)
    assert.strictEqual(starts, 2)
    assert.strictEqual((yield* backend.status).state, "Connected")
  })

  it("[W4] a command line that names no file is said so", async () => {
    await using host = wrap(["--watch", "--", "npx", "some-server"])
    await host.until(() => host.stderr.includes("--watch=GLOB") ? true : undefined)
  })
})
