/**
 * Generated interleavings of subscriptions with processes that are lost and come back, with a ledger of what each process was asked for.
 */
import { type Connection, RequestError, Sending } from "@mcp-lifeline/core"
import { Simulation } from "@mcp-lifeline/testing"
import { Deferred, Effect, Exit, FiberId } from "effect"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { bySize } from "../../../testing/test/support/bySize.js"
import type { Choice } from "../../src/pool/Choice.js"
import { Subscriptions } from "../../src/pool/Subscriptions.js"

/** More than are made again at the same time. */
const uris = Array.from({ length: 12 }, (_, i) => `file:///${i}`)

/** The timeout of requests that the server refuses. */
const refused = 4999

type Command =
  | { readonly do: "subscribe" | "unsubscribe"; readonly uri: string; readonly isRefused: boolean }
  | { readonly do: "all" | "lose" | "look" | "settle" }
  | { readonly do: "advance"; readonly millis: number }
  | { readonly do: "step"; readonly count: number }

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("subscribe" as const, "unsubscribe" as const, "unsubscribe" as const),
      uri: fc.constantFrom(...uris),
      isRefused: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.constant(true))
    })
  },
  { weight: 1, arbitrary: fc.constant({ do: "all" as const }) },
  { weight: 3, arbitrary: fc.constant({ do: "lose" as const }) },
  { weight: 2, arbitrary: fc.constant({ do: "look" as const }) },
  { weight: 2, arbitrary: fc.constant({ do: "settle" as const }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("step" as const), count: fc.nat(20) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("advance" as const), millis: fc.constantFrom(1, 50, 100) }) }
)

/** A process of the server: what it was asked for, in the order in which requests were sent. */
class Process {
  readonly subscribed = new Set<string>()
  isLive = true
  readonly #end = Deferred.unsafeMake<never, RequestError>(FiberId.none)
  readonly choice: Choice

  constructor(sim: Simulation.Simulation) {
    const answer = (
      method: string,
      { uri }: { readonly uri: string },
      options: { readonly timeout: number }
    ): Effect.Effect<unknown, RequestError> => {
      if (!this.isLive) return Deferred.await(this.#end)
      expect(options.timeout).toBeGreaterThan(1000)
      if (options.timeout === refused) {
        return Effect.fail(new RequestError({ fate: "answered", reason: "remote", code: -1, message: "no" }))
      }
      if (method === "resources/subscribe") this.subscribed.add(uri)
      else this.subscribed.delete(uri)
      return Effect.raceFirst(Effect.delay(Effect.succeed({}), 100), Deferred.await(this.#end))
    }
    const send = (
      method: string,
      params: { readonly uri: string },
      options: { readonly timeout: number },
      settle: (exit: Exit.Exit<unknown, RequestError>) => void
    ) => {
      const fiber = sim.fork(answer(method, params, options))
      fiber.addObserver(settle)
      return () => fiber.unsafeInterruptAsFork(FiberId.none)
    }
    const live = { send }
    const member = Object.defineProperty({}, "live", { get: () => this.isLive ? live : undefined })
    this.choice = { member, live } as never as Choice
  }

  lose(): void {
    this.isLive = false
    this.subscribed.clear()
    Deferred.unsafeDone(
      this.#end,
      Effect.fail(new RequestError({ fate: "unknown", reason: "lost", message: "it was lost" }))
    )
  }
}

const seen = { moved: 0, many: 0 }

const faultsOf = (commands: ReadonlyArray<Command>, seed: number): ReadonlyArray<string> => {
  const sim = new Simulation.Simulation({ seed })
  const faults: Array<string> = []
  const processes = [new Process(sim), new Process(sim)]
  const subscriptions = new Subscriptions(
    () => processes.find(({ isLive }) => isLive)?.choice,
    () => new RequestError({ fate: "notSent", reason: "lost", message: "none" }),
    { backend: "one", requestTimeout: 60_000, run: (work) => void sim.fork(work) }
  )
  const asking: Pick<Connection, "send"> = { send: (...given) => subscriptions.send(...given) }
  /** What callers were answered: each waits for the end of what it has asked of a resource before. */
  const wanted = new Set<string>()
  const busy = new Set<string>()
  const ask = (method: "resources/subscribe" | "resources/unsubscribe", uri: string, isRefused = false) => {
    if (busy.has(uri)) return
    busy.add(uri)
    sim.fork(
      Effect.map(
        Effect.exit(Sending.ask(asking, method, { uri }, { timeout: isRefused ? refused : 5000 })),
        (exit) => {
          busy.delete(uri)
          if (Exit.isSuccess(exit) && method === "resources/subscribe") wanted.add(uri)
          const isRefused = Exit.isFailure(exit) && JSON.stringify(exit).includes('"answered"')
          if (method === "resources/unsubscribe" && !isRefused) wanted.delete(uri)
        }
      )
    )
  }
  const check = () => {
    const live = processes.filter(({ isLive }) => isLive)
    const there = live.flatMap(({ subscribed }) => [...subscribed]).toSorted()
    if (there.join() !== [...wanted].toSorted().join()) {
      faults.push(`subscribed are ${there.join()}, wanted are ${[...wanted].join()}`)
    }
    if (live.filter(({ subscribed }) => subscribed.size > 0).length > 1) faults.push("several processes have some")
  }
  const settle = () => {
    subscriptions.look()
    sim.advance(10_000)
    check()
  }
  for (const one of commands) {
    switch (one.do) {
      case "subscribe":
      case "unsubscribe":
        ask(`resources/${one.do}`, one.uri, one.isRefused)
        break
      case "all":
        for (const uri of uris) ask("resources/subscribe", uri)
        sim.advance(200)
        seen.many++
        break
      case "lose": {
        const home = processes.find(({ isLive, subscribed }) => isLive && subscribed.size > 0)
        if (home === undefined) break
        seen.moved++
        processes.push(new Process(sim))
        home.lose()
        // The pool looks in the step in which it learns of that.
        subscriptions.look()
        break
      }
      case "look":
        subscriptions.look()
        break
      case "settle":
        settle()
        break
      case "step":
        for (let i = 0; i < one.count; i++) sim.step()
        break
      case "advance":
        sim.advance(one.millis)
    }
  }
  settle()
  return faults
}

it(
  "[C18:virtual] whatever interleaves, one process has the subscriptions that were not ended, and no others, also after the second loss",
  { timeout: 600_000 },
  () => {
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 40, size: "max" }),
        fc.nat(1000),
        (...run) => {
          expect(faultsOf(...run)).toEqual([])
        }
      ),
      {
        numRuns: bySize(100, 800),
        // What nobody has is not made again because its end was refused.
        examples: [[
          [
            { do: "unsubscribe", uri: uris[0]!, isRefused: true },
            { do: "subscribe", uri: uris[1]!, isRefused: false },
            {
              do: "settle"
            },
            { do: "lose" }
          ],
          0
        ]],
        endOnFailure: process.env["LIFELINE_SHRINK"] === undefined
      }
    )
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0)
  }
)
