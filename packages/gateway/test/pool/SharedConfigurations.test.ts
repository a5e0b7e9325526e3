import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, TestClock } from "effect"
import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs"
import { join as pathOf } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import type { Server } from "../../src/config/Backends.js"
import * as SharedConfigurations from "../../src/pool/SharedConfigurations.js"
import type { Gateways, ReplicaName } from "../../src/replica/Gateways.js"
import { describe, expect, test } from "../support/vitest.js"

const named = (id: string): ReplicaName => ({ id, address: `http://${id}` })

const notes = (identity: string): Server => ({
  id: "notes",
  identity,
  connector: StdioConnector.make({ command: "no" })
})

describe("configurations of replicas", () => {
  const replicas = Effect.gen(function*() {
    const path = yield* folder
    const state = StateFolder.make(path)
    const alive = new Set<string>()
    const join = Effect.fnUntraced(function*(id: string, identity: string) {
      alive.add(id)
      const gateways: Pick<Gateways, "others" | "own"> = {
        own: () => named(id),
        others: () => [...alive].filter((one) => one !== id).map(named)
      }
      const configurations = yield* SharedConfigurations.make(state, gateways)
      yield* configurations.publish([notes(identity)])
      return configurations
    })
    return { alive, join, path }
  })
  const newer = ({ look, newer }: SharedConfigurations.SharedConfigurations) => Effect.map(look, () => newer("notes"))

  test.scoped("[D1] the newest counts, as long as a replica has it", function*() {
    const { alive, join } = yield* replicas
    const a = yield* join("a", "old")
    yield* TestClock.adjust(1000)
    const b = yield* join("b", "old")
    yield* TestClock.adjust(1000)
    const c = yield* join("c", "new")
    expect(yield* Effect.all([a, b, c].map(newer))).toEqual(["http://c", "http://c", undefined])
    alive.delete("c")
    expect(yield* Effect.all([a, b].map(newer))).toEqual([undefined, undefined])
  })

  test.scoped("[D1] a replica that starts again with the old one does not make it new", function*() {
    const { join } = yield* replicas
    const a = yield* join("a", "old")
    yield* TestClock.adjust(1000)
    yield* join("b", "new")
    yield* TestClock.adjust(1000)
    const c = yield* join("c", "old")
    expect(yield* Effect.all([a, c].map(newer))).toEqual(["http://b", "http://b"])
  })

  test.scoped("[D1] a configuration that is saved is new, and the same again is not", function*() {
    const { join } = yield* replicas
    const a = yield* join("a", "one")
    yield* TestClock.adjust(1000)
    const b = yield* join("b", "two")
    yield* TestClock.adjust(1000)
    yield* b.publish([notes("two")])
    yield* a.publish([notes("three")])
    expect(yield* Effect.all([a, b].map(newer))).toEqual([undefined, "http://a"])
    expect(a.newer("of nobody")).toBe(undefined)
  })
  test.scopedLive("[D1 X5] what another version has left, which nobody reads, is removed when it was unused for a week, and no sooner", function*() {
    const { join, path } = yield* replicas
    const left = pathOf(path, "configurations")
    mkdirSync(left, { recursive: true, mode: 0o700 })
    const days = [6, 8, 30]
    for (const age of days) {
      const file = pathOf(left, `left-${age}.json`)
      writeFileSync(file, "{}")
      const used = Date.now() / 1000 - age * 24 * 60 * 60
      utimesSync(file, used, used)
    }
    yield* join("a", "new")
    expect(days.filter((age) => existsSync(pathOf(left, `left-${age}.json`)))).toEqual([6])
  })
})
