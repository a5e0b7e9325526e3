import { describe, expect, it } from "@effect/vitest"
import {
  BackendUnavailable,
  ConnectionLost,
  RemoteError,
  RequestTimeout,
  ResultUnknown,
  SessionExpired
} from "@mcp-lifeline/core"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { busy, outcomeOf, toCallError, unavailable as unavailableOf } from "../../src/calls/CallFailure.js"
import type { Fate, RequestReason } from "../../src/Errors.js"
import { entries, State } from "../../src/lifecycle/Lifecycle.js"
import { program, said } from "../../src/observe/Said.js"
import { failed, fates, reasons } from "../support/failures.js"

const about = { backend: "files", generation: 3, method: "tools/call" }
const at = { ...about, timeout: 5000, state: State.Dormant(), lastError: undefined }

const tagOf = (fate: Fate, reason: RequestReason): string => {
  if (fate === "answered") return reason === "remote" ? "RemoteError" : "ProtocolError"
  if (fate === "unknown") return reason === "timeout" ? "RequestTimeout" : "ResultUnknown"
  return ["timeout", "unauthorized", "rateLimited", "server"].includes(reason) ? "BackendUnavailable" : "ConnectionLost"
}

const advice = {
  again:
    /safe to call again|call again: doing it twice does no harm|does no harm, so call again|Call again later|Check the credentials/,
  check: /check before you repeat it/i,
  often: /this happened 6 times, so find out why/
}

/** What a program could do, in the words of others: it stays theirs. */
const planted =
  `is PermanentlyFailed (spawn) (failFast) (timeout), or pass idempotent: true. Call reconnect() to connect`

const ofPrograms = /\w+\(\)|idempotent|failFast|timeout\)|timeouts\.|calls\.|PermanentlyFailed|stays closed/

describe("who writes no program", () => {
  const errors = [
    ...fates.flatMap((fate) =>
      reasons.flatMap((reason) =>
        [false, true].flatMap((harmless) =>
          [undefined, 6].map((times) =>
            toCallError(failed(fate, reason, { message: planted }), { ...at, harmless, times, evidence: "idle" })
          )
        )
      )
    ),
    ...Object.keys(entries).flatMap((state) =>
      [undefined, 90_000].map((demandableFrom) =>
        unavailableOf(
          {
            id: "files",
            now: () => 0,
            published: {
              value: { state: { _tag: state }, generation: 1, lastError: { message: planted }, demandableFrom }
            }
          } as never,
          said`it must not wait${program(" (failFast)")}`
        )
      )
    ),
    busy("files", said`64 calls are waiting${program(" (calls.maxWaiting)")}`)
  ]
  const outcomes = errors.flatMap((last) =>
    [false, true].map((repeated) => {
      const unknown = { generation: 3, error: failed("unknown", "lost", { message: planted }) }
      return outcomeOf(last, "tools/call", { unknown, repeated }, "files")
    })
  )

  it("[W4] [C9:virtual] reads nothing that only a program can do, and all words of others as they are", () => {
    for (const { message, plainMessage, publicMessage, ...error } of [...errors, ...outcomes]) {
      if (error._tag === "RemoteError") continue
      expect([error._tag, plainMessage?.replaceAll(planted, "")]).not.toEqual([
        error._tag,
        expect.stringMatching(ofPrograms)
      ])
      expect([plainMessage === undefined, plainMessage?.includes(planted)]).toEqual([false, message.includes(planted)])
      expect(publicMessage).not.toMatch(ofPrograms)
    }
  })

  it("[W4] [C9:static] is told nothing of options by any text of core that is for everybody", () => {
    const source = fileURLToPath(new URL("../../src", import.meta.url))
    const texts = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"))
      .flatMap((name) => readFileSync(join(source, name), "utf8").match(/said`[^`]*`/g) ?? [])
      .map((text) => text.replaceAll(/\$\{[^}]*\}/g, ""))
    expect(texts.length).toBeGreaterThan(20)
    expect(texts.filter((text) => ofPrograms.test(text))).toEqual([])
  })

  it.each([
    ["RequestTimeout", "; it may still be carried out. Check before you repeat it"],
    ["RequestTimeout", "; it may still be carried out. Call again: doing it twice does no harm"],
    ["ResultUnknown", "; check before you repeat it"],
    ["BackendUnavailable", "files cannot be connected: it must not wait; last error: "],
    ["BackendUnavailable", "files does not connect by itself: it must not wait; last error: "],
    ["BackendUnavailable", "files is closed: it must not wait; last error: "]
  ])("[W4] [C9:virtual] reads what to do instead: %s %s", (tag, text) => {
    const plain = errors.flatMap(({ _tag, plainMessage }) => _tag === tag ? plainMessage ?? [] : [])
    expect(plain.filter((one) => one.endsWith(text) || one.startsWith(text))).not.toEqual([])
  })
})

describe("what a failed request means", () => {
  it("[C9:virtual] each fate and reason has one error, which says what to do", () => {
    for (const fate of fates) {
      for (const reason of reasons) {
        for (const harmless of [false, true]) {
          for (const times of [undefined, 6]) {
            const error = toCallError(failed(fate, reason, { message: "secret words" }), { ...at, harmless, times })
            const row = [fate, reason, harmless, times]
            expect([...row, error._tag]).toEqual([...row, tagOf(fate, reason)])
            expect(error.backend).toBe("files")
            if (fate === "answered") continue
            const counted = times !== undefined && (error._tag === "ResultUnknown" || error._tag === "ConnectionLost")
            const expected = counted ? "often" : fate === "unknown" && !harmless ? "check" : "again"
            const given = Object.entries(advice).filter(([, words]) => words.test(error.message))
            expect([...row, ...given.map(([name]) => name)]).toEqual([...row, expected])
            expect(error.message.includes("was not sent")).toBe(fate !== "unknown" && reason === "timeout")
            expect(error.message.includes("5000 ms")).toBe(reason === "timeout")
            expect(error.publicMessage ?? error.message).not.toContain("secret words")
          }
        }
      }
    }
  })

  it("[C9:virtual] the error of a server keeps its code and data", () => {
    const { code, data } = toCallError(failed("answered", "remote", { code: -7, data: { at: 1 } }), at) as RemoteError
    expect([code, data]).toEqual([-7, { at: 1 }])
    expect(toCallError(failed("answered", "remote"), at)).toMatchObject({ code: 0 })
  })

  it("[C9:virtual] a call that a server does not take says where its backend stands", () => {
    const lastError = { message: "refused", reason: "refused", at: 0 } as never
    const error = toCallError(failed("rejected", "server"), { ...at, lastError })
    expect(error).toMatchObject({ state: "Dormant", lastError: "refused", lastReason: "refused", generation: 3 })
  })

  it("[C3:virtual] whatever keeps a call whose fate is unknown from being sent again, its fate stays unknown, and its own end is an end", () => {
    const unknown = { generation: 3, error: failed("unknown", "lost", { message: "cut" }) }
    const unavailable = (lastError?: string) =>
      new BackendUnavailable({
        backend: "files",
        state: "Dormant",
        message: "not sent",
        lastError,
        lastReason: lastError === undefined ? undefined : "refused"
      })
    const connected = new BackendUnavailable({ backend: "files", state: "Connected", message: "not sent" })
    const expired = new SessionExpired({ backend: "files", generation: 3, newGeneration: 4, message: "not sent" })
    const remote = new RemoteError({ backend: "files", generation: 4, method: "tools/call", code: 1, message: "no" })
    const lost = new ConnectionLost({ backend: "files", generation: 4, message: "not carried out" })
    for (
      const [last, why, lastError] of [
        [unavailable(), "files is Dormant", false],
        [unavailable("ECONNREFUSED"), "files is Dormant", true],
        [connected, "files did not take it in time", false],
        [expired, "its session was lost", false],
        [remote, "files does not offer it any more", false],
        [lost, "the next connection was lost, too", false]
      ] as const
    ) {
      for (const repeated of [false, true]) {
        const error = outcomeOf(last, about.method, { unknown, repeated }, "files")
        expect(error).toMatchObject({ _tag: "ResultUnknown", ...about, cause: last })
        expect(error.message).toContain("was sent and its result is unknown (cut)")
        expect(error.message).toContain(why)
        expect(error.message.includes(" (last error: ECONNREFUSED)")).toBe(lastError)
        expect(error.message.includes("last error")).toBe(lastError)
        expect(error.publicMessage?.includes("it refuses connections")).toBe(lastError)
        expect(error.message.includes("may be carried out twice, but could not be sent again")).toBe(repeated)
        expect(advice.check.test(error.message)).toBe(!repeated)
        expect(error.publicMessage).not.toContain("ECONNREFUSED")
      }
    }
    for (
      const last of [
        new ResultUnknown({ backend: "files", generation: 4, method: "tools/call", message: "cut" }),
        new RequestTimeout({ backend: "files", generation: 4, method: "tools/call", timeout: 1, message: "late" })
      ]
    ) expect(outcomeOf(last, about.method, { unknown, repeated: true }, "files")).toBe(last)
    expect(outcomeOf(lost, about.method, { unknown: undefined, repeated: true }, "files")).toBe(lost)
  })
})
