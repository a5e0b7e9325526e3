import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import { serve } from "../support/Gateway.js"
import { fixture } from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

const { begin, send } = Raw
const chatty = fixture("chatty")

const call = async (url: string, session: Readonly<Record<string, string>>): Promise<string | undefined> => {
  const answered = await send(url, "POST", session, { id: 1, method: "tools/call", params: { name: "o__pid" } })
  const text = await answered.body
  const answers = text.startsWith("{")
    ? [JSON.parse(text) as Raw.Message]
    : Raw.events(text).map(({ message }) => message)
  const answer = answers.find(({ id, method }) => id === 1 && method === undefined)
  return answer?.error?.message ?? answer?.result.content[0].text
}

describe("lifeline.maxOwnServers", () => {
  test.scopedLive("[X5 G5 G15] bounds the servers of single clients, as the file says when one is needed", function*() {
    const own = { ...chatty, lifeline: { sessions: "per-client" } }
    const { base, file, program } = yield* serve({ o: own })
    const url = `${base}/mcp`
    const { lifeline, ...others } = JSON.parse(readFileSync(file, "utf8"))
    /** Saves the file, and waits until it is in force: then another server of it is there, which nobody starts. */
    const save = (maxOwnServers: number) => {
      const other = { ...chatty, disabled: true }
      const mcpServers = { ...others.mcpServers, [`saved-${maxOwnServers}`]: other }
      writeFileSync(file, JSON.stringify({ mcpServers, lifeline: { ...lifeline, maxOwnServers } }))
      return program.prints(new RegExp(`read again: .*saved-${maxOwnServers}`))
    }
    yield* save(1)
    const [one, two] = yield* Effect.promise(async () => {
      const [one, two] = [await begin(url), await begin(url)] as const
      // Whoever reads a stream is there, and keeps what it has.
      await send(url, "GET", one)
      expect(await call(url, one)).toMatch(/^\d+$/)
      expect(await call(url, two)).toContain("other clients use as many as the gateway may run at once")
      return [one, two] as const
    })
    yield* save(2)
    yield* Effect.promise(async () => {
      expect(await call(url, two)).toMatch(/^\d+$/)
      expect(await call(url, one)).toMatch(/^\d+$/)
    })
  })
})
