import type { Lock } from "@mcp-lifeline/state/FileLock"
import type * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Option, Schema } from "effect"

type Folder = StateFolder.StateFolder["Type"]

export interface Written {
  readonly holder: string
  readonly collection: string
  readonly value: unknown
}

export class MemoryState {
  readonly #values = new Map<string, Map<string, string>>()
  readonly #locks = new Map<string, Effect.Semaphore>()
  readonly held = new Map<string, string>()
  readonly #written: (written: Written) => void

  constructor(written: (written: Written) => void = () => {}) {
    this.#written = written
  }

  /** What a process has of it. Other fibers can go on before each step. */
  of(holder: string): Folder {
    const lock = (name: string) =>
      Effect.suspend(() => {
        const one = this.#locks.get(name) ?? Effect.unsafeMakeSemaphore(1)
        this.#locks.set(name, one)
        return Effect.uninterruptibleMask((restore) =>
          Effect.gen(this, function*() {
            yield* restore(one.take(1))
            this.held.set(name, holder)
            yield* Effect.addFinalizer(() =>
              Effect.suspend(() => {
                this.held.delete(name)
                return one.release(1)
              })
            )
            return { isHeld: Effect.succeed(true) } as Lock
          })
        )
      })
    const collection: Folder["collection"] = (name, schema) => {
      const values = this.#of(name)
      const [encode, decode] = [Schema.encodeSync(schema), Schema.decodeUnknownSync(schema)]
      const turn = <A>(work: () => A) => Effect.zipRight(Effect.yieldNow(), Effect.sync(work))
      const get = (key: string) =>
        turn(() => Option.map(Option.fromNullable(values.get(key)), (text) => decode(JSON.parse(text))))
      const write = (value: unknown, work: () => void) =>
        turn(() => {
          work()
          this.#written({ holder, collection: name, value })
        })
      return {
        get,
        read: get,
        set: (key, value) => Effect.as(write(value, () => void values.set(key, JSON.stringify(encode(value)))), true),
        remove: (key) => write(undefined, () => void values.delete(key)),
        entries: turn(() => [...values].map(([key, text]) => [key, decode(JSON.parse(text))] as const)),
        keys: turn(() => [...values.keys()])
      }
    }
    return { path: "/nowhere", collection, lock, privateFolder: () => Effect.die("there are no files") }
  }

  now<A, I>(name: string, schema: Schema.Schema<A, I>, key: string): A | undefined {
    const text = this.#of(name).get(key)
    return text === undefined ? undefined : Schema.decodeUnknownSync(schema)(JSON.parse(text))
  }

  #of(name: string): Map<string, string> {
    const values = this.#values.get(name) ?? new Map<string, string>()
    this.#values.set(name, values)
    return values
  }
}
