/** Many clients and many servers that die at random. `CROWD_SECONDS` is how long. */
import { Effect, Fiber, Ref } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { folder } from "../../../testing/test/support/folder.js"
import { argumentsOf, processes } from "../../../testing/test/support/Processes.js"
import * as Gateway from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import { connected } from "../support/Served.js"
import { describe, expect, test } from "../support/vitest.js"

const seconds = Number(process.env["CROWD_SECONDS"] ?? 5)
const node = process.execPath
const crowd = fileURLToPath(new URL("../fixtures/crowd.mjs", import.meta.url))

const range = (size: number) => Array.from({ length: size }, (_, i) => i)
const local = range(40).map((i) => `local${i}`)
const remote = range(9).map((i) => `remote${i}`)
const shared = [...local, ...remote]
const own = "own"
const clients = range(100)

/** Numbers from 0 to 1 that are the same in each run (mulberry32). */
const randomFrom = (seed: number) => () => {
  seed = (seed + 0x6D2B79F5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

const serversOf = (gateway: number) =>
  processes().flatMap(({ parent, pid }) =>
    parent === gateway && argumentsOf(pid).some((argument) => argument.includes("crowd.mjs")) ? [pid] : []
  )

const subscribes = (client: number) => client % 2 === 0
const wantsLogs = (client: number) => client % 10 === 0
const hasOwn = (client: number) => client % 10 === 1
const serverOf = (client: number) => shared[client % shared.length] as string
const uriOf = (client: number) => `crowd://${serverOf(client)}/c${client}`

describe("a crowd", () => {
  test.scopedLive(
    `[G8] 100 clients and 50 servers that are killed at random for ${seconds} s: nothing reaches another, and each call is answered`,
    function*() {
      const path = yield* folder
      const file = join(path, "acts")
      // All that a client hears of progress is what the server says to it.
      const reconnect = { initialDelay: "50 ms", maxDelay: "1 second" }
      const lifeline = { reconnect, calls: { progressInterval: "never" } }
      const startRemote = (port: number) => Program.start([crowd, file, String(port), ...remote], {}, [node])
      let far = yield* startRemote(0)
      const [, found] = yield* far.prints(/"port":(\d+)/)
      const port = Number(found)
      const command = (name: string) => ({ command: node, args: [crowd, file, name], lifeline })
      const address = (name: string) => ({ type: "http", url: `http://127.0.0.1:${port}/${name}`, lifeline })
      const { base, program } = yield* Gateway.serve({
        ...Object.fromEntries(local.map((name) => [name, command(name)])),
        ...Object.fromEntries(remote.map((name) => [name, address(name)])),
        [own]: { ...command(own), lifeline: { ...lifeline, sessions: "per-client" } }
      })
      yield* program.until(() => serversOf(program.pid).length === local.length ? true : undefined)

      const crossed: Array<string> = []
      const updates = new Map<number, number>()
      const logs = { shared: 0, own: 0 }
      const progress = { seen: 0 }
      const connect = Effect.fnUntraced(function*(i: number) {
        const { client, transport } = yield* connected(`${base}/mcp`)
        const pass = transport.onmessage
        const mine = (text: unknown) => String(text).startsWith(`c${i}-`)
        transport.onmessage = (message) => {
          if ("method" in message) {
            const params = message.params as Record<string, any>
            switch (message.method) {
              case "notifications/progress":
                progress.seen++
                if (!mine(params["message"])) crossed.push(`progress at ${i}: ${params["message"]}`)
                break
              case "notifications/message": {
                const isOwn = params["logger"] === own
                if (isOwn) logs.own++
                else logs.shared++
                if (!wantsLogs(i) && !(isOwn && hasOwn(i))) crossed.push(`log at ${i}: ${JSON.stringify(params)}`)
                if (isOwn && !mine(params["data"])) crossed.push(`own log at ${i}: ${params["data"]}`)
                break
              }
              case "notifications/resources/updated":
                updates.set(i, (updates.get(i) ?? 0) + 1)
                if (!subscribes(i) || params["uri"] !== uriOf(i)) crossed.push(`update at ${i}: ${params["uri"]}`)
                break
              case "notifications/tools/list_changed":
              case "notifications/resources/list_changed":
              case "notifications/prompts/list_changed":
                break
              default:
                crossed.push(`${message.method} at ${i}`)
            }
          }
          pass?.(message)
        }
        client.onerror = (error) => crossed.push(`error at ${i}: ${error.message}`)
        yield* Effect.promise(() => client.setLoggingLevel(wantsLogs(i) ? "info" : "error"))
        if (subscribes(i)) yield* Effect.promise(() => client.subscribeResource({ uri: uriOf(i) }))
        return { client, id: String(transport.sessionId) }
      })
      const all = yield* Effect.forEach(clients, connect, { concurrency: 5 })
      expect(new Set(all.map(({ id }) => id)).size).toBe(clients.length)

      const answers = { result: 0, notSent: 0, unknown: 0 }
      /** The fates of calls that must not be carried out twice. */
      const acts = new Map<string, keyof typeof answers>()
      const wrong: Array<string> = []
      const call = (i: number, server: string, tool: string, text: string, uri?: string) =>
        Effect.promise(async () => {
          let fate: string
          try {
            const result = await all[i]!.client.callTool(
              { name: `${server}__${tool}`, arguments: { text, uri, level: server === own ? "error" : "info" } },
              undefined,
              { timeout: 300_000, onprogress: ({ message }) => message === text || crossed.push(`${i}: ${message}`) }
            )
            const [content] = result["content"] as ReadonlyArray<{ readonly text: string }>
            fate = "result"
            if (content?.text !== `${server} ${text}`) wrong.push(`${server} ${text}: ${content?.text}`)
          } catch (error) {
            const { code, data, message } = error as { code?: number; data?: { fate?: string }; message: string }
            fate = String(data?.fate)
            if (!Object.hasOwn(answers, fate)) wrong.push(`${server} ${tool} ${text}: ${code} ${message}`)
          }
          if (tool === "act") acts.set(text, fate as keyof typeof answers)
          if (Object.hasOwn(answers, fate)) answers[fate as keyof typeof answers]++
          return fate
        })

      const isOver = yield* Ref.make(false)
      const untilOver = <A, R>(step: Effect.Effect<A, never, R>) =>
        Effect.repeat(step, { until: () => Ref.get(isOver) })
      const load = (i: number) => {
        const random = randomFrom(i)
        let n = 0
        return untilOver(Effect.suspend(() => {
          const text = `c${i}-${n++}`
          const about = Math.floor(random() * clients.length)
          const kind = random()
          const server = hasOwn(i) && random() < 0.5 ? own : shared[Math.floor(random() * shared.length)] as string
          const made = kind < 0.1
            ? call(i, serverOf(about), "touch", text, uriOf(about))
            : kind < 0.2
            // A message to all of a shared server's clients is for those that want it; in an own one for its client alone.
            ? call(i, server, "log", text)
            : call(i, server, kind < 0.6 ? "act" : "look", text)
          return Effect.zipRight(made, Effect.sleep(random() * 200))
        }))
      }
      let kills = 0
      const random = randomFrom(4711)
      const killing = untilOver(
        Effect.suspend(() => {
          const pids = serversOf(program.pid)
          const pid = pids[Math.floor(random() * pids.length)]
          if (pid !== undefined) Program.kill(pid)
          kills++
          return Effect.sleep(200)
        })
      )
      const killingFar = untilOver(
        Effect.gen(function*() {
          yield* Effect.sleep("3 seconds")
          Program.kill(far.pid)
          yield* far.ended
          kills++
          far = yield* startRemote(port)
          yield* far.prints(/"port"/)
        })
      )
      const loads = yield* Effect.fork(Effect.forEach(clients, load, { concurrency: "unbounded", discard: true }))
      const kill = yield* Effect.fork(Effect.zip(killing, killingFar, { concurrent: true }))
      yield* Effect.sleep(seconds * 1000)
      // On a busy machine it takes longer until everything has happened.
      const least = () => Math.min(kills, answers.result, progress.seen, logs.shared, logs.own, acts.size)
      yield* Program.eventually(() => least() > 0 ? true : undefined)
      yield* Ref.set(isOver, true)
      yield* Fiber.join(kill)
      yield* Fiber.join(loads)

      const again = Effect.fnUntraced(function*(i: number) {
        const before = updates.get(i) ?? 0
        for (let n = 0; (updates.get(i) ?? 0) === before; n++) {
          yield* call(i, serverOf(i), "touch", `c${i}-again${n}`, uriOf(i))
          yield* Effect.sleep("20 millis")
        }
      })
      yield* Effect.forEach(clients.filter(subscribes), again, { concurrency: 10 })
      const last = (server: string, i: number) => call(i, server, "look", `c${i}-last`)
      const fates = yield* Effect.forEach(shared, last, { concurrency: 10 })

      console.log(JSON.stringify({ seconds, kills, ...answers, progress: progress.seen, logs, acts: acts.size }))
      expect(crossed.slice(0, 20)).toEqual([])
      expect(wrong.slice(0, 20)).toEqual([])
      expect(new Set(fates)).toEqual(new Set(["result"]))
      const done = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []
      expect(done.length).toBe(new Set(done).size)
      const carriedOut = new Set(done)
      const lies = [...acts].filter(([text, fate]) =>
        fate !== "unknown" && carriedOut.has(text) !== (fate === "result")
      )
      expect(lies).toEqual([])

      const family = Program.family(program.pid)
      expect(family.length).toBeGreaterThan(local.length)
      program.signal("SIGTERM")
      expect(yield* program.ended).toEqual({ code: 0, signal: null })
      yield* Effect.forEach(family, Program.gone, { discard: true })
    },
    (seconds + 1800) * 1000
  )
})
