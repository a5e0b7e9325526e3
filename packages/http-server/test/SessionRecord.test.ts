import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { SessionRecord } from "../src/SessionRecord.js"
import * as SessionRecords from "../src/SessionRecords.js"
import { pageRoom, SubscriptionPages } from "../src/SubscriptionPages.js"

const watched = () => {
  const memory = SessionRecords.inMemory()
  const written: Array<readonly [id: string, chars: number]> = []
  const records: SessionRecords.SessionRecords = {
    ...memory,
    set: (id, record) => {
      written.push([id, JSON.stringify(record).length])
      return memory.set(id, record)
    }
  }
  return { records, written, all: (id: string) => memory.get(id) }
}

const load = async (records: SessionRecords.SessionRecords) => {
  const found = await SessionRecord.load(records, "s")
  if (!(found instanceof SessionRecord)) throw new Error(`no record: ${found}`)
  return found
}

const long = { capabilities: { experimental: { text: "x".repeat(200_000) } } }

/** The characters of a page as JSON, and some more. */
const most = 2 * pageRoom.chars

describe.each([
  ["a record", {}],
  ["a record with a long initialize", { initialize: long }],
  ["a record of somebody", { owner: "somebody" }]
])("%s", (_, head) => {
  it("[G10 G17] has all subscriptions again, whatever was subscribed to and no longer, and each change writes a page at most", async () => {
    const change = fc.record({
      uris: fc.uniqueArray(fc.nat(700), { minLength: 1, maxLength: 300 }),
      isAdded: fc.boolean(),
      reloads: fc.boolean()
    })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 8 }), async (changes) => {
        const { records, written } = watched()
        const wanted = new Set<string>()
        await records.set("s", { usedAt: 1, ...head })
        let record = await load(records)
        for (const { isAdded, reloads, uris } of changes) {
          for (const number of uris) {
            const uri = `test://${number}/${"x".repeat(number % 100)}`
            written.length = 0
            if (isAdded) wanted.add(uri)
            else wanted.delete(uri)
            await record.save(isAdded ? { subscribed: uri } : { unsubscribed: uri })
            // A page, and the record itself where it has another number of pages.
            expect(written.length).toBeLessThanOrEqual(2)
            const limited = written.filter(([id]) => id !== "s" || !("initialize" in head))
            expect(limited.every(([, chars]) => chars < most)).toBe(true)
          }
          if (reloads) record = await load(records)
          expect(new Set(record.settings.subscriptions)).toEqual(wanted)
          expect((await load(records)).settings.subscriptions).toHaveLength(wanted.size)
        }
        await record.save({ level: "error" })
        const again = await load(records)
        expect(again.settings.level).toBe("error")
        expect(new Set(again.settings.subscriptions)).toEqual(wanted)
        expect([again.initialize, again.usedAt > 1]).toEqual([record.initialize, true])
      }),
      { numRuns: 20 }
    )
  })

  it("[G10 G17] of 10,000 subscriptions, one more is written as quickly as the first; when the session ends, no page has any", async () => {
    const { all, records, written } = watched()
    const record = new SessionRecord(records, "s", { usedAt: 1, ...head })
    for (let number = 0; number < 10_000; number++) await record.save({ subscribed: `test://${number}` })
    written.length = 0
    await record.save({ unsubscribed: "test://7" })
    await record.save({ subscribed: "test://8" })
    await record.save({ unsubscribed: "test://none" })
    await record.save({ subscribed: "test://7" })
    expect(written.reduce((sum, [, chars]) => sum + chars, 0)).toBeLessThan(2 * most)
    expect((await load(records)).settings.subscriptions).toHaveLength(10_000)
    written.length = 0
    await record.touch()
    const pages = written.map(([id]) => id).filter((id) => id !== "s")
    expect(pages.length).toBeGreaterThan(30)
    await record.end(7)
    expect(await all("s")).toMatchObject({ hasEnded: true, born: 7, ...("owner" in head ? head : {}) })
    for (const id of pages) expect(await all(id)).not.toHaveProperty("subscriptions")
  })

  it.each([0, 1, 255, 256, 257, 1000])(
    "[G10] as earlier versions wrote it, with all %d subscriptions in it, is taken over by whatever change is the first",
    async (count) => {
      const subscriptions = Array.from({ length: count }, (_, number) => `test://${number}`)
      const changes = [{ level: "error" }, { subscribed: "test://more" }, { unsubscribed: "test://0" }] as const
      for (const change of changes) {
        const { records } = watched()
        await records.set("s", { usedAt: 1, ...head, subscriptions })
        const record = await load(records)
        expect(record.settings.subscriptions).toEqual(subscriptions)
        await record.save(change)
        const { level, subscriptions: after } = (await load(records)).settings
        const wanted = new Set(subscriptions)
        if ("subscribed" in change) wanted.add(change.subscribed)
        if ("unsubscribed" in change) wanted.delete(change.unsubscribed)
        expect([change, level, after.toSorted()]).toEqual([
          change,
          "level" in change ? "error" : undefined,
          [...wanted].toSorted()
        ])
      }
    }
  )

  it("[G10 G17] that was read again writes no more for its next change than before", async () => {
    const { records, written } = watched()
    const record = new SessionRecord(records, "s", { usedAt: 1, ...head })
    for (let number = 0; number < 1000; number++) await record.save({ subscribed: `test://${number}` })
    for (const change of [{ level: "error" }, { subscribed: "test://more" }, { unsubscribed: "test://300" }] as const) {
      const again = await load(records)
      written.length = 0
      await again.save(change)
      expect([change, written.length]).toEqual([change, 1])
    }
  })

  it("[G10 E1] one page of which nobody can say what it has, is a record of which nobody can say that", async () => {
    const { records } = watched()
    const record = new SessionRecord(records, "s", { usedAt: 1, ...head })
    for (let number = 0; number < 1000; number++) await record.save({ subscribed: `test://${number}` })
    const away: SessionRecords.SessionRecords = {
      ...records,
      get: (id) => id.endsWith("/2") ? Promise.resolve("unknown" as const) : records.get(id)
    }
    expect(await SessionRecord.load(away, "s")).toBe("unknown")
  })
})

describe("the pages of subscriptions", () => {
  it.each([
    ["many", pageRoom.uris, 1],
    ["long ones", 4, pageRoom.chars / 4]
  ])("[G17:unit] what was removed leaves its room to others: %s", (_, count, length) => {
    const pages = new SubscriptionPages()
    const uri = (number: number) => `${number}`.padEnd(length, "x")
    for (let number = 0; number < 10 * count; number++) {
      if (number >= count) pages.delete(uri(number - count))
      pages.add(uri(number))
      expect([number, pages.size]).toEqual([number, 1])
    }
    pages.add(uri(10 * count))
    expect([pages.size, pages.uris.length]).toEqual([2, count + 1])
  })
})
