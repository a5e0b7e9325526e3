/**
 * A Job Object (S10) has all that a process starts, also what is re-parented. Windows ends them when the last handle is closed, as when our
 * process dies.
 */

import type { GroupUsage } from "./GroupUsage.js"

type Handle = unknown

export interface Kernel {
  readonly CreateJobObjectW: (attributes: null, name: null) => Handle
  readonly SetInformationJobObject: (job: Handle, kind: number, information: Buffer, size: number) => number
  readonly QueryInformationJobObject: (
    job: Handle,
    kind: number,
    information: Buffer,
    size: number,
    returned: null
  ) => number
  readonly OpenProcess: (access: number, inherit: number, pid: number) => Handle
  readonly AssignProcessToJobObject: (job: Handle, process: Handle) => number
  readonly TerminateJobObject: (job: Handle, exitCode: number) => number
  readonly K32GetProcessMemoryInfo: (process: Handle, counters: Buffer, size: number) => number
  readonly CloseHandle: (handle: Handle) => number
}

interface Koffi {
  readonly load: (dll: string) => { readonly func: (declaration: string) => never }
}

const kernelOf = (koffi: Koffi): Kernel => {
  const kernel32 = koffi.load("kernel32.dll")
  return {
    CreateJobObjectW: kernel32.func("void* __stdcall CreateJobObjectW(void*, void*)"),
    SetInformationJobObject: kernel32.func("int __stdcall SetInformationJobObject(void*, int, void*, uint32)"),
    QueryInformationJobObject: kernel32.func(
      "int __stdcall QueryInformationJobObject(void*, int, void*, uint32, void*)"
    ),
    OpenProcess: kernel32.func("void* __stdcall OpenProcess(uint32, int, uint32)"),
    AssignProcessToJobObject: kernel32.func("int __stdcall AssignProcessToJobObject(void*, void*)"),
    TerminateJobObject: kernel32.func("int __stdcall TerminateJobObject(void*, uint32)"),
    K32GetProcessMemoryInfo: kernel32.func("int __stdcall K32GetProcessMemoryInfo(void*, void*, uint32)"),
    CloseHandle: kernel32.func("int __stdcall CloseHandle(void*)")
  }
}

// The structures are those of 64-bit Windows.
const extendedLimits = { kind: 9, size: 144, limitFlags: 16 }
const accounting = { kind: 1, size: 48, userTime: 0, kernelTime: 8, activeProcesses: 40 }
const processIds = { kind: 3, count: 4, first: 8, each: 8, most: 1024 }
const memoryCounters = { size: 72, committed: 56 }
const killOnJobClose = 0x2000
const setQuotaAndTerminate = 0x101
const queryLimitedInformation = 0x1000
/** Times are in units of 100 ns. */
const second = 10_000_000

export class WindowsJob {
  readonly #kernel: Kernel
  readonly #handle: Handle

  private constructor(kernel: Kernel, handle: Handle) {
    this.#kernel = kernel
    this.#handle = handle
  }

  /** Undefined if the system refuses it, or the process has exited. */
  static make(kernel: Kernel, pid: number): WindowsJob | undefined {
    const handle = kernel.CreateJobObjectW(null, null)
    if (!handle) return undefined
    const limits = Buffer.alloc(extendedLimits.size)
    limits.writeUInt32LE(killOnJobClose, extendedLimits.limitFlags)
    const job = new WindowsJob(kernel, handle)
    const isLimited = kernel.SetInformationJobObject(handle, extendedLimits.kind, limits, limits.length) !== 0
    if (isLimited && job.#add(pid)) return job
    job.close()
    return undefined
  }

  #add(pid: number): boolean {
    const kernel = this.#kernel
    const process = kernel.OpenProcess(setQuotaAndTerminate, 0, pid)
    if (!process) return false
    const isAdded = kernel.AssignProcessToJobObject(this.#handle, process) !== 0
    kernel.CloseHandle(process)
    return isAdded
  }

  #query(kind: number, size: number): Buffer | undefined {
    const found = Buffer.alloc(size)
    return this.#kernel.QueryInformationJobObject(this.#handle, kind, found, size, null) === 0 ? undefined : found
  }

  hasMembers(): boolean {
    const counts = this.#query(accounting.kind, accounting.size)
    return counts === undefined || counts.readUInt32LE(accounting.activeProcesses) > 0
  }

  /** Committed memory of living processes, and the processor time of all. Undefined without any. */
  usage(): GroupUsage | undefined {
    const { count, each, first, kind, most } = processIds
    const counts = this.#query(accounting.kind, accounting.size)
    const ids = this.#query(kind, first + each * most)
    if (counts === undefined || ids === undefined) return undefined
    const { kernelTime, userTime } = accounting
    const time = counts.readBigInt64LE(userTime) + counts.readBigInt64LE(kernelTime)
    const pids = Array.from({ length: ids.readUInt32LE(count) }, (_, index) => ids.readUInt32LE(first + each * index))
    const memory = pids.reduce((sum, pid) => sum + this.#committed(pid), 0)
    return memory === 0 ? undefined : { memory, cpuTime: Number(time) / second }
  }

  #committed(pid: number): number {
    const kernel = this.#kernel
    const process = kernel.OpenProcess(queryLimitedInformation, 0, pid)
    if (!process) return 0
    const { committed, size } = memoryCounters
    const counters = Buffer.alloc(size)
    counters.writeUInt32LE(size, 0)
    const isKnown = kernel.K32GetProcessMemoryInfo(process, counters, size) !== 0
    kernel.CloseHandle(process)
    return isKnown ? Number(counters.readBigUInt64LE(committed)) : 0
  }

  terminate(): void {
    this.#kernel.TerminateJobObject(this.#handle, 1)
  }

  /** Nothing may be called afterwards. */
  close(): void {
    for (const [pid, job] of jobs) if (job === this) jobs.delete(pid)
    this.#kernel.CloseHandle(this.#handle)
  }
}

let kernel: Kernel | undefined
let loading: Promise<void> | undefined
let warning: string | undefined

/**
 * Resolves, once in a process, with what to warn of.
 *
 * The package is named by hand, so that bundlers leave it where npm installs it, on Windows only. It is koffi's binary, without its sources
 * and compile script.
 */
export const load = async (name = `@koromix/koffi-win32-${process.arch}`): Promise<string | undefined> => {
  loading ??= (import(name) as Promise<{ readonly default: Koffi }>).then(
    (koffi) => {
      kernel = kernelOf(koffi.default)
    }
  ).catch((error: unknown) => {
    warning =
      `the package ${name} cannot be loaded, so processes that a server has started may survive it: after a crash of the server, `
      + "after the end of a process between, and when this process is killed. Install the package, in the version that package.json of "
      + `Lifeline names among its optionalDependencies (${
        error instanceof Error ? error.message.split("\n", 1)[0] : "?"
      })`
  })
  await loading
  const text = warning
  warning = undefined
  return text
}

const jobs = new Map<number, WindowsJob>()

/** Undefined where there are no jobs. Call `load` first. */
export const hold = (pid: number): WindowsJob | undefined => {
  const job = kernel && WindowsJob.make(kernel, pid)
  if (job !== undefined) jobs.set(pid, job)
  return job
}

export const of = (pid: number): WindowsJob | undefined => jobs.get(pid)
