import { Simulation } from "@mcp-lifeline/testing"
import { Effect, type Exit } from "effect"
import * as fc from "fast-check"
import { beforeEach, describe, expect, it } from "vitest"
import type { Replica, StoreError } from "../src/ClusterStore.js"
import { type Fate, Leases, type Node } from "./support/Leases.js"

let sim: Simulation.Simulation
let leases: Leases

beforeEach(() => {
  sim = new Simulation.Simulation({ seed: 1 })
  leases = new Leases(sim)
})

const nodes = (count: number): [Node, Node, ...Array<Node>] => {
  const all = Array.from({ length: count }, () => leases.node())
  for (const one of all) one.give()
  for (const one of all) one.look()
  sim.runUntilIdle()
  return all as [Node, Node]
}

const ask = (node: Node, session: string, born: string | undefined, retries = 0): () => string | undefined => {
  let answer: string | undefined
  const answered = (exit: Exit.Exit<Replica, StoreError>): void => {
    answer = exit._tag === "Success" ? exit.value.id : "failed"
  }
  sim.fork(Effect.map(Effect.exit(Effect.retry(node.homes.find(session, born), { times: retries })), answered))
  sim.runUntilIdle()
  return () => answer
}

/** Ends the lease of a replica as others see it, some time after it has lapsed. */
const kill = (node: Node, ...seen: ReadonlyArray<Node>): void => {
  node.lapse()()
  node.end()
  sim.runUntilIdle()
  for (const one of seen) one.look()
  sim.advance(1)
}

describe("where a session lives", () => {
  it("[D3] on the replica on which it began, without asking the store", () => {
    const [a, b] = nodes(2)
    const [idA] = a.ids as [string]
    expect(a.homes.own()).toBe(idA)
    expect(a.homes.isHere("s", idA)).toBe(true)
    expect(b.homes.isHere("s", idA)).toBe(false)
    expect([ask(a, "s", idA)(), ask(b, "s", idA)()]).toEqual([idA, idA])
    expect([...a.asked, ...b.asked]).toEqual([])
  })

  it("[D3] on a replica that has just joined and is not seen yet: it is not taken for gone", () => {
    const [a] = nodes(1)
    const b = leases.node()
    const idB = b.give()
    const home = ask(a, "s", idB)
    sim.advance(10_000)
    expect(home()).toBeUndefined()
    expect(a.asked).toEqual([])
    a.look()
    sim.advance(100)
    expect(home()).toBe(idB)
    expect(a.asked).toEqual([])
  })

  it("[D1][D4] on the one that has taken it over when its first home has gone, and not before", () => {
    const [a, b, c] = nodes(3) as [Node, Node, Node]
    const [idA, idB] = [a.ids[0]!, b.ids[0]!]
    a.lapse()()
    expect(ask(b, "s", idA)()).toBe(idA)
    expect(b.homes.isHere("s", idA)).toBe(false)
    a.end()
    b.look()
    c.look()
    const home = ask(b, "s", idA)
    sim.advance(2)
    b.look()
    sim.advance(2)
    expect(home()).toBe(idB)
    expect(b.homes.isHere("s", idA)).toBe(true)
    const other = ask(c, "s", idA)
    sim.advance(2)
    c.look()
    sim.advance(2)
    expect(other()).toBe(idB)
    expect(c.homes.isHere("s", idA)).toBe(false)
    expect(c.asked).toEqual(["find"])
  })

  it("[D4] once a replica has gone, its next session is taken over without waiting for another look", () => {
    const [a, b] = nodes(2)
    const [idA, idB] = [a.ids[0]!, b.ids[0]!]
    sim.fork(b.homes.gone(idA))
    sim.runUntilIdle()
    kill(a, b)
    const homes = ["s", "t"].map((session) => ask(b, session, idA))
    sim.advance(2)
    expect(homes.map((home) => home())).toEqual([idB, idB])
  })

  it("[D1] of two replicas that take it over at once, one gets it", () => {
    const [a, b, c] = nodes(3) as [Node, Node, Node]
    const idA = a.ids[0]!
    const homes = [ask(b, "s", undefined), ask(c, "s", undefined)]
    sim.advance(10)
    const [one, other] = homes.map((home) => home())
    expect(one).toBe(other)
    expect([b, c].filter(({ homes }) => homes.isHere("s", undefined))).toHaveLength(1)
    expect(one).not.toBe(idA)
  })

  it("[D4] many who ask for the same session at once ask the store once", () => {
    const [, b] = nodes(2)
    const homes = Array.from({ length: 100 }, () => ask(b, "s", undefined))
    sim.advance(10)
    expect(new Set(homes.map((home) => home()))).toEqual(new Set([b.ids[0]]))
    expect(b.asked).toEqual(["find", "claim"])
  })

  it("[D1] a lease that lapses while the store is asked does not make it the home", () => {
    const [a, b] = nodes(2)
    const home = ask(a, "s", undefined)
    sim.advance(1)
    expect(a.asked).toEqual(["find", "claim"])
    a.lapse()()
    sim.advance(10)
    // The store has it as the home, but it is none without a lease.
    expect(a.homes.isHere("s", undefined)).toBe(false)
    a.end()
    const [again, other] = [a.give(), ask(b, "s", undefined)]
    b.look()
    sim.advance(10)
    b.look()
    sim.advance(200)
    expect(b.homes.isHere("s", undefined)).toBe(true)
    expect(a.homes.isHere("s", undefined)).toBe(false)
    expect(other()).toBe(b.ids[0])
    expect(again).not.toBe(home())
    a.look()
    const last = ask(a, "s", undefined)
    sim.advance(10)
    expect(last()).toBe(b.ids[0])
  })

  it("[D5] without a lease it takes nothing over, but knows the homes that are there", () => {
    const [a, b] = nodes(2)
    const idA = a.ids[0]!
    b.lapse()()
    sim.runUntilIdle()
    expect(b.homes.own()).toBeUndefined()
    expect(ask(b, "s", idA)()).toBe(idA)
    const home = ask(b, "t", undefined)
    sim.advance(60_000)
    expect(home()).toBeUndefined()
    expect(b.asked).toEqual([])
    const again = b.give()
    sim.advance(10)
    expect(home()).toBe(again)
  })

  it("[D5] where the store fails, so does the question; the next one has an answer", () => {
    const [a] = nodes(1)
    a.fate = "refused"
    expect(ask(a, "s", undefined)()).toBe("failed")
    a.fate = "ok"
    const home = ask(a, "s", undefined)
    sim.advance(10)
    expect(home()).toBe(a.ids[0])
  })

  it("[D5] a store that never answers holds up nobody who asks later", () => {
    const [a] = nodes(1)
    a.fate = "lost"
    const lost = ask(a, "s", undefined)
    sim.advance(20_000)
    expect(lost()).toBe("failed")
    a.fate = "ok"
    const home = ask(a, "s", undefined)
    sim.advance(10)
    expect(home()).toBe(a.ids[0])
  })

  it("[D1] who has taken it for another one, whose takeover was not answered, asks again", () => {
    const [a, b] = nodes(2)
    ask(a, "s", undefined)
    a.fate = "unanswered"
    sim.advance(10)
    expect(a.asked).toEqual(["find", "claim"])
    expect(a.homes.isHere("s", undefined)).toBe(false)
    const home = ask(b, "s", undefined)
    sim.advance(10)
    expect(home()).toBe(a.ids[0])
  })

  it("[D7] the row of an ended session goes away", () => {
    const [a, b] = nodes(2)
    const home = ask(a, "s", undefined)
    sim.advance(10)
    expect(home()).toBe(a.ids[0])
    sim.fork(a.homes.ended("s"))
    sim.advance(10)
    expect(a.asked).toEqual(["find", "claim", "release"])
    expect(a.homes.isHere("s", undefined)).toBe(false)
    const other = ask(b, "s", undefined)
    sim.advance(10)
    expect(other()).toBe(b.ids[0])
  })

  it("[D7] for a session that never moved there is no row", () => {
    const [a] = nodes(1)
    sim.fork(a.homes.ended("s"))
    sim.advance(10)
    expect(a.asked).toEqual([])
  })

  it("[D1] what lives there ends with each lease, before there is another one", () => {
    const [a] = nodes(1)
    let over = (): void => undefined
    a.ending = Effect.async((resume) => {
      over = () => resume(Effect.void)
    })
    a.lapse()()
    const again = a.give()
    sim.advance(1000)
    expect(a.ends).toBe(1)
    expect(a.homes.own()).toBeUndefined()
    over()
    sim.advance(1)
    expect(a.homes.own()).toBe(again)
  })

  it.each([["fails", Effect.die("no")], ["does not end", Effect.never]])(
    "[D5] an end that %s does not keep it from the next lease for ever",
    (_, ending) => {
      const [a] = nodes(1)
      a.ending = ending
      a.lapse()()
      const again = a.give()
      sim.advance(5000)
      expect(a.homes.own()).toBe(again)
      a.lapse()()
      sim.advance(1)
      expect([a.ends, a.homes.own()]).toEqual([2, undefined])
    }
  )
})

describe("its memory", () => {
  it("[X5] is bounded: what it has forgotten, it asks for again", () => {
    const a = leases.node(10)
    a.give()
    sim.runUntilIdle()
    const isHere = (i: number): boolean => a.homes.isHere(`s${i}`, undefined)
    const asking = (i: number): void => {
      expect(isHere(i)).toBe(false)
      const home = ask(a, `s${i}`, undefined)
      sim.advance(2)
      expect([home(), isHere(i)]).toEqual([a.ids[0], true])
    }
    for (let i = 0; i < 10; i++) asking(i)
    expect(isHere(0)).toBe(true)
    asking(10)
    expect([isHere(0), isHere(1)]).toEqual([false, true])
    asking(0)
    expect(isHere(1)).toBe(false)
  })
})

/** What happens in a generated run, to replicas and sessions by number. `loss` and `return` are several of the others in a row. */
type Command =
  | { readonly do: "lapse" | "tell" | "end" | "give" | "look"; readonly node: number }
  | { readonly do: "ask" | "begin" | "ended" | "loss" | "return"; readonly node: number; readonly session: number }
  | { readonly do: "fate"; readonly node: number; readonly fate: Fate }
  | { readonly do: "step" | "advance"; readonly by: number }

const node = fc.nat(2)
const session = fc.nat(3)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("lapse", "tell", "end", "give", "look"), node }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("ask"), node, session }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("begin", "ended"), node, session }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("loss", "return"), node, session }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("fate"),
      node,
      fate: fc.constantFrom("ok", "refused", "lost", "unanswered")
    })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("step"), by: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("advance"), by: fc.integer({ min: 1, max: 300 }) }) }
) as fc.Arbitrary<Command>

describe("any interleaving", () => {
  it("[D1:model] never has two homes of a session at once, and in the end all agree on one", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), fc.nat(), (commands, seed) => {
        sim = new Simulation.Simulation({ seed, maxOps: 10 + seed % 100 })
        leases = new Leases(sim)
        const all = nodes(3)
        const tells: Array<() => void> = []
        let begun = 0
        // Two that began before there was a cluster, and two of which each began on a replica.
        const born = [undefined, undefined, all[0].ids[0], all[1].ids[0]]
        const sessions = born.map((born, index) => ({ id: `s${index}`, born }))
        const homesOf = ({ born, id }: typeof sessions[number]): ReadonlyArray<number> =>
          all.flatMap(({ homes }, index) => homes.isHere(id, born) ? [index] : [])
        const check = (): void => {
          for (const one of sessions) {
            const homes = homesOf(one)
            if (homes.length > 1) throw new Error(`${one.id} lives on ${homes.join(" and ")}`)
          }
        }
        const perform = (command: Command): void => {
          if ("by" in command) {
            if (command.do === "advance") return sim.advance(command.by)
            for (let i = 0; i < command.by && sim.step(); i++) check()
            return
          }
          const target = all[command.node] as Node
          switch (command.do) {
            case "lapse":
              return void tells.push(target.lapse())
            case "tell":
              return tells.shift()?.()
            case "end":
              return target.end()
            case "give":
              // There is another lease only once the one before has ended, and who held it was told.
              if (target.isHeld) return
              for (const tell of tells.splice(0)) tell()
              while (target.lapsedIds.length > 0) target.end()
              return void target.give()
            case "look":
              return target.look()
            case "fate":
              target.fate = command.fate
              return
            case "loss":
              for (const one of ["lapse", "end", "look"] as const) perform({ do: one, node: command.node })
              for (const one of [0, 1, 2]) {
                perform({ do: "look", node: one })
                perform({ do: "ask", node: one, session: command.session })
                perform({ do: "step", by: 1000 })
                perform({ do: "look", node: one })
              }
              return sim.advance(3)
            case "return":
              for (const one of ["lapse", "give"] as const) perform({ do: one, node: command.node })
              perform({ do: "step", by: 1000 })
              perform({ do: "begin", node: command.node, session: command.session })
              perform({ do: "ask", node: (command.node + 1) % 3, session: command.session })
              return sim.advance(3)
            case "ask": {
              const { born, id } = sessions[command.session]!
              return void sim.fork(Effect.ignore(target.homes.find(id, born)))
            }
            case "begin":
              sessions[command.session] = { id: `begun ${++begun}`, born: target.homes.own() }
              return
            case "ended": {
              const one = sessions[command.session]!
              // Only a home hears of the end, and nobody uses such a session again.
              if (!target.homes.isHere(one.id, one.born)) return
              sim.fork(Effect.ignore(target.homes.ended(one.id)))
              sessions[command.session] = { id: `${one.id}+`, born: undefined }
            }
          }
        }
        for (const one of commands) {
          perform(one)
          check()
        }
        for (const tell of tells) tell()
        for (const one of all) {
          one.fate = "ok"
          while (one.lapsedIds.length > 0) one.end()
          if (!one.isHeld) one.give()
        }
        sim.runUntilIdle()
        check()
        for (const one of all) one.look()
        const answers = sessions.map(({ born, id }) => all.map((one) => ask(one, id, born, 1)))
        for (let i = 0; i < 40; i++) {
          for (const one of all) one.look()
          sim.advance(100)
          check()
        }
        for (const [index, of] of answers.entries()) {
          const found = of.map((answer) => answer())
          expect(new Set(found).size, `${sessions[index]!.id}: ${found.join()}`).toBe(1)
          const homes = homesOf(sessions[index]!)
          expect(homes.map((home) => all[home]!.homes.own())).toEqual([found[0]])
        }
      }),
      { numRuns: 150 }
    )
  }, 300_000)
})
