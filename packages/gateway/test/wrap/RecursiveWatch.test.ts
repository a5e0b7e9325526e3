import { EventEmitter } from "node:events"
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import type { FSWatcher, watch } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, describe, it } from "vitest"
import { RecursiveWatch } from "../../src/wrap/RecursiveWatch.js"

const watching = () => {
  const path = mkdtempSync(join(tmpdir(), "lifeline-watch-"))
  const folder = join(path, "dist")
  const file = join(folder, "server.mjs")
  mkdirSync(join(folder, "node_modules"), { recursive: true })
  writeFileSync(file, "first")
  const seen: Array<string> = []
  const watchers: Array<EventEmitter> = []
  let isClosed = false
  let report: (event: "rename" | "change", name: string | null) => void = assert.fail
  let wake: () => void = () => undefined
  const native = (_: unknown, options: unknown, listener: typeof report): FSWatcher => {
    assert.deepStrictEqual(options, { recursive: true })
    report = listener
    isClosed = false
    const watcher = Object.assign(new EventEmitter(), { close: () => isClosed = true })
    watchers.push(watcher)
    wake()
    return watcher as unknown as FSWatcher
  }
  const watch_ = new RecursiveWatch(folder, {
    isOpened: (path) => !path.includes("node_modules"),
    onChange: (changed) => seen.push(changed.slice(folder.length + 1)),
    onError: assert.fail
  }, native as typeof watch)
  return {
    folder,
    file,
    write: (name: string, text: string) => {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    },
    report: (event: "rename" | "change", name: string | null) => {
      report(event, name)
      return seen.splice(0).toSorted()
    },
    isClosed: () => isClosed,
    seen: () => seen.splice(0).toSorted(),
    /** As Windows does when the folder is removed. */
    fail: () => watchers.at(-1)?.emit("error", Object.assign(new Error("EPERM"), { code: "EPERM" })),
    opened: async (count: number): Promise<void> => {
      while (watchers.length < count) {
        await new Promise<void>((resolve) => (wake = resolve))
      }
      // What is there is compared in the same step.
      await Promise.resolve()
    },
    [Symbol.dispose]: () => {
      watch_.close()
      rmSync(path, { recursive: true })
    }
  }
}

describe("--watch on Windows", () => {
  it("[W4] a file that was written counts, one that was only read does not, nor does the folder around it", () => {
    using one = watching()
    assert.deepStrictEqual(one.report("change", "server.mjs"), [])
    one.write("server.mjs", "second")
    assert.deepStrictEqual(one.report("change", "server.mjs"), ["server.mjs"])
    assert.deepStrictEqual(one.report("change", "server.mjs"), [])
    one.write(join("inner", "part.mjs"), "new")
    assert.deepStrictEqual(one.report("change", "inner"), [])
    assert.deepStrictEqual(one.report("change", join("inner", "part.mjs")), [join("inner", "part.mjs")])
  })

  it("[W4] a copy with an older date counts, as copies on Windows keep the date", () => {
    using one = watching()
    one.write("server.mjs", "other")
    utimesSync(one.file, 1, 1)
    assert.deepStrictEqual(one.report("change", "server.mjs"), ["server.mjs"])
  })

  it("[W4] all files of a folder count that was moved here, was removed, or has another name", () => {
    using one = watching()
    one.write(join("inner", "deep", "part.mjs"), "new")
    const part = join("deep", "part.mjs")
    assert.deepStrictEqual(one.report("rename", "inner"), [join("inner", part)])
    renameSync(join(one.folder, "inner"), join(one.folder, "other"))
    assert.deepStrictEqual(one.report("rename", "inner"), [join("inner", part)])
    assert.deepStrictEqual(one.report("rename", "other"), [join("other", part)])
    rmSync(one.file)
    assert.deepStrictEqual(one.report("rename", "server.mjs"), ["server.mjs"])
    assert.deepStrictEqual(one.report("rename", "server.mjs"), [])
  })

  it("[W4] nothing in a folder counts that is not opened; where Windows has lost reports, all is looked at", () => {
    using one = watching()
    one.write(join("node_modules", "x", "index.js"), "new")
    assert.deepStrictEqual(one.report("rename", join("node_modules", "x")), [])
    assert.deepStrictEqual(one.report("change", join("node_modules", "x", "index.js")), [])
    one.write(join("inner", "part.mjs"), "new")
    one.write("server.mjs", "second")
    assert.deepStrictEqual(one.report("change", null), [join("inner", "part.mjs"), "server.mjs"])
  })

  it("[W4] a folder that is removed, or renamed without a report, is watched again, and what differs counts", async () => {
    using one = watching()
    rmSync(one.folder, { recursive: true })
    one.fail()
    await new Promise((resolve) => setTimeout(resolve, 600))
    assert.deepStrictEqual(one.seen(), ["server.mjs"])
    one.write("server.mjs", "again")
    await one.opened(2)
    assert.deepStrictEqual(one.seen(), ["server.mjs"])
    one.write("same.mjs", "as it was")
    one.report("rename", "same.mjs")
    renameSync(one.folder, `${one.folder}.old`)
    one.write("server.mjs", "in another folder")
    await one.opened(3)
    assert.deepStrictEqual(one.seen(), ["same.mjs", "server.mjs"])
    one.write("server.mjs", "and on")
    assert.deepStrictEqual(one.report("change", "server.mjs"), ["server.mjs"])
  })

  it("[W4] a folder that is empty is not held open, as it may be there only as long as it is watched", async () => {
    using one = watching()
    rmSync(join(one.folder, "node_modules"), { recursive: true })
    rmSync(one.file)
    assert.deepStrictEqual(one.report("rename", "server.mjs"), ["server.mjs"])
    assert.isTrue(one.isClosed())
    one.write("server.mjs", "again")
    await one.opened(2)
    assert.deepStrictEqual(one.seen(), ["server.mjs"])
  })

  it("[W4] the folder is watched under its full name, and files are reported under the one that was given", () => {
    using one = watching()
    const link = `${one.folder}.link`
    symlinkSync(one.folder, link)
    const seen: Array<string> = []
    const watched: Array<unknown> = []
    let report: (event: string, name: string) => void = assert.fail
    const native = (folder: unknown, _: unknown, listener: typeof report) => {
      watched.push(folder)
      report = listener
      return Object.assign(new EventEmitter(), { close: () => undefined })
    }
    const options = { isOpened: () => true, onChange: (path: string) => seen.push(path), onError: assert.fail }
    const linked = new RecursiveWatch(link, options, native as unknown as typeof watch)
    one.write("server.mjs", "second")
    report("change", "server.mjs")
    linked.close()
    assert.deepStrictEqual([watched, seen], [[realpathSync(one.folder)], [join(link, "server.mjs")]])
  })

  it("[W4] a folder that is not there at first is watched when it is", async () => {
    using one = watching()
    rmSync(one.folder, { recursive: true })
    const seen: Array<string> = []
    let opened: () => void = () => undefined
    const isOpened = new Promise<void>((resolve) => (opened = resolve))
    const later = new RecursiveWatch(
      one.folder,
      { isOpened: () => true, onChange: (path) => seen.push(path), onError: assert.fail },
      (() => {
        opened()
        return Object.assign(new EventEmitter(), { close: () => undefined })
      }) as unknown as typeof watch
    )
    one.write("server.mjs", "first")
    await isOpened
    await Promise.resolve()
    later.close()
    assert.deepStrictEqual(seen, [one.file])
  })
})
