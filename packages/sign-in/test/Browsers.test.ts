import { Effect } from "effect"
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { vi } from "vitest"
import { folder } from "../../testing/test/support/folder.js"
import { timersOf } from "../../testing/test/support/Timers.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import * as Browser from "../src/Browser.js"
import { page } from "../src/page.js"
import { placesFor } from "../src/places.js"

const address = "https://a.example/?a=$(false)&b='%s"

const platform = (name: NodeJS.Platform) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const real = Object.getOwnPropertyDescriptor(process, "platform") ?? {}
      Object.defineProperty(process, "platform", { ...real, value: name })
      return real
    }),
    (real) => Effect.sync(() => void Object.defineProperty(process, "platform", real))
  )

const programs = (exits: Readonly<Record<string, number>>) =>
  Effect.gen(function*() {
    const path = yield* folder
    const log = join(path, "log")
    for (const [name, code] of Object.entries(exits)) {
      const file = join(path, name)
      writeFileSync(file, `#!/bin/sh\nprintf '%s\\n' '${name}' "$@" >> '${log}'\nexit ${code}\n`)
      chmodSync(file, 0o755)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => vi.stubEnv("PATH", path)),
      () => Effect.sync(() => vi.unstubAllEnvs())
    )
    return () => existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : []
  })

const open = (env: NodeJS.ProcessEnv = {}, to = address) => Browser.system(env).open(to)

// The stand-ins are scripts of a shell.
describe.skipIf(process.platform !== "linux")("the browser of a platform", () => {
  test.scopedLive("[A4] is opened by `open` on macOS", function*() {
    yield* platform("darwin")
    const started = yield* programs({ open: 0, mine: 0 })
    yield* open()
    yield* open({ BROWSER: "mine" })
    expect(started()).toEqual(["open", address, "mine", address])
  })

  test.scopedLive("[A4][S10] is opened by a program of Windows itself there, with nothing that a browser could take for arguments", function*() {
    yield* platform("win32")
    const name = "root\\System32\\rundll32.exe"
    const started = yield* programs({ [name]: 0, rundll32: 0, "rundll32.exe": 0, mine: 0 })
    const SystemRoot = join(process.env["PATH"] ?? "", "root")
    expect(yield* open({ SystemRoot, BROWSER: "mine" })).toBe(true)
    const hostile = `https://a.example/a b"c\td\ne?a=1&calc&b=%PATH%&c=^x&d=" --run "&e=' '#"f g`
    expect(yield* open({ SYSTEMROOT: SystemRoot }, hostile)).toBe(true)
    const [, , first, , , second = ""] = started()
    expect(first).toBe("https://a.example/?a=$(false)&b=%27%s")
    expect(second).toBe(
      "https://a.example/a%20b%22cde?a=1&calc&b=%PATH%&c=^x&d=%22%20--run%20%22&e=%27%20%27#%22f%20g"
    )
    const handler = "url.dll,FileProtocolHandler"
    expect(started()).toEqual([name, handler, first, name, handler, second])
    // None that lies in a folder of the PATH, nor in the current one.
    expect(yield* open({ SYSTEMROOT: "" })).toBe(false)
    expect(yield* open({ SystemRoot }, "https://")).toBe(false)
    expect(started()).toHaveLength(6)
  })

  test.scopedLive("[A4] is opened by the first program that is there and works, elsewhere; an empty $BROWSER is none", function*() {
    yield* platform("linux")
    const started = yield* programs({ "xdg-open": 3, gio: 1, "sensible-browser": 0 })
    expect(yield* open({ BROWSER: "" })).toBe(true)
    expect(started()).toEqual(["xdg-open", address, "gio", "open", address, "sensible-browser", address])
    const one = yield* programs({ "xdg-open": 0, gio: 0 })
    expect(yield* open()).toBe(true)
    expect(one()).toEqual(["xdg-open", address])
    const second = yield* programs({ "x-www-browser": 0, "sensible-browser": 0 })
    expect(yield* open()).toBe(true)
    expect(second()).toEqual(["x-www-browser", address])
    yield* programs({})
    expect(yield* open()).toBe(false)
  })

  test.scopedLive("[A4] is what $BROWSER names: programs with their arguments, of which one may be %s for the address", function*() {
    const started = yield* programs({ first: 1, second: 1, third: 0, fourth: 0 })
    expect(yield* open({ BROWSER: " first  -a b : :second -u %s -x:third\t%s:fourth" })).toBe(true)
    expect(started()).toEqual(["first", "-a", "b", address, "second", "-u", address, "-x", "third", address])
    expect(yield* open({ BROWSER: "none:first" })).toBe(false)
  })

  test.scopedLive("[A4] is opened only at addresses of the web", function*() {
    const started = yield* programs({ mine: 0 })
    const files = ["file:///etc/passwd", "javascript:alert(1)"]
    const others = ["x-https://a.example", "-https://a.example", "-x", " https://a.example", "https:/a.example"]
    for (const to of [...files, ...others]) expect(yield* open({ BROWSER: "mine" }, to)).toBe(false)
    expect(started()).toEqual([])
    expect(yield* open({ BROWSER: "mine" }, "http://a.example")).toBe(true)
    expect(started()).toEqual(["mine", "http://a.example"])
  })

  test.scopedLive("[A4] that still runs after 3 seconds works, in a process group of its own, without our input", function*() {
    const path = yield* folder
    const [program, there, end] = [join(path, "program"), join(path, "there"), join(path, "end")]
    writeFileSync(
      program,
      `#!/bin/sh
cat > /dev/null
[ -r /proc/$$/stat ] && read -r pid name state parent group rest < /proc/$$/stat
echo "$$ $group" > '${there}.new' && mv '${there}.new' '${there}'
while [ -d '${path}' ] && [ ! -e '${end}' ]; do sleep 0.02; done
`
    )
    chmodSync(program, 0o755)
    yield* Effect.addFinalizer(() => Effect.sync(() => writeFileSync(end, "")))
    const realTimeout = globalThis.setTimeout
    yield* Effect.acquireRelease(
      Effect.sync(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })),
      () => Effect.sync(() => vi.useRealTimers())
    )
    let opened: boolean | undefined
    const opening = Effect.runPromise(open({ BROWSER: program })).then((ok) => opened = ok)
    yield* Effect.promise(async () => {
      while (!existsSync(there)) await new Promise((resolve) => realTimeout(resolve, 2))
      await vi.advanceTimersByTimeAsync(2999)
      expect(opened).toBeUndefined()
      await vi.advanceTimersByTimeAsync(1)
      await opening
    })
    expect(opened).toBe(true)
    if (process.platform === "linux") {
      const [pid, group] = readFileSync(there, "utf8").trim().split(" ")
      expect(group).toBe(pid)
    }
    // The timer of one that has ended is gone as well. Others of this process may have some, too.
    const counts = yield* Effect.promise(() =>
      timersOf(3000, async () => expect(await Effect.runPromise(open({ BROWSER: "true" }))).toBe(true))
    )
    expect(counts).toEqual({ set: 1, cleared: 1 })
  })
})

describe("a browser that is asked for", () => {
  it("[A4] is that of this machine, on a terminal or when asked for, and never under CI", () => {
    const isOpened = (asked: boolean | undefined, terminal: boolean, env: NodeJS.ProcessEnv = {}) =>
      Browser.choose(asked, terminal, env) !== undefined
    expect(Browser.choose(true, false, {})).toHaveProperty("open")
    expect([isOpened(undefined, true), isOpened(undefined, false), isOpened(false, true)]).toEqual([true, false, false])
    for (const CI of ["true", "1", "yes", "no"]) expect(isOpened(true, true, { CI })).toBe(false)
    for (const CI of ["", "0", "false", "FALSE"]) expect(isOpened(true, true, { CI })).toBe(true)
  })
})

describe("the page after a login", () => {
  it("[A4] has one sentence, and says in its title how it went", () => {
    const whole = (title: string, text: string) =>
      new RegExp(
        `^<!doctype html>\n<html lang="en">\n[^]*<title>${title}</title>\n[^]*<h1>${title}</h1>\n<p>${text}</p>\n</html>\n$`
      )
    expect(page("All is well.", true)).toMatch(whole("Signed in", "All is well\\."))
    expect(page("No.", false)).toMatch(whole("Not signed in", "No\\."))
    expect(page(`<script>"'&`, true)).toMatch(whole("Signed in", "&#60;script&#62;&#34;&#39;&#38;"))
  })
})

describe("the places to which a browser can return", () => {
  it("[A1] are four ports that follow from the server, and any free one", () => {
    const place = (port: number) => ({ host: "localhost", port, path: "/callback" })
    expect(placesFor("00000010ffff")).toEqual([20_016, 21_013, 22_010, 23_007, 0].map(place))
    expect(placesFor("00002edf", {})).toEqual([31_999, 20_996, 21_993, 22_990, 0].map(place))
    expect(placesFor("00000000", { port: 0 })).toEqual([place(0)])
    expect(placesFor("00000000", { host: "127.0.0.1", path: "/back" })[0]).toEqual({
      host: "127.0.0.1",
      port: 20_000,
      path: "/back"
    })
  })
})
