/** What a group of processes shows at one moment: the system says it, so the real one is asked. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import * as ProcStat from "../src/ProcStat.js"
import * as Sight from "../src/Sight.js"

const isLinux = process.platform === "linux"

const children: Array<ChildProcess> = []
const folders: Array<string> = []

afterEach(async () => {
  for (const child of children.splice(0)) {
    const exited = new Promise((resolve) => child.once("exit", resolve))
    process.kill(-child.pid!, "SIGKILL")
    await exited
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const temporary = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "lifeline-sight-"))
  folders.push(folder)
  return folder
}

const group = async (script: string): Promise<number> => {
  const child = spawn("/bin/sh", ["-c", script], { detached: true, stdio: ["ignore", "pipe", "inherit"] })
  children.push(child)
  await new Promise((resolve) => child.stdout.once("data", resolve))
  return child.pid!
}

const seen = async (pid: number, isSeen: (sight: NonNullable<Awaited<ReturnType<typeof Sight.of>>>) => boolean) => {
  for (;;) {
    const sight = await Sight.of(pid)
    if (sight !== undefined && isSeen(sight)) return sight
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const sleeping = "exec sleep 1000"

const node = (body: string): string =>
  `exec '${process.execPath}' -e 'const say = () => console.log(1); ${body}; setInterval(() => {}, 1e9)'`

describe("what ps says of a group", () => {
  const text = [
    "    7   70 Ss     0:01.50",
    "    7   71 R+     1:00.00",
    "    8   80 T      2-00:00:01",
    "    9   90 Z      0:05.00",
    "   10  100 U      0:00.10",
    "   11  110 S      0:00.00",
    "what?",
    ""
  ].join("\n")
  const known = { transferred: undefined, youngest: undefined }

  it.each([
    [7, { isStopped: false, isRunning: true, cpuTime: 61.5, pids: [70, 71] }],
    [8, { isStopped: true, isRunning: false, cpuTime: 172_801, pids: [80] }],
    [10, { isStopped: false, isRunning: true, cpuTime: 0.1, pids: [100] }],
    [11, { isStopped: false, isRunning: false, cpuTime: 0, pids: [110] }]
  ])(
    "[V1:unit] is read: group %i",
    (of, sight) => assert.deepStrictEqual(Sight.readPs(text, of), { ...sight, ...known })
  )

  it("[V1:unit] is nothing where it has no living process", () => {
    for (const  of of[9, 12, 70, Number.NaN]) assert.isUndefined(Sight.readPs(text, of))
  })
})

describe.runIf(isLinux)("a process", () => {
  it("[V1:unit] is seen with its times in seconds, its group and its bytes; one that is not there is not seen", async () => {
    const own = String(process.pid)
    const until = performance.now() + 60
    while (performance.now() < until) JSON.stringify(process.memoryUsage())
    const { system, user } = process.cpuUsage()
    const stat = ProcStat.stat(own)
    // Children that have ended count to it, and not to ours.
    assert.isAtLeast(stat?.cpuTime ?? 0, (user + system) / 1e6 - 0.1)
    const begun = Number(readFileSync("/proc/self/stat", "latin1").split(") ").at(-1)?.split(" ")[19]) / 100
    const up = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0])
    assert.closeTo(stat?.age ?? 0, up - begun, 60)
    assert.include(ProcStat.pids(), own)
    const file = join(temporary(), "file")
    const before = ProcStat.transferred(own)
    writeFileSync(file, Buffer.alloc(3_000_000))
    const written = ProcStat.transferred(own)
    readFileSync(file)
    const read = ProcStat.transferred(own)
    assert.isAtLeast((written?.written ?? 0) - (before?.written ?? 0), 3_000_000)
    assert.isAtLeast((read?.read ?? 0) - (written?.read ?? 0), 3_000_000)
    const none = String(2 ** 30)
    assert.deepStrictEqual([ProcStat.stat(none), ProcStat.transferred(none), ProcStat.read(none, "stat")], [
      undefined,
      undefined,
      undefined
    ])
  })

  it("[V1:unit X5] is looked at without a file that stays open; what is no process is none", () => {
    const open = () => readdirSync("/proc/self/fd").length
    const before = open()
    for (let times = 0; times < 50; times++) ProcStat.stat(String(process.pid))
    // Others of this process may open some meanwhile.
    assert.isBelow(open(), before + 40)
    assert.deepStrictEqual(ProcStat.pids().filter((pid) => !/^\d+$/.test(pid)), [])
  })

  it("[V1:unit] is seen as it is, whatever its name looks like", async () => {
    const odd = join(temporary(), "a) Z 1 1 (")
    symlinkSync("/bin/sleep", odd)
    const pid = await group(`echo; exec '${odd}' 1000`)
    const isNamed = () => ProcStat.read(String(pid), "stat")?.includes("(a) Z 1 1 ()") === true
    while (!isNamed()) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.deepInclude(ProcStat.stat(String(pid)), { group: pid })
    assert.include(["S", "D", "R"], ProcStat.stat(String(pid))?.state)
  })
})

const starts: ReadonlyArray<readonly [string, boolean, string]> = [
  ["nothing", false, `echo; ${sleeping}`],
  ["a server below it, with its streams", false, `sleep 1000 & echo; wait`],
  ["a process with another stdout", true, `sleep 1000 > /dev/null & echo; wait`],
  ["a process with another stdin", true, `exec 3<&1; true | sleep 1000 >&3 & echo; wait`],
  ["one that listens", true, node(`require("net").createServer().listen(0, "127.0.0.1", say)`)],
  ["one that listens at a path", true, node(`require("net").createServer().listen("\\0" + process.pid, say)`)],
  ["one with a socket of UDP", true, node(`require("dgram").createSocket("udp4").bind(0, "127.0.0.1", say)`)],
  [
    "two ends of a pair",
    false,
    node(
      `require("child_process").spawn("sleep", ["1000"], { stdio: ["inherit", "inherit", "inherit", "ipc"] }); say()`
    )
  ]
]

describe.runIf(isLinux)("a start", () => {
  for (const [what, mayWait, script] of starts) {
    it(`[V5:unit] with ${what}: it ${mayWait ? "may wait" : "waits for nobody"}`, async () => {
      const pid = await group(script)
      for (;;) {
        const sight = await Sight.ofStart(pid, false)
        if (sight?.mayWait === mayWait) break
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      assert.isUndefined((await Sight.of(pid))?.mayWait)
    })
  }

  it("[V5:unit] a launcher counts, unless it only waits for the server that it has started", async () => {
    const pid = await group(`sleep 1000 & echo; wait`)
    const all = await seen(pid, ({ pids }) => pids.length === 2)
    const [launched, other] = [await Sight.ofStart(pid, true), await Sight.ofStart(pid, false)]
    // What is started may be reading still.
    assert.isAtLeast(other?.transferred ?? Number.NaN, all.transferred ?? Number.NaN)
    assert.isBelow(launched?.transferred ?? Number.NaN, other?.transferred ?? Number.NaN)
    assert.deepStrictEqual(launched?.pids, all.pids)
    const alone = await group(`echo; ${sleeping}`)
    assert.isAbove((await Sight.ofStart(alone, true))?.transferred ?? 0, 0)
  })
})

describe.runIf(isLinux)("a group of processes", () => {
  it("[V1:unit] is all that are in it, and nobody else; the youngest is not its leader", async () => {
    const [pid, other] = await Promise.all([group(`sleep 1000 & sleep 1000 & echo; wait`), group(`echo; ${sleeping}`)])
    const sight = await seen(pid, ({ pids }) => pids.length === 3)
    assert.include(sight.pids, pid)
    assert.notInclude(sight.pids, other)
    const youngest = sight.youngest ?? Number.NaN
    assert.isTrue(youngest >= -1000 && youngest < 60_000, `${youngest} ms`)
    assert.isAbove(sight.transferred ?? 0, 0)
    // In milliseconds.
    await seen(pid, ({ youngest = 0 }) => youngest >= 100)
    const alone = await seen(other, () => true)
    assert.deepStrictEqual([alone.pids, alone.youngest], [[other], undefined])
  })

  it("[V1:unit] is stopped where one of it is, and runs where one of it does", async () => {
    const pid = await group(`sleep 1000 & echo; wait`)
    const { pids } = await seen(pid, (sight) => sight.pids.length === 2 && !sight.isStopped && !sight.isRunning)
    assert.lengthOf(pids, 2)
    for (const one of pids) {
      process.kill(one, "SIGSTOP")
      await seen(pid, ({ isStopped }) => isStopped)
      process.kill(one, "SIGCONT")
      await seen(pid, ({ isStopped }) => !isStopped)
    }
    const busy = await group(`(echo; while :; do :; done) & wait`)
    const before = await seen(busy, ({ isRunning }) => isRunning)
    const after = await seen(busy, ({ cpuTime }) => cpuTime >= before.cpuTime + 0.05)
    // In seconds: it cannot have had more than there were.
    assert.isBelow(after.cpuTime, 60)
  })

  it("[V1:unit] is nothing once all have ended, whether its parent has taken notice or not", async () => {
    const pid = await group(`echo; exit 0`)
    const child = children.pop()!
    if (child.exitCode === null) await new Promise((resolve) => child.once("exit", resolve))
    assert.isUndefined(await Sight.of(pid))
    // Its leader waits for nobody: the child stays as a zombie.
    const leader = await group(`true & echo; ${sleeping}`)
    const { pids } = await seen(leader, (sight) => sight.pids.length === 1)
    assert.deepStrictEqual(pids, [leader])
  })
})
