import { beforeEach, describe, expect, it } from "@effect/vitest"
import { Bytes } from "@mcp-lifeline/core/text"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { type Discardable, EventBudget, type Keeper } from "../src/EventBudget.js"

// What is tested here is a part, without the one who ends it.
beforeEach(() => mayLeave("events"))

const all = (name: string): ReadonlyArray<string> => ["sent", "unsent", "answers"].map((what) => `${name} ${what}`)

/** `name@client!`: of a client, and lets go of all that it keeps. */
const make = () => {
  const budget = new EventBudget(Bytes(100))
  const asked: Array<string> = []
  const keepers = new Map<string, Keeper>()
  const make = (given: string): Keeper => {
    const [, name, client, obeys] = /^(\w+)(?:@(\w+))?(!?)$/.exec(given) ?? []
    const keeper = {
      client,
      discard: (what: Discardable) => {
        asked.push(`${name} ${what}`)
        if (obeys === "!") budget.set(keeper, Bytes(0))
      }
    }
    keepers.set(given, keeper)
    return keeper
  }
  return (steps: string) => {
    for (const step of steps.split(", ")) {
      const [name, bytes] = step.split(" ") as [string, string]
      budget.set(keepers.get(name) ?? make(name), Bytes(Number(bytes)))
    }
    return [asked.splice(0), budget.bytes, budget.size]
  }
}

type Step = readonly [steps: string, asked: ReadonlyArray<string>, bytes: number, size: number]

describe("the budget of what streams keep", () => {
  it.each<readonly [title: string, ...steps: ReadonlyArray<Step>]>([
    [
      "[G17:unit] counts what each keeps now, and who keeps anything",
      ["one 40, two 50", [], 90, 2],
      ["one 30, one 30", [], 80, 2],
      ["two 70", [], 100, 2],
      ["one 0, two 0", [], 0, 0]
    ],
    [
      "[X5:unit] asks those that keep more than their share, for what is needed least first",
      ["small 50, large 51", all("large"), 101, 2]
    ],
    [
      "[X5:unit] a share is of those that keep something, and of what they keep now",
      ["gone 10, gone 0, less 60, less 45, more 60", all("more"), 105, 2]
    ],
    [
      "[G17:unit] of one client, asks what has grown last after the others, and none once there is room; what has shrunk stays where it was",
      ["one@a! 30, two@a! 30, three@a! 30, one@a! 35", [], 95, 3],
      ["three@a! 20, one@a! 60", ["two sent"], 80, 2],
      ["one@a! 85", ["three sent"], 85, 1]
    ],
    [
      "[G17:unit] what shrinks keeps its turn, and no more is asked for than what there is too much of",
      ["one@a! 25, two@a! 25, three@a! 25, one@a! 20, two@a! 75", ["one sent"], 100, 2]
    ],
    [
      "[X5:unit] of one that keeps more than its share, asks for no more than what there is too much of",
      ["first@a! 20, second@a! 60, other@b 20, other@b 40", ["first sent"], 100, 2]
    ],
    [
      "[X5:unit] asks for nothing because somebody keeps less than before, while there is still too much",
      ["small 30, large 90", all("large"), 120, 2],
      ["small 20", [], 110, 2],
      ["large 91", all("large"), 111, 2]
    ],
    [
      "[X5:unit] of several clients, asks the one that has grown last after the others",
      ["one@a! 34, two@b! 34, three@c 20, one@a! 40, three@c 30", ["two sent"], 70, 2]
    ]
  ])("%s", (_, ...steps) => {
    const keep = make()
    for (const [step, ...outcome] of steps as ReadonlyArray<Step>) expect(keep(step)).toEqual(outcome)
  })
})
