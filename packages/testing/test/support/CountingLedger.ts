/**
 * What servers have written down that run `packages/cluster/test/fixtures/counting.mjs`: when they lived, and what they did.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs"

/** The time of the ledger. */
export const now = (): number => Number(process.hrtime.bigint() / 1_000_000n)

/** A process of a server: from when to when it has written. */
export interface Life {
  readonly server: string
  readonly pid: number
  readonly from: number
  readonly to: number
}

/** What became of calls, by their keys. */
export interface Calls {
  /** What clients have written of each. */
  readonly told: ReadonlyMap<string, ReadonlyArray<string>>
  /** How often each had an effect. */
  readonly effects: ReadonlyMap<string, number>
}

/** The process that has started another one. */
export const parentOf = (pid: number): number | undefined => {
  const status = `/proc/${pid}/status`
  const parent = existsSync(status) ? /^PPid:\s+(\d+)/m.exec(readFileSync(status, "utf8"))?.[1] : undefined
  return parent === undefined ? undefined : Number(parent)
}

/** See the head of the file. */
export class CountingLedger {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  /** Writes down what a client was told of a call. */
  tell(key: string, what: string): void {
    appendFileSync(this.#file, `${what} ${key}\n`)
  }

  #lines(): ReadonlyArray<ReadonlyArray<string>> {
    const text = existsSync(this.#file) ? readFileSync(this.#file, "utf8") : ""
    return text.split("\n").slice(0, -1).map((line) => line.split(" "))
  }

  calls(): Calls {
    const told = new Map<string, Array<string>>()
    const effects = new Map<string, number>()
    for (const [what = "", key = "", more] of this.#lines()) {
      if (more !== undefined) continue
      if (what === "effect") effects.set(key, (effects.get(key) ?? 0) + 1)
      else told.set(key, [...told.get(key) ?? [], what])
    }
    return { told, effects }
  }

  /** All processes of servers that there were. */
  lives(): ReadonlyArray<Life> {
    const lives = new Map<number, Life>()
    for (const [server = "", pid, at] of this.#lines()) {
      if (at === undefined) continue
      const from = lives.get(Number(pid))?.from ?? Number(at)
      lives.set(Number(pid), { server, pid: Number(pid), from, to: Number(at) })
    }
    return [...lives.values()]
  }

  /** The servers that have written a short time ago, with their processes. */
  alive(): ReadonlyArray<Life> {
    const since = now() - 1000
    return this.lives().filter(({ to }) => to > since)
  }

  /** Two processes of a server whose lives overlap. */
  overlaps(): ReadonlyArray<readonly [Life, Life]> {
    const lives = this.lives()
    return lives.flatMap((one) =>
      lives.flatMap((other) =>
        one.server === other.server && one.pid !== other.pid && one.from <= other.from && other.from <= one.to
          ? [[one, other] as const]
          : []
      )
    )
  }
}
