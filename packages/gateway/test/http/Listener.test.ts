import { describe, expect, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { connect } from "node:net"
import * as Listener from "../../src/http/Listener.js"

/** A listener whose handler says which path it was asked for. */
const listen = (options: Partial<Listener.Options> = {}) =>
  Effect.gen(function*() {
    const listener = yield* Listener.listen({ host: "127.0.0.1", port: 0, ...options })
    yield* listener.serve((_, response, path) => response.writeHead(200, { "Content-Type": "text/plain" }).end(path))
    return listener.port
  })

/** Sends a text as it is; gives the answer, once the other end has closed. */
const raw = (port: number, head: string): Effect.Effect<string> =>
  Effect.promise(() =>
    new Promise((resolve, reject) => {
      let text = ""
      const socket = connect(port, "127.0.0.1", () => socket.write(`${head}\r\nConnection: close\r\n\r\n`))
      socket.setEncoding("utf8").on("data", (chunk) => (text += chunk)).on("close", () => resolve(text)).on(
        "error",
        reject
      )
    })
  )

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])

const protection = ["X-Content-Type-Options: nosniff", "Cross-Origin-Resource-Policy: same-origin"]

describe("whom the listener lets in", () => {
  it.scopedLive("[G6] each answer, also a refusal, tells browsers that it is for this origin and of this type only", () =>
    Effect.gen(function*() {
      const port = yield* listen({ token: Redacted.make("t"), isPublic: (path) => path === "/" })
      const heads = [
        "GET / HTTP/1.1\r\nHost: localhost",
        "GET /x HTTP/1.1\r\nHost: localhost",
        "GET / HTTP/1.1\r\nHost: evil.example"
      ]
      const answers = yield* Effect.forEach(heads, (head) => raw(port, head))
      expect(answers.map(statusOf)).toEqual([200, 401, 403])
      for (const answer of answers) for (const header of protection) expect(answer).toContain(header)
    }))

  it.scopedLive("[G6] more than one Host is refused, in whatever order and case", () =>
    Effect.gen(function*() {
      const port = yield* listen()
      for (
        const hosts of [
          "Host: localhost\r\nHost: evil.example",
          "Host: evil.example\r\nHost: localhost",
          "Host: localhost\r\nhOST: localhost"
        ]
      ) {
        expect(statusOf(yield* raw(port, `GET / HTTP/1.1\r\n${hosts}`))).toBe(400)
      }
    }))

  it.scopedLive("[G6] pages of elsewhere may link to the page, and have nothing else", () =>
    Effect.gen(function*() {
      const port = yield* listen({ isPublic: (path) => path === "/" })
      for (const site of ["cross-site", "same-site"]) {
        const head = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: ${site}`
        expect(statusOf(yield* raw(port, head("/?from=elsewhere")))).toBe(200)
        for (const path of ["/mcp", "/api/events", "/health", "/metrics", "/anything"]) {
          expect(statusOf(yield* raw(port, head(path)))).toBe(403)
        }
      }
    }))
})
