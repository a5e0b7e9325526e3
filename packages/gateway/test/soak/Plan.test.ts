import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import { doorNames, doorOf } from "../../../../tools/soak/doors.mjs"
import { read, UsageError } from "../../../../tools/soak/options.mjs"
import { plan } from "../../../../tools/soak/plan.mjs"

const seeds = FastCheck.integer({ min: 0, max: 2 ** 31 })
const courses = FastCheck.record({ seed: seeds, seconds: FastCheck.integer({ min: 1, max: 120 }) })

describe("the plan of a soak", () => {
  it("[B3:real] comes from the seed alone, and another seed has another", () => {
    FastCheck.assert(
      FastCheck.property(courses, ({ seconds, seed }) => {
        const course = { seed, seconds, doors: doorNames }
        assert.deepStrictEqual(plan(course), plan(course))
        assert.notDeepEqual(plan({ ...course, seconds: 60 }), plan({ ...course, seconds: 60, seed: seed + 1 }))
      }),
      { numRuns: 20 }
    )
  })

  it("[B3:real] of a longer run begins with that of a shorter one; of one door is the same whichever others take part", () => {
    FastCheck.assert(
      FastCheck.property(courses, ({ seconds, seed }) => {
        const whole = plan({ seed, seconds: seconds + 30, doors: doorNames })
        assert.deepStrictEqual(plan({ seed, seconds, doors: doorNames }), whole.filter(({ at }) => at < seconds * 1000))
        for (const door of doorNames) {
          assert.deepStrictEqual(
            plan({ seed, seconds: seconds + 30, doors: [door] }),
            whole.filter((fault) => fault.door === door)
          )
        }
      }),
      { numRuns: 20 }
    )
  })

  it("[B3:real] has, in ten minutes, every fault of every server, client and replica", () => {
    const faults = plan({ seed: 1, seconds: 600, doors: doorNames })
    for (const name of doorNames) {
      const { clients, replicas = [], servers } = doorOf(name)
      const expected = [
        ...Object.entries(servers).flatMap(([target, kinds]) => kinds.map((kind) => `${target} ${kind}`)),
        ...Object.entries(clients).flatMap(([target, { faults }]) => faults.map((kind) => `${target} ${kind}`)),
        ...replicas.flatMap((kind) => [0, 1, 2].map((target) => `${target} ${kind}`))
      ]
      const planned = new Set(faults.filter(({ door }) => door === name).map(({ kind, target }) => `${target} ${kind}`))
      assert.deepStrictEqual([...planned].toSorted(), expected.toSorted())
    }
  })
})

describe("the command line of a soak", () => {
  it("[B3:real] reads minutes, seconds, a seed and doors", () => {
    const chosen = { seconds: 120, seed: 7, doors: ["connect", "wrap"] } as const
    assert.deepInclude(read(["--minutes", "2", "--seed", "7", "--doors", "wrap,connect"]), chosen)
    assert.deepInclude(read(["--seconds", "20"]), { seconds: 20, doors: doorNames })
    assert.isUndefined(read(["--help"]))
  })

  it("[B3:real] refuses what it does not know, with the name of the option", () => {
    for (
      const args of [["--seed", "x"], ["--seed", "1.5"], ["--minutes", "0"], ["--doors", "none"], ["--plant", "x"]]
    ) assert.throws(() => read(args), UsageError, args[0])
    assert.throws(() => read(["--unknown"]), UsageError, "--unknown")
  })
})
