import { appendFileSync, closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs"

export const now = (): number => Number(process.hrtime.bigint() / 1_000_000n)

export interface Life {
  readonly server: string
  readonly pid: number
  readonly from: number
  readonly to: number
}

export interface Calls {
  readonly told: ReadonlyMap<string, ReadonlyArray<string>>
  readonly effects: ReadonlyMap<string, number>
}

export const parentOf = (pid: number): number | undefined => {
  const status = `/proc/${pid}/status`
  const parent = existsSync(status) ? /^PPid:\s+(\d+)/m.exec(readFileSync(status, "utf8"))?.[1] : undefined
  return parent === undefined ? undefined : Number(parent)
}

/** What was read once is not read again: tests look many times a second. */
export class CountingLedger {
  readonly #file: string
  readonly #told = new Map<string, Array<string>>()
  readonly #effects = new Map<string, number>()
  readonly #lives = new Map<number, Life>()
  #read = 0
  #rest = ""

  constructor(file: string) {
    this.#file = file
  }

  tell(key: string, what: string): void {
    appendFileSync(this.#file, `${what} ${key}\n`)
  }

  #update(): void {
    if (!existsSync(this.#file)) return
    const file = openSync(this.#file, "r")
    try {
      const data = Buffer.alloc(fstatSync(file).size - this.#read)
      const size = readSync(file, data, 0, data.length, this.#read)
      this.#read += size
      const lines = (this.#rest + data.toString("latin1", 0, size)).split("\n")
      this.#rest = lines.pop() ?? ""
      for (const line of lines) this.#take(line)
    } finally {
      closeSync(file)
    }
  }

  #take(line: string): void {
    const [what = "", key = "", at] = line.split(" ")
    if (at !== undefined) {
      const [pid, to] = [Number(key), Number(at)]
      this.#lives.set(pid, { server: what, pid, from: this.#lives.get(pid)?.from ?? to, to })
    } else if (what === "effect") this.#effects.set(key, (this.#effects.get(key) ?? 0) + 1)
    else this.#told.set(key, [...this.#told.get(key) ?? [], what])
  }

  calls(): Calls {
    this.#update()
    return { told: this.#told, effects: this.#effects }
  }

  lives(): ReadonlyArray<Life> {
    this.#update()
    return [...this.#lives.values()]
  }

  alive(): ReadonlyArray<Life> {
    const since = now() - 1000
    return this.lives().filter(({ to }) => to > since)
  }

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
