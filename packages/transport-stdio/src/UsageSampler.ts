/** All groups that are due are measured in one pass. */
import type { ResourceUsage } from "@mcp-lifeline/core"
import { type Meter, procMeter, psMeter } from "./GroupUsage.js"
import * as WindowsJob from "./WindowsJob.js"

/** In milliseconds. */
export interface Times {
  /** What starts meanwhile is measured with it. */
  readonly first: number
  /** For groups with a memory limit. */
  readonly limited: number
  readonly unlimited: number
  /** The part of the time that measuring may take. */
  readonly atMost: number
}

/** Milliseconds after a slow pass: a busy machine makes each one slow. */
const longest = 60_000

/** Groups due within this part of the shortest interval are measured now. */
const early = 0.25

interface Watched {
  readonly group: number
  readonly interval: number
  readonly listener: (usage: ResourceUsage) => void
  due: number
  last: { readonly at: number; readonly cpuTime: number } | undefined
}

export class UsageSampler {
  /** Tests change them. */
  times: Times
  readonly #meter: Meter
  readonly #watched = new Set<Watched>()
  #timer: NodeJS.Timeout | undefined
  #isMeasuring = false

  constructor(meter: Meter, times: Times) {
    this.#meter = meter
    this.times = times
  }

  watch(group: number, hasLimit: boolean, listener: (usage: ResourceUsage) => void): () => void {
    const { first, limited, unlimited } = this.times
    const interval = hasLimit ? limited : unlimited
    const watched: Watched = { group, interval, listener, due: performance.now() + first, last: undefined }
    this.#watched.add(watched)
    this.#plan()
    return () => {
      this.#watched.delete(watched)
      if (this.#watched.size === 0) clearTimeout(this.#timer)
    }
  }

  #plan(): void {
    clearTimeout(this.#timer)
    if (this.#isMeasuring || this.#watched.size === 0) return
    const due = Math.min(...Array.from(this.#watched, ({ due }) => due))
    this.#timer = setTimeout(() => void this.#pass(), Math.max(0, due - performance.now()))
    // Measuring does not keep this process alive.
    this.#timer.unref()
  }

  async #pass(): Promise<void> {
    this.#isMeasuring = true
    const startedAt = performance.now()
    const { atMost, limited, unlimited } = this.times
    const soon = startedAt + Math.min(limited, unlimited) * early
    const due = [...this.#watched].filter((one) => one.due <= soon)
    try {
      const found = await this.#meter.measure(new Set(due.map(({ group }) => group)))
      const now = performance.now()
      for (const one of due) {
        one.due = now + Math.max(one.interval, Math.min(longest, (now - startedAt) / atMost))
        const usage = found.get(one.group)
        if (usage === undefined || !this.#watched.has(one)) continue
        const { last } = one
        // What a process that has ended leaves to nobody is missing in the sum.
        const cpuTime = Math.max(usage.cpuTime, last?.cpuTime ?? 0)
        one.last = { at: now, cpuTime }
        const cpu = last === undefined ? undefined : (cpuTime - last.cpuTime) / (now - last.at) * 100_000
        one.listener({ memory: usage.memory, cpu, cpuTime })
      }
    } catch {
      // Without `/proc` nothing is known.
      for (const one of due) one.due = performance.now() + one.interval
    } finally {
      this.#isMeasuring = false
      this.#plan()
    }
  }
}

/** Committed memory, which is shared with nobody. Without jobs, nothing is measured. */
const jobMeter: Meter = {
  measure: async (groups) =>
    new Map(
      Array.from(groups).flatMap((pid) => {
        const usage = WindowsJob.of(pid)?.usage()
        return usage === undefined ? [] : [[pid, usage] as const]
      })
    )
}

const meterOf = (platform: NodeJS.Platform): Meter =>
  platform === "linux" ? procMeter : platform === "win32" ? jobMeter : psMeter()

export const shared: UsageSampler = new UsageSampler(meterOf(process.platform), {
  first: 500,
  limited: 5000,
  unlimited: 15_000,
  atMost: 0.01
})
