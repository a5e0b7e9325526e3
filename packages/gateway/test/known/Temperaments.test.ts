import { expect, it } from "@effect/vitest"
import type { Shown } from "@mcp-lifeline/core"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect } from "effect"
import { describe } from "vitest"
import * as Temperaments from "../../src/known/Temperaments.js"
import { stateFolder } from "../support/Host.js"

const one: Shown = { server: "one 1", isConcurrent: true, ignoresPings: true, slowestStart: 45_200, sessionsSince: 1 }

describe("V9: what servers have shown", () => {
  it.each([
    [one, ["answers requests during a call", "ignores pings", "has taken 45s 200ms to start"]],
    [{ isConcurrent: false, ignoresPings: false }, []]
  ])("[V9] in words: %j", (shown, words) => {
    expect(Temperaments.inWords(shown)).toEqual(words)
  })

  it.effect("[V9] what one process keeps, another one finds; of a server that nothing identifies, nothing", () => {
    const state = stateFolder()
    const inAnother = <A>(use: (kept: Temperaments.Temperaments) => Effect.Effect<A>) =>
      Effect.provide(Effect.flatMap(Temperaments.make, use), StateFolder.layerAt(state.path))
    return Effect.gen(function*() {
      yield* inAnother((kept) =>
        Effect.gen(function*() {
          const writes: Array<Effect.Effect<unknown>> = []
          const memory = yield* kept.of(
            { command: "one" },
            ((write: Effect.Effect<unknown>) => writes.push(write)) as never
          )
          expect(memory.remembered).toBeUndefined()
          memory.keep(one)
          yield* Effect.all(writes)
        })
      )
      expect(yield* inAnother((kept) => kept.shown({ command: "one" }))).toEqual(one)
      expect(yield* inAnother((kept) => kept.shown({ command: "two" }))).toBeUndefined()
      expect(yield* inAnother((kept) => kept.shown(undefined))).toBeUndefined()
    }).pipe(Effect.ensuring(Effect.sync(() => state[Symbol.dispose]())))
  })
})
