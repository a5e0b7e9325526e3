import { Backend, type Connector, type Extension, Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Context, Effect, Either, Option, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import type { BackendHandle } from "../src/backend/BackendHandle.js"
import { runUntilIdle, watched } from "./support/Watched.js"

interface Counter {
  readonly name: string
  readonly count: () => number
}

class First extends Context.Tag("First")<First, Counter>() {}
class Second extends Context.Tag("Second")<Second, Counter>() {}

const counting = <Id>(tag: Context.Tag<Id, Counter>, journal: Array<string>): Extension.Extension<Id, Counter> => ({
  tag,
  install: ({ backend, changed }) =>
    Effect.gen(function*() {
      const name = `${backend}/${tag.key}`
      journal.push(`install ${name}`)
      yield* Effect.addFinalizer(() => Effect.sync(() => journal.push(`end ${name}`)))
      let count = 0
      const around = (connector: Connector): Connector => ({
        ...connector,
        connect: (options) =>
          Effect.suspend(() => {
            journal.push(`connect ${name}`)
            count++
            changed()
            return Effect.tap(
              connector.connect(options),
              Effect.addFinalizer(() => Effect.sync(() => journal.push(`close ${name}`)))
            )
          })
      })
      return {
        service: { name, count: () => count },
        around,
        status: () => ({ [tag.key]: count, state: "overwritten" }),
        withheld: () => [`of${tag.key}`]
      }
    })
})

describe("an extension of a backend", () => {
  test.effect("[L6] lies around each connection, the first outermost, and ends after the last one has closed", function*() {
    const journal: Array<string> = []
    const script = ScriptedConnector.make()
    yield* Effect.scoped(Effect.gen(function*() {
      const { backend } = yield* watched(script, {
        extensions: [counting(First, journal), counting(Second, journal)]
      })
      yield* runUntilIdle
      script.current.lose()
      yield* TestClock.adjust("3 seconds")
      expect(Option.getOrThrow(backend.extension(First)).count()).toBe(2)
      expect(Option.getOrThrow(backend.extension(Second)).name).toBe("one/Second")
    }))
    const connected = ["connect one/First", "connect one/Second"]
    const closed = ["close one/First", "close one/Second"]
    expect(journal).toEqual([
      "install one/First",
      "install one/Second",
      ...connected,
      ...closed,
      ...connected,
      ...closed,
      "end one/Second",
      "end one/First"
    ])
  })

  test.scoped("[H7] adds fields to the status, and hides none of the backend's own", function*() {
    const { backend } = yield* watched(ScriptedConnector.make(), { extensions: [counting(First, [])] })
    yield* runUntilIdle
    expect(yield* backend.status).toMatchObject({ First: 1, state: "Connected" })
    expect((backend as BackendHandle).parts.extensions.withheld()).toEqual(["ofFirst"])
    expect(backend.extension(Second)).toEqual(Option.none())
  })

  test.scoped("[L19] that fails to say its status stops nobody", function*() {
    const broken = {
      tag: First,
      install: () =>
        Effect.succeed({
          service: "First",
          status: () => {
            throw new Error("broken")
          }
        })
    }
    const script = ScriptedConnector.make()
    const backend = yield* Backend.make("one", { connector: script, extensions: [broken] })
    yield* runUntilIdle
    script.current.lose()
    yield* TestClock.adjust("1 second")
    expect(yield* backend.status).toMatchObject({ state: "Connected", generation: 2 })
  })

  test.scoped("[L15] of a tag that the backend has already is refused with its place, before anything of a fleet starts", function*() {
    const journal: Array<string> = []
    const extensions = [counting(First, journal), counting(Second, journal), counting(First, journal)]
    const alone = yield* Effect.flip(Backend.make("one", { connector: ScriptedConnector.make(), extensions }))
    const second = "one: extensions[2] is a second First; a backend has one of each"
    expect(alone.message).toBe(second)
    const refused = (options: object) =>
      Effect.map(
        Effect.flip(Backend.make("one", { connector: ScriptedConnector.make(), ...options })),
        ({ message }) => message
      )
    expect(yield* refused({ extensions: extensions[0] })).toBe(
      "one: extensions is an object; accepted: an array of extensions"
    )
    expect(yield* refused({ extensions: [{}] })).toBe("one: extensions[0] is an object; accepted: an extension")
    const both = yield* refused({ extensions, keepalive: { timeout: 0 } })
    expect([both.includes("extensions[2] is a second First"), both.includes("keepalive.timeout")]).toEqual([
      true,
      true
    ])
    const fleet = yield* Effect.either(Fleet.make({
      backends: {
        good: { connector: ScriptedConnector.make(), extensions: extensions.slice(1) },
        bad: { connector: ScriptedConnector.make(), extensions }
      }
    }))
    expect(Either.isLeft(fleet)).toBe(true)
    expect(journal).toEqual([])
  })
})
