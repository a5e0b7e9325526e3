import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import {
  chmodSync,
  existsSync,
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
import { afterEach, assert, beforeEach, describe, expect, it } from "vitest"
import * as ProcessRecords from "../src/ProcessRecords.js"
import { NoAnswer, within } from "../src/within.js"

let path = ""
const started: Array<ChildProcess> = []
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "records-"))
})
afterEach(() => {
  for (const { pid = 0 } of started.splice(0)) {
    try {
      process.kill(-pid, "SIGKILL")
    } catch { /* it has ended */ }
  }
  rmSync(path, { recursive: true, force: true, maxRetries: 5 })
})

const folder = () => join(path, "processes")
const files = () => existsSync(folder()) ? readdirSync(folder()).filter((name) => name.endsWith(".json")) : []
const isAlive = ({ exitCode, signalCode }: ChildProcess) => exitCode === null && signalCode === null
const forever = "setInterval(() => {}, 1000); process.on('SIGTERM', () => {}); console.log('ready')"

const start = async (env: Readonly<Record<string, string>> = {}, program = forever): Promise<ChildProcess> => {
  const child = spawn(process.execPath, ["-e", program], {
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, ...env }
  })
  started.push(child)
  await once(child.stdout!, "data")
  return child
}

const graces = { stdinGrace: 10, termGrace: 100 }

const left = async (change: object = {}, more: Partial<ProcessRecords.Started> = {}, program?: string) => {
  const recording = ProcessRecords.make({ path }).begin()
  const child = await start(recording.env, program)
  const before = files()
  recording.started({ pid: child.pid, ...graces, ...more })
  const file = await expect.poll(() => files().find((name) => !before.includes(name))).toBeDefined().then(() =>
    join(folder(), files().find((name) => !before.includes(name))!)
  )
  const record = JSON.parse(readFileSync(file, "utf8")) as object
  // No process has this start.
  writeFileSync(file, JSON.stringify({ ...record, owner: { pid: process.pid, start: "1" }, ...change }), {
    mode: 0o600
  })
  return { child, file, record }
}

const endLeft = (endOther?: (other: unknown) => Promise<void>) => ProcessRecords.make({ path, endOther }).endLeft()

describe.skipIf(process.platform !== "linux")("processes that a killed one has left", () => {
  it("[S12:real] are ended, also if they ignore SIGTERM, and their records are removed", async () => {
    const all = [await left(), await left({}, {}, forever.replace("process.on", "void process.on"))]
    await endLeft()
    for (const { child, file } of all) {
      await expect.poll(() => child.signalCode).toBe("SIGKILL")
      assert.isFalse(existsSync(file))
    }
  })

  it("[S12:real] may end by themselves, and get SIGTERM before SIGKILL", async () => {
    const polite = await left(
      { stdinGrace: 1, termGrace: 100_000 },
      {},
      forever.replace("() => {})", "() => process.exit(3))")
    )
    const ending = await left(
      { stdinGrace: 100_000, termGrace: 100_000 },
      {},
      `setTimeout(() => process.exit(4), 300);${forever}`
    )
    await endLeft()
    await expect.poll(() => [polite.child.exitCode, ending.child.exitCode]).toEqual([3, 4])
  })

  it("[S12:real W5] one that may be downloading a server is left alone until its time is over, and then ended", async () => {
    const minute = 60_000
    const busy = await left({ finishBy: Date.now() + 30 * minute })
    const others = [
      await left({ finishBy: Date.now() + 120 * minute }),
      await left({ finishBy: Date.now() }),
      await left({ finishBy: "soon" })
    ]
    await endLeft()
    await expect.poll(() => others.map(({ child }) => isAlive(child))).toEqual([false, false, false])
    expect([isAlive(busy.child), files().length]).toEqual([true, 1])
  })

  it("[S12:real] a stopped one gets SIGKILL at once, and does not go on", async () => {
    const program = `process.on("SIGCONT", () => process.exit(5));${forever}`
    const { child } = await left({}, { stdinGrace: 100_000, termGrace: 100_000 }, program)
    child.kill("SIGSTOP")
    await expect.poll(() => readFileSync(`/proc/${child.pid}/stat`, "utf8")).toMatch(/\) T /)
    await endLeft()
    await expect.poll(() => child.signalCode).toBe("SIGKILL")
  })

  it("[S12:real] a process that only has the number is left alone", async () => {
    const { child, file } = await left()
    const record = JSON.parse(readFileSync(file, "utf8")) as { leader: object }
    writeFileSync(file, JSON.stringify({ ...record, leader: { ...record.leader, start: "1" } }))
    await endLeft()
    assert.isTrue(isAlive(child))
    assert.isFalse(existsSync(file))
  })

  it("[S12:real] members that outlive the leader are ended if one of them has the mark, and otherwise left alone", async () => {
    // The leader starts a process in its group, says its id once it runs (before, it has no environment to be seen), and ends when it is told to.
    const leader = (env: string) =>
      `const { spawn } = require("node:child_process");`
      + `const child = spawn(process.execPath, ["-e", "console.log(); setInterval(() => {}, 1000)"], { env: ${env} });`
      + `child.stdout.once("data", () => console.log("pid " + child.pid)); process.on("SIGUSR2", () => process.exit(0)); setInterval(() => {}, 1000)`
    const exists = (pid: number): boolean => {
      try {
        return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
      } catch {
        return false
      }
    }
    for (const [env, isEnded] of [["process.env", true], ["{}", false]] as const) {
      const { child, file } = await left({}, {}, leader(env))
      const members = readdirSync("/proc").filter((pid) => {
        try {
          const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
          return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]) === child.pid && Number(pid) !== child.pid
        } catch {
          return false
        }
      }).map(Number)
      assert.lengthOf(members, 1)
      child.kill("SIGUSR2")
      await once(child, "exit")
      await endLeft()
      assert.strictEqual(exists(members[0]!), !isEnded)
      assert.isFalse(existsSync(file))
    }
  })

  it("[S12:unit] the record of a group that ends while the file system does not answer is removed once it does", async () => {
    const recording = ProcessRecords.make({ path }).begin()
    const child = await start(recording.env)
    recording.started({ pid: child.pid, ...graces })
    await expect.poll(files).toHaveLength(1)
    let answer = () => {}
    const stuck = within(folder(), () => new Promise<void>((resolve) => answer = resolve), 1)
    await expect(stuck).rejects.toBeInstanceOf(NoAnswer)
    recording.ended()
    // Until then, all work there is refused at once.
    await new Promise((resolve) => setImmediate(resolve))
    expect(files()).toHaveLength(1)
    answer()
    await expect.poll(files, { timeout: 60_000 }).toHaveLength(0)
  })

  it("[S12:unit] what a writer that was killed has left of a record is removed after ten minutes", async () => {
    await left()
    const [old, fresh] = ["old", "fresh"].map((name) => join(folder(), `${name}.json.0123456789ab.tmp`)) as [
      string,
      string
    ]
    for (const file of [old, fresh]) writeFileSync(file, "{")
    const before = new Date(Date.now() - 11 * 60_000)
    utimesSync(old, before, before)
    await endLeft()
    expect([old, fresh].map((file) => existsSync(file))).toEqual([false, true])
  })

  it("[S12:real] a thousand records need few open files", async () => {
    const { child, record } = await left()
    const gone = JSON.stringify({
      ...record,
      owner: { pid: process.pid, start: "1" },
      leader: { pid: 2 ** 30, start: "1" }
    })
    for (let index = 0; index < 1000; index++) {
      writeFileSync(join(folder(), `${String(index).padStart(32, "0")}.json`), gone, { mode: 0o600 })
    }
    const module = new URL("../dist/ProcessRecords.js", import.meta.url).href
    const script = `setInterval(() => {}, 1000); await (await import(${JSON.stringify(module)})).make({ path: ${
      JSON.stringify(path)
    } }).endLeft(); process.exit()`
    const limited = spawn("sh", [
      "-c",
      'ulimit -n 600; exec "$0" --input-type=module -e "$1"',
      process.execPath,
      script
    ])
    await once(limited, "exit")
    await expect.poll(() => child.signalCode).toBe("SIGKILL")
    expect(files()).toEqual([])
  })

  it("[S12:unit] what belongs to them is ended after them, once, whoever else starts at the same time; a failure keeps nothing", async () => {
    const all = [await left({}, { other: { n: 1 } }), await left({}, { other: { n: 2 } })]
    const ended: Array<unknown> = []
    const endOther = async (other: unknown): Promise<void> => {
      ended.push(other)
      throw new Error("not possible")
    }
    await Promise.all([endLeft(endOther), endLeft(endOther), endLeft(endOther)])
    assert.sameDeepMembers(ended, [{ n: 1 }, { n: 2 }])
    assert.deepStrictEqual(files(), [])
    for (const { child } of all) await expect.poll(() => isAlive(child)).toBe(false)
  })

  it("[S12:unit] what has an owner, or is of another machine, stays: that for 30 days", async () => {
    const recording = ProcessRecords.make({ path }).begin()
    const own = await start(recording.env)
    recording.started({ pid: own.pid, ...graces })
    await expect.poll(files).toHaveLength(1)
    const elsewhere = await left({ machine: "00000000" })
    const used = Date.now() / 1000 - 29 * 24 * 60 * 60
    utimesSync(elsewhere.file, used, used)
    await endLeft()
    assert.isTrue(isAlive(own))
    assert.isTrue(isAlive(elsewhere.child))
    assert.lengthOf(files(), 2)
    recording.ended()
    await expect.poll(files).toHaveLength(1)
  })

  it("[S12:unit] records of an earlier boot, and old ones of other machines, are removed, and nothing is ended", async () => {
    const [earlier, old] = [await left({ machine: "0", boot: "earlier" }), await left({ machine: "0" })]
    const used = Date.now() / 1000 - 31 * 24 * 60 * 60
    utimesSync(old.file, used, used)
    await endLeft()
    assert.deepStrictEqual(files(), [])
    assert.isTrue(isAlive(earlier.child) && isAlive(old.child))
  })

  it("[S12:unit] what is no record of ours is ignored and stays", async () => {
    const { child, file, record } = await left()
    const gone = { ...record, owner: { pid: process.pid, start: "1" } }
    const name = (digit: string) => join(folder(), `${digit.repeat(32)}.json`)
    const contents = [
      "",
      "null",
      "[]",
      "{",
      JSON.stringify({ ...gone, owner: { pid: 1, start: "1" } }),
      JSON.stringify({ ...gone, owner: undefined }),
      JSON.stringify({ ...gone, leader: { pid: -1, start: "1" } }),
      JSON.stringify({ ...gone, stdinGrace: "1" }),
      JSON.stringify({ ...gone, boot: 1 }),
      JSON.stringify({ ...gone, other: "x".repeat(70_000) })
    ]
    contents.forEach((text, index) => writeFileSync(name(String(index)), text, { mode: 0o600 }))
    writeFileSync(name("a"), JSON.stringify(gone))
    chmodSync(name("a"), 0o666)
    symlinkSync(file, name("b"))
    rmSync(file)
    writeFileSync(join(folder(), "other.json"), JSON.stringify(gone))
    await endLeft()
    assert.isTrue(isAlive(child))
    assert.lengthOf(files(), contents.length + 3)
  })

  it("[S12:unit] a folder that is open to others, missing, or cannot be written stops nobody", async () => {
    await ProcessRecords.make({ path: join(path, "missing") }).endLeft()
    const { child } = await left()
    chmodSync(folder(), 0o777)
    await endLeft()
    assert.isTrue(isAlive(child))
    writeFileSync(join(path, "file"), "")
    const recording = ProcessRecords.make({ path: join(path, "file") }).begin()
    recording.started({ pid: child.pid, ...graces })
    recording.ended()
    const early = ProcessRecords.make({ path: join(path, "new") }).begin()
    early.started({ pid: 999_999_999, ...graces })
    early.ended()
    const quick = ProcessRecords.make({ path: join(path, "new") }).begin()
    quick.started({ pid: child.pid, ...graces })
    quick.ended()
    await new Promise((resolve) => setImmediate(resolve))
    await expect.poll(() =>
      existsSync(join(path, "new", "processes")) && readdirSync(join(path, "new", "processes")).length
    ).toBe(0)
  })

  it("[S12:unit] the records of this user are shared", () => {
    const end = async (): Promise<void> => {}
    assert.strictEqual(ProcessRecords.ofUser(end), ProcessRecords.ofUser(end))
  })
})
