import { type ClusterStore, StoreError } from "@mcp-lifeline/cluster"
import { MemoryStore } from "@mcp-lifeline/cluster/testing"
import { Effect, Logger, LogLevel } from "effect"
import { told } from "../../src/replica/storeProblems.js"
import { describe, expect, test } from "../support/vitest.js"

describe("a database that is away", () => {
  test.effect("[D5][D8] is told of once, and so is its return; a single failure is not", function*() {
    const memory = MemoryStore.make()
    let answer: "fails" | "is silent" | "answers" = "answers"
    const renew: ClusterStore["renew"] = (...given) =>
      answer === "answers"
        ? memory.renew(...given)
        : answer === "fails"
        ? Effect.fail(new StoreError({ message: "the database could not renew the lease: no route" }))
        : Effect.interrupt
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) =>
      void lines.push(`${logLevel === LogLevel.Warning ? "" : `${logLevel.label}: `}${message}`)
    )
    const store = told({ ...memory, renew })
    const renewed = (how: typeof answer, times: number) =>
      Effect.suspend(() => {
        answer = how
        return Effect.exit(store.renew("a", []))
      }).pipe(Effect.repeatN(times - 1), Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    yield* store.join("a", "http://a")
    yield* renewed("fails", 1)
    yield* renewed("answers", 2)
    expect(lines).toEqual([])
    yield* renewed("fails", 5)
    expect(lines)
      .toEqual([expect.stringMatching(/^the database could not renew the lease: no route; the servers go on/)])
    yield* renewed("answers", 2)
    yield* renewed("is silent", 3)
    expect(lines.slice(1)).toEqual(["the database is back", expect.stringContaining("does not answer in time")])
  })
})
