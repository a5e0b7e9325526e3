import { describe, expect, it } from "@effect/vitest"
import { type Discardable, EventBudget } from "../src/EventBudget.js"

const all: ReadonlyArray<Discardable> = ["sent", "unsent", "answers"]

/** A budget of 100 bytes, and keepers in it. Who is asked lets go of nothing, or of all. */
const budgetOf = () => {
  const budget = new EventBudget(100)
  const asked: Array<string> = []
  const keeper = (name: string, client?: string, isObedient = false) => {
    const one = {
      client,
      discard: (what: Discardable) => {
        asked.push(`${name} ${what}`)
        if (isObedient) budget.set(one, 0)
      },
      keeps: (bytes: number) => budget.set(one, bytes)
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
