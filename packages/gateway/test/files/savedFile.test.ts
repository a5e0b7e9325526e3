import { within } from "@mcp-lifeline/state/within"
import { Effect } from "effect"
import { appendFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import * as SavedFile from "../../src/files/savedFile.js"
import { expect, test } from "../support/vitest.js"

const follow = Effect.fnUntraced(function*(file: string) {
  const noticed: Array<string> = []
  const note = (what: string) => Effect.sync(() => void noticed.push(what))
  const before = yield* SavedFile.fingerprint(file, undefined)
  yield* Effect.forkScoped(SavedFile.follow(file, before, { changed: note("changed"), gone: note("gone") }))
  const until = Effect.fnUntraced(function*(count: number) {
    while (noticed.length < count) yield* Effect.sleep("10 millis")
    return noticed
  })
  return { noticed, until }
})

test.scopedLive("[G5] a save that removes the file first is one save", function*() {
  const file = join(yield* folder, "mcp.json")
  writeFileSync(file, "a")
  const { until } = yield* follow(file)
  rmSync(file)
  yield* Effect.sleep("700 millis")
  writeFileSync(file, "b")
  expect(yield* until(1)).toEqual(["changed"])
  rmSync(file)
  expect(yield* until(2)).toEqual(["changed", "gone"])
  writeFileSync(file, "c")
  expect(yield* until(3)).toEqual(["changed", "gone", "changed"])
})

test.scopedLive("[G5] several writes in a moment are one save, also by another file in its place", function*() {
  const path = yield* folder
  const file = join(path, "mcp.json")
  writeFileSync(file, "a")
  const { noticed, until } = yield* follow(file)
  for (let count = 0; count < 5; count++) {
    appendFileSync(file, "b")
    yield* Effect.sleep("20 millis")
  }
  yield* until(1)
  writeFileSync(join(path, "next"), "ab")
  renameSync(join(path, "next"), file)
  yield* until(2)
  // The next looks find nothing new.
  yield* Effect.sleep("2500 millis")
  expect(noticed).toEqual(["changed", "changed"])
})

test.scopedLive("[X1] [G5] a file is as before where its file system does not answer, and that is no file that is gone", function*() {
  const file = join(yield* folder, "file")
  writeFileSync(file, "a")
  const hung = within(file, () => new Promise<never>(() => undefined), 10)
  expect(yield* Effect.promise(() => hung.catch((cause: Error) => cause.name))).toBe("NoAnswer")
  expect(yield* SavedFile.fingerprint(file, "as before")).toBe("as before")
  expect(yield* SavedFile.fingerprint(`${file}.other`, "as before")).toBeUndefined()
})
