import { Effect, Exit, Logger, Option, Redacted, Schema } from "effect"
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { vi } from "vitest"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import * as StateFolder from "../src/StateFolder.js"
import { statePath } from "../src/statePath.js"
import { within } from "../src/within.js"
import { failing, inNoTime, onWindows } from "./support.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lifeline-state-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return Effect.map(
      Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)),
      (value) => ({ value, lines })
    )
  })

const Secret = Schema.Struct({ url: Schema.String, token: Schema.Redacted(Schema.String) })
const secret = { url: "https://docs.example/mcp", token: Redacted.make("hush-hush") }

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

describe.skipIf(process.platform !== "linux")("what a killed writer has left", () => {
  test.scopedLive("[A2] is removed by who lists the collection, but not while somebody may still write it", function*() {
    const path = yield* folder
    const inside = join(path, "secrets")
    mkdirSync(inside, { mode: 0o700 })
    const [left, fresh, other] = ["a.json.0123456789ab.tmp", "b.json.0123456789ab.tmp", "notes.tmp"] as const
    for (const name of [left, fresh, other]) writeFileSync(join(inside, name), "{", { mode: 0o600 })
    const longAgo = Date.now() / 1000 - 3600
    for (const name of [left, other]) utimesSync(join(inside, name), longAgo, longAgo)
    const state = StateFolder.make(path)
    expect(yield* state.collection("secrets", Secret).entries).toEqual([])
    expect(readdirSync(inside).toSorted()).toEqual([fresh, other])
  })
})

describe.skipIf(process.platform !== "linux")("the state folder", () => {
  it.each<[string, NodeJS.Platform, NodeJS.ProcessEnv, string]>([
    ["linux", "linux", {}, "/home/ann/.local/state/mcp-lifeline"],
    ["linux with XDG_STATE_HOME", "linux", { XDG_STATE_HOME: "/state" }, "/state/mcp-lifeline"],
    [
      "linux with a relative XDG_STATE_HOME",
      "linux",
      { XDG_STATE_HOME: "state" },
      "/home/ann/.local/state/mcp-lifeline"
    ],
    ["macOS", "darwin", {}, "/home/ann/Library/Application Support/mcp-lifeline"],
    ["Windows", "win32", { USERPROFILE: "D:\\ann" }, "D:\\ann\\.mcp-lifeline"],
    ["Windows, in an environment that was copied", "win32", { UserProfile: "D:\\ann" }, "D:\\ann\\.mcp-lifeline"],
    ["Windows with a relative USERPROFILE", "win32", { USERPROFILE: "ann" }, "\\home\\ann\\.mcp-lifeline"],
    ["Windows without variables", "win32", {}, "\\home\\ann\\.mcp-lifeline"],
    ["chosen on Windows", "win32", { mcp_lifeline_state: "/elsewhere" }, "/elsewhere"],
    ["names elsewhere have a case", "linux", { xdg_state_home: "/state" }, "/home/ann/.local/state/mcp-lifeline"],
    ["chosen", "linux", { MCP_LIFELINE_STATE: "/elsewhere", XDG_STATE_HOME: "/state" }, "/elsewhere"],
    ["chosen as nothing", "linux", { MCP_LIFELINE_STATE: "" }, "/home/ann/.local/state/mcp-lifeline"]
  ])("[A2] is where the platform keeps state: %s", (_, platform, env, path) => {
    expect(statePath(platform, env, "/home/ann")).toBe(path)
  })

  test.scopedLive("[A2] keeps values over restarts, for its user alone", function*() {
    const path = join(yield* folder, "new", "folder")
    const first = StateFolder.make(path)
    const kept = first.collection("secrets", Secret)
    expect(yield* kept.get("docs")).toEqual(Option.none())
    expect(yield* kept.entries).toEqual([])
    yield* kept.set("docs", secret)

    const again = StateFolder.make(path).collection("secrets", Secret)
    expect(yield* again.get("docs")).toEqual(Option.some(secret))
    expect(yield* again.entries).toEqual([["docs", secret]])
    expect([path, join(path, "secrets")].map(mode)).toEqual(["700", "700"])
    expect(mode(join(path, "secrets", "docs.json"))).toBe("600")
    expect(readdirSync(join(path, "secrets"))).toEqual(["docs.json"])

    yield* again.remove("docs")
    yield* again.remove("docs")
    expect(yield* kept.get("docs")).toEqual(Option.none())
  })

  test.scopedLive("[A2] closes a folder of its own that others could read, and leaves the user's alone", function*() {
    const path = yield* folder
    chmodSync(path, 0o755)
    mkdirSync(join(path, "secrets"), { mode: 0o755 })
    yield* StateFolder.make(path).collection("secrets", Secret).set("docs", secret)
    expect([path, join(path, "secrets")].map(mode)).toEqual(["755", "700"])
  })

  test.scopedLive("[A2] takes a file that it cannot understand for none, says so once, and shows nothing of it", function*() {
    const path = yield* folder
    const kept = StateFolder.make(path).collection("secrets", Secret)
    yield* kept.set("docs", secret)
    for (const text of ["", "{", '{"token":5,"other":"hush-hush"}']) {
      writeFileSync(join(path, "secrets", "docs.json"), text)
      const fresh = StateFolder.make(path).collection("secrets", Secret)
      const { lines, value } = yield* logged(Effect.all([fresh.get("docs"), fresh.get("docs"), fresh.entries]))
      expect(value).toEqual([Option.none(), Option.none(), []])
      expect(lines).toEqual([expect.stringContaining(join(path, "secrets", "docs.json"))])
      expect(lines.join()).not.toContain("hush")
    }
    yield* kept.set("docs", secret)
    expect(yield* kept.get("docs")).toEqual(Option.some(secret))
  })

  test.scopedLive.each<[string, (path: string) => string]>([
    ["is a file", (path) => join(path, "file", "below")],
    ["is in a file system that takes no folders", () => "/proc/nope"]
  ])("[A2] works from memory where the folder cannot be written, with one warning: it %s", function*([, where]) {
    const path = yield* folder
    writeFileSync(join(path, "file"), "")
    const state = StateFolder.make(where(path))
    const kept = state.collection("secrets", Secret)
    const { lines, value } = yield* logged(Effect.gen(function*() {
      yield* kept.set("docs", secret)
      yield* kept.set("docs", { ...secret, url: "https://other.example/" })
      const found = yield* kept.get("docs")
      const all = yield* kept.entries
      yield* Effect.scoped(state.lock("docs"))
      yield* kept.remove("docs")
      return [found, all, yield* kept.get("docs")]
    }))
    const other = { ...secret, url: "https://other.example/" }
    expect(value).toEqual([Option.some(other), [["docs", other]], Option.none()])
    expect(lines).toEqual([expect.stringContaining("cannot be written")])
    expect(lines[0]).toContain("MCP_LIFELINE_STATE")
  })

  test.scopedLive.each([
    ["EMFILE", "raise the limit of open files (ulimit -n)", "make it writable"],
    ["ENFILE", "raise the limit of open files (ulimit -n)", "make it writable"],
    ["EACCES", "make it writable or name another with MCP_LIFELINE_STATE", "ulimit"]
  ])("[A2:unit] the warning says what helps against %s", function*([code, helps, other]) {
    const kept = StateFolder.make(yield* folder).collection("secrets", Secret)
    yield* failing("rename", () => code)
    const { lines, value } = yield* logged(kept.set("docs", secret))
    expect(value).toBe(false)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain(`${helps}: ${code} of the test`)
    expect(lines[0]).not.toContain(other)
  })

  test.scopedLive("[A2] a file that another program keeps open on Windows stays whole, and one warning names it and what helps", function*() {
    const path = yield* folder
    const kept = StateFolder.make(path).collection("secrets", Secret)
    yield* kept.set("docs", secret)
    yield* onWindows
    yield* failing("rename", () => "EPERM")
    const other = { ...secret, url: "https://other.example/" }
    const { lines, value } = yield* logged(
      inNoTime(
        Effect.flatMap(kept.set("docs", other), (isKept) => Effect.map(kept.get("docs"), (one) => [isKept, one]))
      )
    )
    expect(value).toEqual([false, Option.some(other)])
    expect(lines).toEqual([
      expect.stringMatching(
        /secrets.docs\.json has been open in another program for 3 seconds.*\(EPERM\).*virus scanners.*MCP_LIFELINE_STATE/
      )
    ])
    const another = StateFolder.make(path).collection("secrets", Secret)
    expect(yield* another.get("docs")).toEqual(Option.some(secret))
    expect(readdirSync(join(path, "secrets"))).toEqual(["docs.json"])
    // What another process writes then is newer.
    vi.restoreAllMocks()
    syncBuiltinESMExports()
    yield* another.set("docs", { ...secret, url: "https://newer.example/" })
    expect(Option.map(yield* kept.get("docs"), ({ url }) => url)).toEqual(Option.some("https://newer.example/"))
  })

  test.scopedLive("[A2] what another program has open on Windows for a moment is removed after that", function*() {
    const path = yield* folder
    const kept = StateFolder.make(path).collection("secrets", Secret)
    yield* kept.set("docs", secret)
    yield* onWindows
    let times = 0
    yield* failing("rm", () => ++times < 10 ? "EBUSY" : undefined)
    const { lines } = yield* logged(inNoTime(kept.remove("docs")))
    expect([lines, times, readdirSync(join(path, "secrets"))]).toEqual([[], 10, []])
  })

  test.scopedLive("[X6] does not believe what others could have put into it, and says so once", function*() {
    const path = yield* folder
    const before = StateFolder.make(path).collection("secrets", Secret)
    yield* before.set("docs", secret)
    yield* before.set("more", secret)
    chmodSync(join(path, "secrets"), 0o770)
    const kept = StateFolder.make(path).collection("secrets", Secret)
    const { lines, value } = yield* logged(Effect.all([kept.get("docs"), kept.get("more"), kept.entries]))
    expect(value).toEqual([Option.none(), Option.none(), []])
    expect(lines).toEqual([expect.stringContaining(`${join(path, "secrets")} can be written by other users`)])
    yield* kept.set("docs", secret)
    expect(yield* kept.get("more")).toEqual(Option.some(secret))
  })

  test.scopedLive.skipIf(process.getuid?.() !== 0)(
    "[X6] neither believes nor writes where it belongs to another user",
    function*() {
      const path = yield* folder
      yield* StateFolder.make(path).collection("secrets", Secret).set("docs", secret)
      for (const part of [".", "secrets", join("secrets", "docs.json")]) {
        chownSync(join(path, part), 65_534, 65_534)
        const state = StateFolder.make(path)
        const kept = state.collection("secrets", Secret)
        const { lines, value } = yield* logged(Effect.all([kept.get("docs"), kept.entries]))
        expect(value).toEqual([Option.none(), []])
        const reason = `${join(path, part)} belongs to another user (uid 65534)`
        expect(lines).toEqual([`what mcp-lifeline finds there is ignored: ${reason}`])
        const { lines: locking } = yield* logged(Effect.scoped(state.lock("one")))
        expect(locking).toEqual(part === "." ? [expect.stringContaining(reason)] : [])
        const made = yield* Effect.exit(state.privateFolder("logs"))
        expect(Exit.isSuccess(made)).toBe(part !== ".")
        chownSync(join(path, part), 0, 0)
      }
    }
  )

  test.scopedLive("[A2] a lock goes from fiber to fiber of one process, and one that stops waiting never has it", function*() {
    for (const path of [yield* folder, "/dev/null/nowhere"]) {
      const state = StateFolder.make(path)
      const { value } = yield* logged(Effect.gen(function*() {
        let [inside, most, total] = [0, 0, 0]
        const work = Effect.scoped(Effect.gen(function*() {
          yield* state.lock("one")
          inside++
          most = Math.max(most, inside)
          yield* Effect.yieldNow()
          inside--
          total++
        }))
        yield* Effect.scoped(Effect.gen(function*() {
          yield* state.lock("one")
          expect(yield* Effect.timeoutOption(work, "100 millis")).toEqual(Option.none())
        }))
        yield* Effect.all([work, work, work], { concurrency: "unbounded" })
        return { most, total }
      }))
      expect(value).toEqual({ most: 1, total: 3 })
    }
  })

  test.scopedLive("[W6] a collection with bounds loses what nobody has used for longest, and what is used stays", function*() {
    const path = yield* folder
    const bounds = { maxFiles: 3, maxUnused: 60_000 }
    const numbers = (some: typeof bounds | undefined) =>
      StateFolder.make(path).collection("numbers", Schema.Number, some)
    const old = numbers(undefined)
    for (const [index, key] of ["a", "b", "c", "d", "expired"].entries()) {
      yield* old.set(key, index)
      // Each was used a second later than the one before it, and the last of them long ago.
      const usedAt = Date.now() / 1000 - (key === "expired" ? 100 : 20 - index)
      utimesSync(join(path, "numbers", `${key}.json`), usedAt, usedAt)
    }
    writeFileSync(join(path, "numbers", "note.txt"), "")
    utimesSync(join(path, "numbers", "note.txt"), 0, 0)
    expect(yield* numbers(bounds).get("a")).toEqual(Option.some(0))
    yield* numbers(bounds).set("e", 5)
    expect((yield* old.entries).map(([key]) => key)).toEqual(["a", "d", "e"])
    // What is no value is not ours to remove.
    expect(readdirSync(join(path, "numbers"))).toContain("note.txt")
  })

  test.scopedLive("[W6] a collection is bounded once for each process, and one without bounds never; to read that changes nothing", function*() {
    const path = yield* folder
    const bounded = StateFolder.make(path).collection("numbers", Schema.Number, { maxFiles: 9, maxUnused: 60_000 })
    const numbers = StateFolder.make(path).collection("numbers", Schema.Number)
    yield* bounded.set("one", 1)
    yield* numbers.set("old", 2)
    const file = join(path, "numbers", "old.json")
    utimesSync(file, 1, 1)
    yield* bounded.set("two", 3)
    yield* numbers.set("two", 3)
    expect(yield* numbers.get("old")).toEqual(Option.some(2))
    expect(statSync(file).mtimeMs).toBe(1000)
  })

  test.scopedLive("[X1] works from memory where its file system does not answer, and says so once", function*() {
    const path = yield* folder
    yield* StateFolder.make(path).collection("secrets", Secret).set("docs", secret)
    // It is known as one that does not answer as long as this work on it goes on.
    let end = (): void => undefined
    yield* Effect.addFinalizer(() => Effect.sync(end))
    const work = () => new Promise<void>((resolve) => (end = resolve))
    yield* Effect.promise(() => within(path, work, 1).catch(() => undefined))
    const kept = StateFolder.make(path).collection("secrets", Secret)
    const { lines, value } = yield* logged(Effect.gen(function*() {
      const before = [yield* kept.get("docs"), yield* kept.get("more"), yield* kept.entries]
      return [...before, yield* kept.set("more", secret), yield* kept.get("more"), yield* kept.entries]
    }))
    expect(value).toEqual([Option.none(), Option.none(), [], false, Option.some(secret), [["more", secret]]])
    expect(lines).toEqual([expect.stringMatching(/cannot be written.*does not answer/)])
  })

  it("[A2] has keys for whatever is long or holds any character, apart where any part is another", () => {
    const keys = [["a", "b"], ["ab"], ["a,b"], ["b", "a"], ["../a"], ["a".repeat(10_000)]].map((parts) =>
      StateFolder.key(...parts)
    )
    expect(new Set(keys).size).toBe(keys.length)
    expect(keys).toEqual(keys.map(() => expect.stringMatching(/^[\da-f]{40}$/)))
  })

  test.scopedLive("[A2] what was kept in memory is forgotten once the folder can be written", function*() {
    const file = join(yield* folder, "file")
    writeFileSync(file, "")
    const path = join(file, "below")
    const kept = StateFolder.make(path).collection("secrets", Secret)
    const other = { ...secret, url: "https://other.example/" }
    const { lines, value } = yield* logged(Effect.gen(function*() {
      yield* kept.remove("docs")
      expect(yield* kept.set("docs", secret)).toBe(false)
      rmSync(file)
      expect(yield* kept.set("docs", secret)).toBe(true)
      yield* StateFolder.make(path).collection("secrets", Secret).set("docs", other)
      return yield* kept.get("docs")
    }))
    expect(value).toEqual(Option.some(other))
    expect(lines).toHaveLength(1)
  })

  test.scopedLive("[A2] a collection in memory has its own values only, and a folder its own kind of files", function*() {
    const path = yield* folder
    const file = join(path, "file")
    writeFileSync(file, "")
    const state = StateFolder.make(file)
    const [numbers, more] = [
      state.collection("numbers", Schema.Number),
      state.collection("numbers-more", Schema.Number)
    ]
    const { value } = yield* logged(Effect.gen(function*() {
      yield* numbers.set("one", 1)
      yield* more.set("two", 2)
      return [yield* numbers.entries, yield* more.entries]
    }))
    expect(value).toEqual([[["one", 1]], [["two", 2]]])
    const written = StateFolder.make(path).collection("numbers", Schema.Number)
    yield* written.set("one", 1)
    for (const name of ["one.json.bak", "three.txt", "a one.json", ".one.json"]) {
      writeFileSync(join(path, "numbers", name), "5")
    }
    expect(yield* written.entries).toEqual([["one", 1]])
  })

  test.scopedLive("[A2] no name leads out of it", function*() {
    const state = StateFolder.make(yield* folder)
    for (const name of ["", "..", "../up", "a/b", "a\\b", "a.b", "x".repeat(101), "a\n"]) {
      expect(() => state.collection(name, Schema.Number)).toThrow("not a name")
      expect(() => state.privateFolder(name)).toThrow("not a name")
      expect(Exit.isFailure(yield* Effect.exit(state.lock(name)))).toBe(true)
    }
  })

  test.scopedLive("[A2] a lock that cannot be written down is had within this process, which says so", function*() {
    const file = join(yield* folder, "file")
    writeFileSync(file, "")
    const { lines, value } = yield* logged(
      Effect.flatMap(StateFolder.make(file).lock("one"), ({ isHeld }) => isHeld)
    )
    expect(value).toBe(true)
    expect(lines).toHaveLength(1)
  })

  test.scopedLive("[A2] where nothing can be kept, nothing need be removed: no warning", function*() {
    const file = join(yield* folder, "file")
    writeFileSync(file, "")
    const { lines } = yield* logged(StateFolder.make(file).collection("secrets", Secret).remove("docs"))
    expect(lines).toEqual([])
  })

  test.scopedLive("[A2] what cannot be removed is gone for this process, which says so", function*() {
    const path = yield* folder
    const kept = StateFolder.make(path).collection("secrets", Secret)
    yield* kept.set("more", secret)
    mkdirSync(join(path, "secrets", "docs.json"))
    const { lines } = yield* logged(kept.remove("docs"))
    expect(lines).toEqual([expect.stringContaining("cannot be written")])
    rmSync(join(path, "secrets", "docs.json"), { recursive: true })
    yield* StateFolder.make(path).collection("secrets", Secret).set("docs", secret)
    expect(yield* kept.get("docs")).toEqual(Option.none())
    expect((yield* kept.entries).map(([key]) => key)).toEqual(["more"])
  })
})
