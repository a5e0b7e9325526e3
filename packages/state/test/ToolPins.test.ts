import { Effect } from "effect"
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "../../testing/test/support/vitest.js"
import * as StateFolder from "../src/StateFolder.js"
import * as ToolPins from "../src/ToolPins.js"

const path = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lifeline-pins-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const pins = (path: string) => Effect.provide(ToolPins.make, StateFolder.layerAt(path))

const origin = { command: "server", args: ["--fast"] }
const kept = { approved: [["read", { digest: "1", text: "{}" }]] as const, found: [] }

const damages: Readonly<Record<string, (file: string) => void>> = {
  "is empty": (file) => writeFileSync(file, ""),
  "is cut off": (file) => writeFileSync(file, readFileSync(file, "utf8").slice(0, -5)),
  "is of another form": (file) => writeFileSync(file, JSON.stringify({ server: "s", approved: "all" })),
  "can be written by others": (file) => chmodSync(file, 0o666),
  "is a folder": (file) => {
    rmSync(file)
    mkdirSync(file)
  },
  "is a link": (file) => {
    rmSync(file)
    symlinkSync("/nowhere", file)
  }
}

test.scoped.each(Object.keys(damages))(
  "[G24] a file that %s is not taken for none, and nothing replaces it unasked",
  function*(how) {
    const folder = yield* path
    const before = (yield* pins(folder)).of("s", origin)
    yield* before.update(() => kept)
    const [name = ""] = readdirSync(join(folder, "tool-pins"))
    const file = join(folder, "tool-pins", name)
    damages[how]!(file)
    const all = yield* pins(folder)
    const store = all.of("s", origin)
    const found = yield* store.get
    expect(found).toMatchObject({ _tag: "Unreadable", file, reason: expect.stringMatching(/./) })
    expect(yield* store.update((found) => found)).toMatchObject({ _tag: "Unreadable" })
    expect(yield* (yield* pins(folder)).of("s", origin).get).toMatchObject({ _tag: "Unreadable" })
    // It is found by the server's name, although nobody can read whose it is; and those of other servers are not.
    expect(yield* Effect.forEach(yield* all.named("s"), ({ get }) => get)).toMatchObject([{ _tag: "Unreadable" }])
    expect(yield* all.named("t")).toEqual([])
    expect(yield* all.of("s", { url: "http://127.0.0.1/" }).get).toBeUndefined()
    if (how === "is a folder") return
    yield* store.update(() => kept)
    expect(yield* (yield* pins(folder)).of("s", origin).get).toMatchObject(kept)
  }
)

test.scoped("[G24] what is removed is not there any more; a folder that others can write is no proof of that", function*() {
  const folder = yield* path
  const store = (yield* pins(folder)).of("s", origin)
  expect(yield* store.get).toBeUndefined()
  yield* store.update(() => kept)
  yield* store.update(() => undefined)
  expect(readdirSync(join(folder, "tool-pins"))).toEqual([])
  expect(yield* store.get).toBeUndefined()
  chmodSync(join(folder, "tool-pins"), 0o777)
  const all = yield* pins(folder)
  expect(yield* all.of("s", origin).get).toMatchObject({ _tag: "Unreadable" })
  expect(yield* Effect.flip(all.named("s"))).toMatchObject({ message: expect.stringContaining("cannot be read") })
})

test.scopedLive("[G24] what was approved is kept for three years in which nobody uses it, so that a server that comes back is no new one", function*() {
  const state = yield* path
  const files = join(state, "tool-pins")
  const isKept = (name: string) => readdirSync(files).includes(name)
  const aged = []
  for (const days of [1, 2 * 365, 4 * 365]) {
    mkdirSync(files, { recursive: true, mode: 0o700 })
    const before = readdirSync(files)
    yield* (yield* pins(state)).of(`unused for ${days} days`, origin).update(() => kept)
    const name = readdirSync(files).find((one) => !before.includes(one))!
    aged.push(name)
    const used = Date.now() / 1000 - days * 24 * 60 * 60
    utimesSync(join(files, name), used, used)
  }
  yield* (yield* pins(state)).of("another", origin).update(() => kept)
  expect(aged.map(isKept)).toEqual([true, true, false])
})
