import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import { Effect, Redacted } from "effect"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import * as Postgres from "../../../testing/test/support/Postgres.js"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import * as PostgresStore from "../../src/PostgresStore.js"
import * as ClusterSessionRecords from "../../src/state/ClusterSessionRecords.js"
import { defaults as terms } from "../../src/Terms.js"
import { key } from "./Replica.js"

describe.skipIf(!Postgres.isInstalled)(`sessions whose records are in PostgreSQL${Postgres.title}`, () => {
  test.scopedLive(
    "[D11:real G10] while it is away, nobody is told that a session has ended; when it is back, those go on that have not",
    function*() {
      const postgres = yield* Postgres.make
      const store = yield* PostgresStore.make({ url: Redacted.make(postgres.url), terms, key })
      const records = yield* ClusterSessionRecords.make({ store, key })
      const seal = SealedId.make(SealedId.randomSecret())
      // With room for one session in memory, each that begins makes another one leave it.
      const { url } = yield* Raw.serve(undefined, { seal, records, limits: { maxSessions: 1 } })
      yield* Effect.promise(async () => {
        const session = await Raw.begin(url)
        const ended = await Raw.begin(url)
        await (await Raw.send(url, "DELETE", ended)).body
        await Raw.begin(url)
        await postgres.crash()
        const status = async (method: string, headers: Readonly<Record<string, string>>): Promise<number> => {
          const body = method === "POST" ? { id: 1, method: "ping" } : undefined
          const answered = await Raw.send(url, method, headers, body)
          answered.cut()
          return answered.status
        }
        for (const method of ["POST", "GET", "DELETE"]) expect(await status(method, session)).toBe(503)
        expect(await status("POST", ended)).toBe(503)
        await postgres.start()
        expect(await status("POST", session)).toBe(200)
        expect(await status("POST", ended)).toBe(404)
      })
    },
    300_000
  )
})
