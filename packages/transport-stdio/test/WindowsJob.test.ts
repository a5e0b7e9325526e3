import { EventEmitter } from "node:events"
import { afterEach, assert, describe, it, vi } from "vitest"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import type { Kernel } from "../src/WindowsJob.js"
import { load, WindowsJob } from "../src/WindowsJob.js"

const makeKernel = (refused: ReadonlyArray<keyof Kernel> = [], members = 0) => {
  const asked: Array<ReadonlyArray<unknown>> = []
  const ask = (name: keyof Kernel, result: unknown) => (...args: ReadonlyArray<unknown>): never => {
    asked.push([name, ...args.map((one) => Buffer.isBuffer(one) ? Buffer.from(one) : one)])
    return (refused.includes(name) ? typeof result === "number" ? 0 : null : result) as never
  }
  const kernel: Kernel = {
    CreateJobObjectW: ask("CreateJobObjectW", "job"),
    SetInformationJobObject: ask("SetInformationJobObject", 1),
    QueryInformationJobObject: (job, kind, information, size, returned) => {
      information.writeUInt32LE(members, 40)
      return ask("QueryInformationJobObject", 1)(job, kind, size, returned)
    },
    OpenProcess: ask("OpenProcess", "process"),
    AssignProcessToJobObject: ask("AssignProcessToJobObject", 1),
    TerminateJobObject: ask("TerminateJobObject", 1),
    K32GetProcessMemoryInfo: ask("K32GetProcessMemoryInfo", 1),
    CloseHandle: ask("CloseHandle", 1)
  }
  return { kernel, asked }
}

describe("a job of Windows", () => {
  it("[S10:unit] takes a process, and ends with its last handle, which no child inherits", () => {
    const { asked, kernel } = makeKernel()
    WindowsJob.make(kernel, 4711)
    const limits = Buffer.alloc(144)
    limits.writeUInt32LE(0x2000, 16)
    assert.deepStrictEqual(asked, [
      ["CreateJobObjectW", null, null],
      ["SetInformationJobObject", "job", 9, limits, 144],
      ["OpenProcess", 0x101, 0, 4711],
      ["AssignProcessToJobObject", "job", "process"],
      ["CloseHandle", "process"]
    ])
  })

  it("[S10:unit] is none where the system refuses it, and leaves no handle", () => {
    const closed = (refused: keyof Kernel): ReadonlyArray<unknown> => {
      const { asked, kernel } = makeKernel([refused])
      assert.isUndefined(WindowsJob.make(kernel, 4711))
      return asked.filter(([name]) => name === "CloseHandle").map(([, handle]) => handle)
    }
    assert.deepStrictEqual(closed("CreateJobObjectW"), [])
    assert.deepStrictEqual(closed("SetInformationJobObject"), ["job"])
    assert.deepStrictEqual(closed("OpenProcess"), ["job"])
    assert.deepStrictEqual(closed("AssignProcessToJobObject"), ["process", "job"])
  })

  it("[S10:unit] has members while it counts any, or nobody knows", () => {
    const hasMembers = (...given: Parameters<typeof makeKernel>): boolean =>
      WindowsJob.make(makeKernel(...given).kernel, 4711)!.hasMembers()
    assert.isFalse(hasMembers())
    assert.isTrue(hasMembers([], 1))
    assert.isTrue(hasMembers(["QueryInformationJobObject"]))
  })

  it("[S13:unit] adds up what its processes have committed, and leaves no handle", () => {
    const { asked, kernel } = makeKernel()
    const pids = [7, 8, 9]
    const measuring: Kernel = {
      ...kernel,
      QueryInformationJobObject: (_job, kind, information) => {
        if (kind === 1) {
          information.writeBigInt64LE(15_000_000n, 0)
          information.writeBigInt64LE(5_000_000n, 8)
        } else {
          information.writeUInt32LE(pids.length, 4)
          pids.forEach((pid, index) => information.writeUInt32LE(pid, 8 + 8 * index))
        }
        return 1
      },
      OpenProcess: (access, _inherit, pid) => access === 0x1000 && pid === 8 ? null : `process ${pid}`,
      K32GetProcessMemoryInfo: (process, counters, size) => {
        assert.deepStrictEqual([counters.readUInt32LE(0), size], [72, 72])
        counters.writeBigUInt64LE(process === "process 7" ? 5_000_000_000n : 100n, 56)
        return 1
      }
    }
    const job = WindowsJob.make(measuring, 4711)!
    asked.length = 0
    assert.deepStrictEqual(job.usage(), { memory: 5_000_000_100, cpuTime: 2 })
    assert.deepStrictEqual(asked, [["CloseHandle", "process 7"], ["CloseHandle", "process 9"]])
    pids.length = 0
    assert.isUndefined(job.usage())
    assert.isUndefined(WindowsJob.make(makeKernel(["QueryInformationJobObject"]).kernel, 1)!.usage())
  })

  it("[S10:unit] without the package, one warning says what to install", async () => {
    const warning = await load("@mcp-lifeline/not-there")
    assert.match(warning!, /^the package @mcp-lifeline\/not-there cannot be loaded, .* Install the package/)
    assert.isUndefined(await load("@mcp-lifeline/not-there"))
  })
})

describe("a process group on Windows", () => {
  const { platform } = process
  afterEach(() => {
    Object.defineProperty(process, "platform", { value: platform })
    vi.doUnmock("node:child_process")
    vi.doUnmock("../src/WindowsCommand.js")
    vi.doUnmock("../src/WindowsJob.js")
    vi.resetModules()
    vi.useRealTimers()
  })

  const make = async (isTaken = true) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"], now: 0 })
    const started: Array<ReadonlyArray<unknown>> = []
    const asked: Array<string> = []
    const [stdin, kill] = [{ end: () => asked.push("stdin") }, () => asked.push("kill")]
    const [child, taskkill] = [Object.assign(new EventEmitter(), { pid: 4711, stdin, kill }), new EventEmitter()]
    const job = { members: 1 }
    vi.resetModules()
    vi.doMock("node:child_process", () => ({
      spawn: (...given: ReadonlyArray<unknown>) => {
        started.push(given)
        return started.length === 1 ? child : taskkill
      }
    }))
    vi.doMock("../src/WindowsCommand.js", () => ({
      resolve: (file: string, args: ReadonlyArray<string>) => ({ file, args, verbatim: false })
    }))
    vi.doMock("../src/WindowsJob.js", () => ({
      hold: (pid: number) => {
        asked.push(`hold ${pid}`)
        return isTaken
          ? {
            hasMembers: () => job.members > 0,
            terminate: () => asked.push(`terminate at ${performance.now()}`),
            close: () => asked.push("close")
          }
          : undefined
      }
    }))
    Object.defineProperty(process, "platform", { value: "win32" })
    const { ProcessGroup } = await import("../src/ProcessGroup.js")
    const group = new ProcessGroup({
      command: "server.exe",
      args: [],
      env: {},
      cwd: "here",
      handleSignals: false,
      stdinGrace: 1_000,
      termGrace: 60_000
    })
    group.serves()
    return { group, child, taskkill, job, started, asked }
  }

  it("[S10:unit] ends stdin, waits the grace, ends the job, and is gone when the job is empty", async () => {
    const { asked, child, group, job } = await make()
    let isGone = false
    const gone = group.shutdown().then(() => {
      isGone = true
    })
    await vi.advanceTimersByTimeAsync(999)
    assert.deepStrictEqual(asked, ["hold 4711", "stdin"])
    await vi.advanceTimersByTimeAsync(1)
    assert.deepStrictEqual(asked.slice(2), ["terminate at 1000"])
    child.emit("exit", 1, null)
    await vi.advanceTimersByTimeAsync(1_000)
    assert.isFalse(isGone)
    job.members = 0
    await vi.advanceTimersByTimeAsync(1_000)
    await gone
    assert.deepStrictEqual(asked.slice(3), ["close"])
    group.kill()
    assert.lengthOf(asked, 4)
  })

  it("[S10:unit] that is empty when its leader exits is not ended", async () => {
    const { asked, child, group, job } = await make()
    const gone = group.shutdown()
    job.members = 0
    child.emit("exit", 0, null)
    await gone
    assert.deepStrictEqual(asked, ["hold 4711", "stdin", "close"])
  })

  it("[S10:unit] is ended at once when its leader exits, and says so when something survives that for five seconds", async () => {
    mayLeave("listeners of the process")
    const { asked, child, group } = await make()
    child.emit("exit", 1, null)
    assert.deepStrictEqual(asked, ["hold 4711", "terminate at 0"])
    const ended = group.shutdown().then(() => "gone", (error: Error) => error.message)
    await vi.advanceTimersByTimeAsync(5_000)
    assert.strictEqual(await ended, "process group 4711 still has processes 5000 ms after SIGKILL")
  })

  it("[S10:unit S2:unit] whose process the job does not take is ended by taskkill, and where that fails, the child is ended", async () => {
    const signal = vi.spyOn(process, "kill")
    const { asked, child, group, started, taskkill } = await make(false)
    const gone = group.shutdown()
    await vi.advanceTimersByTimeAsync(1_000)
    const [[, , how], [program, args, hidden]] = started as [Array<object>, Array<object>]
    assert.deepInclude(how, { cwd: "here", detached: false, windowsHide: true, shell: false })
    assert.strictEqual(String(program), "C:\\Windows\\System32\\taskkill.exe")
    assert.deepStrictEqual(args, ["/pid", "4711", "/T", "/F"])
    assert.deepInclude(hidden, { windowsHide: true, stdio: "ignore" })
    taskkill.emit("error", new Error("ENOENT"))
    taskkill.emit("exit", 0)
    assert.deepStrictEqual(asked, ["hold 4711", "stdin", "kill"])
    taskkill.emit("exit", 1)
    child.emit("exit", 1, null)
    await gone
    assert.deepStrictEqual(asked, ["hold 4711", "stdin", "kill", "kill"])
    assert.lengthOf(signal.mock.calls, 0)
    signal.mockRestore()
  })
})
