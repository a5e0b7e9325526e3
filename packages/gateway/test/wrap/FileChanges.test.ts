import { Chunk, Effect, Stream, TestClock } from "effect"
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { setImmediate } from "node:timers/promises"
import { assert, describe, it } from "vitest"
import * as FileChanges from "../../src/wrap/FileChanges.js"
import { test } from "../support/vitest.js"

const watching = async (name = "dist") => {
  const path = mkdtempSync(join(tmpdir(), "lifeline-watch-"))
  const folder = join(path, "dist")
  const file = join(folder, "server.mjs")
  mkdirSync(join(folder, "node_modules"), { recursive: true })
  writeFileSync(file, "first")
  symlinkSync(folder, join(path, "link"))
  const watched = { folder: join(path, name), isOpened: (path: string) => !path.includes("node_modules") }
  const look = (before: FileChanges.Files) => FileChanges.below([{ ...watched, counts: () => true }], before)
  let before = await look(new Map())
  return {
    folder,
    file,
    watched,
    write: (name: string, text: string) => {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    },
    /** What has changed since it was asked last. */
    changes: async (): Promise<ReadonlyArray<string>> => {
      const now = await look(before)
      const paths = FileChanges.between(before, now)
      before = now
      return paths.map((path) => path.slice(watched.folder.length + 1)).toSorted()
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true })
  }
}

const part = join("inner", "part.mjs")

describe("--watch", () => {
  it("[W4] a file that was written counts, one that was only read does not, nor does the folder around it", async () => {
    using one = await watching()
    assert.deepStrictEqual(await one.changes(), [])
    one.write("server.mjs", "second")
    assert.deepStrictEqual(await one.changes(), ["server.mjs"])
    assert.deepStrictEqual(await one.changes(), [])
    mkdirSync(join(one.folder, "inner"))
    assert.deepStrictEqual(await one.changes(), [])
    one.write(part, "new")
    assert.deepStrictEqual(await one.changes(), [part])
    rmSync(join(one.folder, part))
    assert.deepStrictEqual(await one.changes(), [part])
    rmdirSync(join(one.folder, "inner"))
    assert.deepStrictEqual(await one.changes(), [])
    one.write(basename(one.folder), "a file of the folder's name")
    assert.deepStrictEqual(await one.changes(), [basename(one.folder)])
  })

  it("[W4] a file that is replaced by another of its name is seen each time", async () => {
    using one = await watching()
    const { mtime } = statSync(one.file)
    for (const text of ["1", "2", "3", "4"]) {
      one.write("server.mjs.new", text)
      utimesSync(`${one.file}.new`, mtime, mtime)
      renameSync(`${one.file}.new`, one.file)
      assert.deepStrictEqual(await one.changes(), ["server.mjs"])
    }
  })

  it("[W4] a copy with an older date counts, as copies on Windows keep the date", async () => {
    using one = await watching()
    one.write("server.mjs", "other")
    utimesSync(one.file, 1, 1)
    assert.deepStrictEqual(await one.changes(), ["server.mjs"])
  })

  it("[W4] all files of a folder count that was moved here, was removed, or has another name", async () => {
    using one = await watching()
    const deep = join("deep", "part.mjs")
    one.write(join("inner", deep), "new")
    assert.deepStrictEqual(await one.changes(), [join("inner", deep)])
    renameSync(join(one.folder, "inner"), join(one.folder, "other"))
    assert.deepStrictEqual(await one.changes(), [join("inner", deep), join("other", deep)])
    rmSync(one.file)
    assert.deepStrictEqual(await one.changes(), ["server.mjs"])
    assert.deepStrictEqual(await one.changes(), [])
  })

  it("[W4] nothing in a folder counts that is not opened", async () => {
    using one = await watching()
    one.write(join("node_modules", "x", "index.js"), "new")
    assert.deepStrictEqual(await one.changes(), [])
    one.write(part, "new")
    one.write("server.mjs", "second")
    assert.deepStrictEqual(await one.changes(), [part, "server.mjs"])
  })

  it("[W4] a folder that is removed, renamed, or not there at first is watched when it is, and what differs counts", async () => {
    using one = await watching()
    rmSync(one.folder, { recursive: true })
    assert.deepStrictEqual(await one.changes(), ["server.mjs"])
    assert.deepStrictEqual(await one.changes(), [])
    one.write("server.mjs", "again")
    one.write("same.mjs", "as it was")
    assert.deepStrictEqual(await one.changes(), ["same.mjs", "server.mjs"])
    renameSync(one.folder, `${one.folder}.old`)
    one.write("server.mjs", "in another folder")
    assert.deepStrictEqual(await one.changes(), ["same.mjs", "server.mjs"])
    one.write("server.mjs", "and on")
    assert.deepStrictEqual(await one.changes(), ["server.mjs"])
  })

  it("[W4] files are reported under the name of the folder that was given", async () => {
    using one = await watching("link")
    one.write("server.mjs", "second")
    assert.deepStrictEqual(await one.changes(), ["server.mjs"])
  })

  test.scoped(
    "[W4] files that change one after the other come together, once nothing more changes, and no folder is held open",
    function*() {
      const one = yield* Effect.acquireRelease(
        Effect.promise(() => watching()),
        (one) => Effect.sync(() => one[Symbol.dispose]())
      )
      const all: Array<ReadonlyArray<string>> = []
      const changes = yield* FileChanges.of([{ ...one.watched, counts: (path) => path !== one.file }])
      yield* Effect.fork(Stream.runForEach(changes, (files) => Effect.sync(() => all.push([...files].toSorted()))))
      const rests = Effect.zipRight(Effect.promise(() => setImmediate()), TestClock.sleeps())
      const look = Effect.zipRight(
        TestClock.adjust("250 millis"),
        Effect.repeat(rests, { until: (sleeps) => !Chunk.isEmpty(sleeps) })
      )
      const names = ["a", "b", "c"].map((name) => join(one.folder, name))
      yield* look
      for (const name of names) {
        writeFileSync(name, "")
        writeFileSync(one.file, name)
        yield* look
        assert.deepStrictEqual(all, [])
      }
      assert.isFalse(process.getActiveResourcesInfo().some((name) => name.startsWith("FSEvent")))
      yield* look
      assert.deepStrictEqual(all.splice(0), [names])
      rmSync(names[0]!)
      yield* look
      yield* look
      yield* look
      assert.deepStrictEqual(all, [[names[0]!]])
    }
  )
})
