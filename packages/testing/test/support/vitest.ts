/** The runner, with tests whose bodies are generators of effects: `test.scoped(title, function*() { ... })`. */
import { it, type Vitest } from "@effect/vitest"
import { Effect, type Scope, type TestServices, type Utils } from "effect"

export * from "@effect/vitest"

type Body<R, Args extends Array<any>> = (
  ...args: Args
) => Generator<Utils.YieldWrap<Effect.Effect<any, any, R>>, unknown, never>

type Test<R, Args extends Array<any>> = (title: string, body: Body<R, Args>, timeout?: number) => void

const tester = <R>(run: Vitest.Tester<R>) => {
  const test = (tried: Vitest.Test<R>): Test<R, []> => (title, body, timeout) =>
    tried(title, () => Effect.gen(body), timeout)
  const each = <T>(cases: ReadonlyArray<T>): Test<R, [T]> => (title, body, timeout) =>
    run.each(cases)(title, (one) => Effect.gen(() => body(one)), timeout)
  const skipIf = (condition: unknown) => test(run.skipIf(condition))
  const runIf = (condition: unknown) => test(run.runIf(condition))
  return Object.assign(test(run), { each, skipIf, runIf })
}

export const test = {
  effect: tester<TestServices.TestServices>(it.effect),
  scoped: tester<TestServices.TestServices | Scope.Scope>(it.scoped),
  live: tester<never>(it.live),
  scopedLive: tester<Scope.Scope>(it.scopedLive)
}
