import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, expect, it } from "vitest"
import { query } from "../../../cluster/test/support/query.js"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import { CountingLedger } from "../../../testing/test/support/CountingLedger.js"
import { describeCluster, ManyGateways, type Options } from "../support/ManyGateways.js"

const patience = 120_000
const counting = fileURLToPath(new URL("../../../cluster/test/fixtures/counting.mjs", import.meta.url))
const gated = fileURLToPath(new URL("../fixtures/gated.mjs", import.meta.url))
const ann = { Authorization: "Bearer ann-token-of-sixteen" }

const lost = "the lease of this replica has ended"

const stateless = (name: string, key: string) => ({
  headers: { ...ann, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": name },
  body: {
    id: key,
    method: "tools/call",
    params: { name, arguments: { key }, _meta: Raw.meta({ [Raw.key("clientInfo")]: { name: "raw", version: "1" } }) }
  }
})

const call = (name: string, key: string) => ({ id: key, method: "tools/call", params: { name, arguments: { key } } })

const answerIn = (text: string): Raw.Message | undefined =>
  text.startsWith("{")
    ? JSON.parse(text) as Raw.Message
    : Raw.events(text).map(({ message }) => message).find(({ method }) => method === undefined)

describeCluster("a cluster whose database stops answering", () => {
  const cleanUps: Array<() => unknown> = []
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
  })

  const begin = async (options: Partial<Options>) => {
    const folder = mkdtempSync(join(tmpdir(), "lifeline-frozen-"))
    cleanUps.push(() => rmSync(folder, { recursive: true, force: true }))
    const [gate, file] = [join(folder, "gate"), join(folder, "ledger")]
    // Calls wait for longer than the database is away, on a machine that is busy, too.
    const run = (args: ReadonlyArray<string>, options: object = {}) => ({
      command: process.execPath,
      args,
      lifeline: { timeouts: { wait: "2 minutes" }, ...options }
    })
    const all = await ManyGateways.start(2, {
      servers: [],
      entries: {
        notes: run([counting, "notes", file]),
        late: run([gated, gate, "late", file]),
        own: run([gated, gate, "own", file, "own"], { sessions: "per-client" })
      },
      lifeline: { clients: { ann: { token: "ann-token-of-sixteen" } } },
      // A machine that is busy does not lose it again.
      lease: "6s",
      ...options
    })
    cleanUps.push(() => all[Symbol.asyncDispose]())
    const [a, b] = all.replicas.map(({ url }) => url.href) as [string, string]
    const ledger = new CountingLedger(file)
    const open = (): void => writeFileSync(gate, "")
    return { all, a, b, ledger, open }
  }

  /** Sends again what is answered 503 with Retry-After, and nothing else. Gives each status. */
  const persistent = async (url: string, headers: Readonly<Record<string, string>>, body: object) => {
    const statuses: Array<number> = []
    while (true) {
      const answered = await Raw.send(url, "POST", headers, body)
      const text = await answered.body
      statuses.push(answered.status)
      if (answered.status !== 503) return { statuses, answer: answerIn(text) }
      expect(Number(answered.headers["retry-after"])).toBeGreaterThan(0)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  it("[D11:real D1:real D2:real] calls that were not sent are carried out once when it is back, in both eras, at every replica", async () => {
    const { a, all, b, ledger, open } = await begin({ withoutDatabase: "0s" })
    const session = await Raw.begin(a, undefined, ann)
    expect((await persistent(b, session, call("notes__add", "before"))).answer).toMatchObject({ result: {} })

    /** The servers have not begun, so nothing is sent to them; and the streams of the answers have begun. */
    const sent = [
      ...[a, b].flatMap((url, index) =>
        ["late__add", "own__add"].map((name) => Raw.send(url, "POST", session, call(name, `session-${name}-${index}`)))
      ),
      ...[a, b].flatMap((url, index) =>
        ["late__add", "own__add"].map((name) => {
          const { body, headers } = stateless(name, `stateless-${name}-${index}`)
          return Raw.send(url, "POST", headers, body)
        })
      )
    ]
    const begun = await Promise.all(sent)
    expect(begun.map(({ headers, status }) => [status, headers["content-type"]]))
      .toEqual(begun.map(() => [200, "text/event-stream"]))
    all.postgres.freeze()
    for (const replica of all.replicas) {
      await expect.poll(() => replica.printed, { timeout: patience }).toContain(lost)
    }
    // Nothing is in memory now. What comes meanwhile waits, or is told to come again.
    const meanwhile = [a, b].flatMap((url, index) => {
      const { body, headers } = stateless("notes__add", `meanwhile-stateless-${index}`)
      return [
        persistent(url, session, { id: 1, method: "ping" }),
        persistent(url, session, call("notes__add", `meanwhile-${index}`)),
        persistent(url, headers, body),
        persistent(url, ann, Raw.initialize())
      ]
    })
    open()
    all.postgres.thaw()
    for (const { answer, statuses } of await Promise.all(meanwhile)) {
      expect(statuses.filter((status) => ![200, 503].includes(status))).toEqual([])
      expect(answer).toMatchObject({ result: {} })
    }
    const answers = (await Promise.all(begun.map(({ body }) => body))).map(answerIn)
    expect(answers.filter((answer) => answer?.result === undefined)).toEqual([])
    const keys = answers.map((answer) => String(answer?.id))
    expect(new Set(keys).size).toBe(8)
    const { effects } = ledger.calls()
    const others = ["before", ...[0, 1].flatMap((index) => [`meanwhile-${index}`, `meanwhile-stateless-${index}`])]
    expect(Object.fromEntries(effects)).toEqual(Object.fromEntries([...keys, ...others].map((key) => [key, 1])))
    expect(ledger.overlaps().filter(([{ server }]) => !server.startsWith("own"))).toEqual([])
  })

  it("[D11:real D5] sessions that live go on meanwhile; of one whose home has gone, nobody is told that it has ended", async () => {
    const { a, all, b, ledger, open } = await begin({})
    open()
    const [first, other] = [await Raw.begin(a, undefined, ann), await Raw.begin(b, undefined, ann)]
    const both = [a, b].flatMap((url) => [first, other].map((session) => [url, session] as const))
    const [home] = all.replicas
    // Each has named the other one in the store, of whom it then asks promises.
    const named = () =>
      query(all.postgres.url, (sql) => sql`SELECT id FROM lifeline_replica WHERE jsonb_array_length(witnesses) = 1`)
    await expect.poll(named, { timeout: patience }).toHaveLength(2)
    all.postgres.freeze()
    // Longer than a lease: from then on, they have promised each other to keep theirs.
    const until = Date.now() + 9000
    let count = 0
    while (Date.now() < until) {
      for (const [url, session] of both) {
        const { answer, statuses } = await persistent(url, session, call("notes__add", `living-${count++}`))
        expect([statuses, answer]).toMatchObject([[200], { result: {} }])
      }
    }
    expect(all.replicas.map(({ printed }) => printed.includes(lost))).toEqual([false, false])
    await home!.end("SIGKILL")
    // It only reads: a way to the home that is still there takes a request, and nobody knows what becomes of it.
    const orphaned = persistent(b, first, call("notes__look", "orphaned"))
    all.postgres.thaw()
    const { answer, statuses } = await orphaned
    expect(statuses.filter((status) => ![200, 503].includes(status))).toEqual([])
    expect(answer).toMatchObject({ result: {} })
    const { effects } = ledger.calls()
    expect([...effects].filter(([, times]) => times !== 1)).toEqual([])
    expect(effects.size).toBe(count)
  })
})
