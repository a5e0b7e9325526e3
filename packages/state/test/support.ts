import { Effect } from "effect"
import { promises } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { vi } from "vitest"

export const failing = (name: "mkdir" | "open" | "rename" | "rm" | "writeFile", code: () => string | undefined) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const real = promises[name] as (...args: ReadonlyArray<unknown>) => Promise<unknown>
      const fail = async (...args: ReadonlyArray<unknown>) => {
        const found = code()
        if (found === undefined) return await real(...args)
        throw Object.assign(new Error(`${found} of the test`), { code: found })
      }
      const spy = vi.spyOn(promises, name).mockImplementation(fail as never)
      syncBuiltinESMExports()
      return spy
    }),
    (spy) =>
      Effect.sync(() => {
        spy.mockRestore()
        syncBuiltinESMExports()
      })
  )

export const onWindows = Effect.acquireRelease(
  Effect.sync(() => {
    const real = Object.getOwnPropertyDescriptor(process, "platform") ?? {}
    Object.defineProperty(process, "platform", { ...real, value: "win32" })
    return real
  }),
  (real) => Effect.sync(() => void Object.defineProperty(process, "platform", real))
)

/** Does work in which nobody waits for as long as a second or less. Time limits, which are longer, stay. */
export const inNoTime = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const real = globalThis.setTimeout
      const quick = (act: () => void, millis = 0) => real(act, millis <= 1_000 ? 0 : millis)
      globalThis.setTimeout = quick as typeof setTimeout
      return real
    }),
    () => work,
    (real) => Effect.sync(() => void (globalThis.setTimeout = real))
  )
