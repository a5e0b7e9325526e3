import { beforeEach, describe, expect, it } from "@effect/vitest"
import { Bytes } from "@mcp-lifeline/core/text"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { type Discardable, EventBudget } from "../src/EventBudget.js"

// What is tested here is a part, without the one who ends it.
beforeEach(() => mayLeave("events"))

const all: ReadonlyArray<Discardable> = ["sent", "unsent", "answers"]

const budgetOf = () => {
  const budget = new EventBudget(Bytes(100))
  const asked: Array<string> = []
  const keeper = (name: string, client?: string, isObedient = false) => {
    const one = {
      client,
      discard: (what: Discardable) => {
        asked.push(`${name} ${what}`)
        if (isObedient) budget.set(one, Bytes(0))
      },
      keeps: (bytes: number) => budget.set(one, Bytes(bytes))
    }
    return one
  }
  return { budget, asked, keeper }
}

describe("the budget of what streams keep", () => {
  it("[G17:unit] counts what each keeps now, and who keeps anything", () => {
    const { asked, budget, keeper } = budgetOf()
    const [one, two] = [keeper("one"), keeper("two")]
    one.keeps(40)
    two.keeps(50)
    expect([budget.bytes, budget.size]).toEqual([90, 2])
    one.keeps(30)
    one.keeps(30)
    expect([budget.bytes, budget.size]).toEqual([80, 2])
    two.keeps(70)
    expect([budget.bytes, asked]).toEqual([100, []])
    one.keeps(0)
    two.keeps(0)
    expect([budget.bytes, budget.size]).toEqual([0, 0])
  })

  it("[X5:unit] asks those that keep more than their share, for what is needed least first", () => {
    const { asked, keeper } = budgetOf()
    keeper("small").keeps(50)
    keeper("large").keeps(51)
    expect(asked).toEqual(all.map((what) => `large ${what}`))
  })

  it("[X5:unit] a share is of those that keep something, and of what they keep now", () => {
    const { asked, keeper } = budgetOf()
    const gone = keeper("gone")
    gone.keeps(10)
    gone.keeps(0)
    const less = keeper("less")
    less.keeps(60)
    less.keeps(45)
    keeper("more").keeps(60)
    expect(asked).toEqual(all.map((what) => `more ${what}`))
  })

  it("[G17:unit] of one client, asks what has grown last after the others, and none once there is room", () => {
    const { asked, budget, keeper } = budgetOf()
    const [one, two, three] = ["one", "two", "three"].map((name) => keeper(name, "client", true))
    for (const each of [one, two, three]) each?.keeps(30)
    one?.keeps(35)
    expect(asked).toEqual([])
    three?.keeps(20)
    one?.keeps(60)
    expect([asked, budget.bytes]).toEqual([["two sent"], 80])
    // What has shrunk stays where it was.
    one?.keeps(85)
    expect([asked, budget.bytes]).toEqual([["two sent", "three sent"], 85])
  })

  it("[G17:unit] what shrinks keeps its turn, and no more is asked for than what there is too much of", () => {
    const { asked, budget, keeper } = budgetOf()
    const [one, two, three] = ["one", "two", "three"].map((name) => keeper(name, "client", true))
    for (const each of [one, two, three]) each?.keeps(25)
    one?.keeps(20)
    // "one" lets go of all that it has: then there are 100, which may be.
    two?.keeps(75)
    expect([asked, budget.bytes]).toEqual([["one sent"], 100])
  })

  it("[X5:unit] of one that keeps more than its share, asks for no more than what there is too much of", () => {
    const { asked, budget, keeper } = budgetOf()
    const [first, second, other] = [keeper("first", "a", true), keeper("second", "a", true), keeper("other", "b")]
    first.keeps(20)
    second.keeps(60)
    other.keeps(20)
    other.keeps(40)
    expect([asked, budget.bytes]).toEqual([["first sent"], 100])
  })

  it("[X5:unit] asks for nothing because somebody keeps less than before, while there is still too much", () => {
    const { asked, budget, keeper } = budgetOf()
    const [small, large] = [keeper("small"), keeper("large")]
    small.keeps(30)
    large.keeps(90)
    asked.length = 0
    small.keeps(20)
    expect([asked, budget.bytes]).toEqual([[], 110])
    large.keeps(91)
    expect(asked).toEqual(all.map((what) => `large ${what}`))
  })

  it("[X5:unit] of several clients, asks the one that has grown last after the others", () => {
    const { asked, keeper } = budgetOf()
    const [one, two] = [keeper("one", "a", true), keeper("two", "b", true)]
    const three = keeper("three", "c")
    one.keeps(34)
    two.keeps(34)
    three.keeps(20)
    one.keeps(40)
    three.keeps(30)
    expect(asked).toEqual(["two sent"])
  })
})
