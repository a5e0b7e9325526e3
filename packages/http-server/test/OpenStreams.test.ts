import { describe, expect, it } from "@effect/vitest"
import { EventEmitter } from "node:events"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Authentication from "../src/Authentication.js"
import * as Caller from "../src/Caller.js"
import * as OpenStreams from "../src/OpenStreams.js"
import type { Refusal } from "../src/Refusal.js"
import * as Maps from "./support/Maps.js"

const ann: Caller.Caller = { subject: "ann", claims: {} }

const refused = Authentication.unauthorized("no")

type Checked = Caller.Caller | Refusal

interface Sent {
  readonly token: string
  readonly caller?: Caller.Caller
  readonly method?: string
  readonly session?: string
}

const make = () => {
  const accepted = new Map<string, Checked | Promise<Checked>>()
  const checks: Array<string> = []
  const streams = new OpenStreams.OpenStreams({
    check: ({ headers: { authorization = "" } }) => {
      checks.push(authorization)
      return accepted.get(authorization) ?? refused
    }
  })
  const ended: Array<string> = []
  const letIn = ({ caller = ann, method = "GET", session, token }: Sent, headersSent = true) => {
    const headers = { authorization: token, ...(session === undefined ? {} : { "mcp-session-id": session }) }
    const request = { headers, method } as object as IncomingMessage
    const response = Object.assign(new EventEmitter(), {
      headersSent,
      end: () => void ended.push(`end ${token}`),
      destroy: () => void ended.push(`destroy ${token}`)
    }) as object as ServerResponse
    Caller.note(request, caller)
    streams.letIn(request, response)
    return { request, response }
  }
  return { accepted, checks, ended, letIn, recheck: () => streams.recheck() }
}

describe("the streams of a listener", () => {
  it("[G22:unit] end once their credentials are not accepted, or are those of somebody else", async () => {
    const { accepted, ended, letIn, recheck } = make()
    for (const token of ["a", "b", "c", "d"]) {
      accepted.set(token, ann)
      letIn({ token })
    }
    letIn({ token: "e" }, false)
    recheck()
    expect(ended).toEqual(["destroy e"])
    accepted.delete("b")
    accepted.set("c", { subject: "ben", claims: {} })
    accepted.set("d", Promise.reject(new Error("the keys cannot be read")))
    recheck()
    expect(ended).toEqual(["destroy e", "end b", "end c"])
    await expect.poll(() => ended).toContain("end d")
    recheck()
    expect(ended.length).toBe(4)
  })

  it("[G22:unit] go on with later credentials of the same caller in the same session", () => {
    const { accepted, ended, letIn, recheck } = make()
    for (const token of ["old", "new"]) accepted.set(token, ann)
    accepted.set("other", { subject: "ben", claims: {} })
    const first = letIn({ token: "old", session: "s" })
    letIn({ token: "old", session: "t" })
    letIn({ token: "new", session: "s", method: "POST" })
    // Of somebody else, who will be told that there is no such session.
    letIn({ token: "other", session: "t", method: "POST", caller: { subject: "ben", claims: {} } })
    accepted.delete("old")
    recheck()
    expect(ended).toEqual(["end old"])
    accepted.delete("new")
    first.response.emit("close")
    recheck()
    expect(ended).toEqual(["end old"])
    accepted.set("old", ann)
    letIn({ token: "old", session: "s" })
    accepted.delete("old")
    recheck()
    expect(ended).toEqual(["end old", "end old"])
  })

  it("[G22:unit] of a client that says something while its credentials are checked, the later ones count, and are checked, too", async () => {
    for (const failed of [false, true]) {
      const { accepted, checks, ended, letIn, recheck } = make()
      for (const token of ["new", "bad"]) accepted.set(token, ann)
      accepted.set("late", Promise.resolve().then(() => failed ? Promise.reject(new Error("no keys")) : refused))
      letIn({ token: "late", session: "s" })
      letIn({ token: "late", session: "t" })
      recheck()
      letIn({ token: "new", session: "s", method: "POST" })
      letIn({ token: "bad", session: "t", method: "POST" })
      accepted.delete("bad")
      await expect.poll(() => ended).toContain("end late")
      expect([checks, ended]).toEqual([["late", "late", "new", "bad"], ["end late"]])
    }
  })

  it("[G22:unit] end also where it takes a while to find out that they are to", async () => {
    const { accepted, ended, letIn, recheck } = make()
    for (const token of ["a", "b", "c", "d"]) letIn({ token })
    accepted.set("a", Promise.resolve(ann))
    accepted.set("b", Promise.resolve({ subject: "ben", claims: {} }))
    accepted.set("c", Promise.resolve(refused))
    const gone = Promise.resolve(refused)
    accepted.set("d", gone)
    const { response } = letIn({ token: "d", session: "s" })
    recheck()
    response.emit("close")
    await gone
    await new Promise((resolve) => setImmediate(resolve))
    expect(ended).toEqual(["end b", "end c", "end d"])
  })

  it("[G22:unit] that have closed meanwhile are checked no more, whatever their client has sent", async () => {
    const { accepted, checks, ended, letIn, recheck } = make()
    const late = Promise.resolve(refused)
    accepted.set("late", late)
    const { response } = letIn({ token: "late", session: "s" })
    recheck()
    letIn({ token: "new", session: "s", method: "POST" })
    response.emit("close")
    await late
    await new Promise((resolve) => setImmediate(resolve))
    expect([checks, ended]).toEqual([["late"], []])
  })

  it("[G22:unit] of one session, later credentials count for those that are left when one has closed", () => {
    const { accepted, ended, letIn, recheck } = make()
    for (const token of ["old", "new"]) accepted.set(token, ann)
    const first = letIn({ token: "old", session: "s" })
    letIn({ token: "old", session: "s" })
    first.response.emit("close")
    letIn({ token: "new", session: "s", method: "POST" })
    accepted.delete("old")
    recheck()
    expect(ended).toEqual([])
    accepted.delete("new")
    recheck()
    expect(ended).toEqual(["end old"])
  })

  it("[X5:unit] leave nothing behind when they close, in whatever order", () => {
    Maps.watched((maps) => {
      const { letIn } = make()
      const sessions = [undefined, "s", "s", "t"]
      const all = sessions.map((session) => letIn({ token: "a", ...(session === undefined ? {} : { session }) }))
      const sizes = () => Array.from(maps, ({ size }) => size).toSorted()
      expect(sizes()).toEqual([2, 4])
      for (const { response } of all) response.emit("close")
      expect(sizes()).toEqual([0, 0])
    })
  })

  it("[G21:unit] leave what has expired to those who know of it", () => {
    const { ended, letIn, recheck } = make()
    letIn({ token: "expired", caller: { ...ann, expiresAt: Date.now() - 1 } })
    letIn({ token: "taken back", caller: { ...ann, expiresAt: Date.now() + 3_600_000 } })
    recheck()
    expect(ended).toEqual(["end taken back"])
  })

  it("[G22:unit] of requests that are not a GET, only those end that say so", () => {
    const { ended, letIn, recheck } = make()
    letIn({ token: "call", method: "POST" })
    const { request, response } = letIn({ token: "listen", method: "POST" })
    OpenStreams.note(request, response, () => void ended.push("listen"))
    // Not let in by a listener.
    OpenStreams.note({}, response, () => void ended.push("nobody"))
    recheck()
    recheck()
    expect(ended).toEqual(["listen"])
  })
})
